#!/usr/bin/env bash
# Runs Farm and llama.cpp in turns on the same weights and prints medians and ratios.
#
#   compare.sh --llama-cpp DIR [--build DIR] [--shape tinyllama|small] [--dtypes "f32 bf16 int8"] [--rounds 3]
#              [--threads 2] [-n 16] [--prompt-tokens 128] [--new-tokens 128] [--prefill-tokens 512] [--no-sampled]
#
# Every round runs Farm, then llama.cpp; a ratio is taken within its round, and the median of the rounds is reported.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

llama_cpp= build= shape=tinyllama dtypes="f32 bf16 int8" rounds=3 threads=2 n=16 prompt_tokens=128 new_tokens=128 prefill_tokens=512 no_sampled=
parse_options "llama-cpp build shape dtypes rounds threads n prompt-tokens new-tokens prefill-tokens no-sampled!" "$@"
[ -n "$llama_cpp" ] || fail "--llama-cpp DIR is needed: a llama.cpp checkout with a finished build"
require_rounds

# The published llama.cpp format that stands beside each of Farm's.
gguf_type() {
  case $1 in
    f32 | bf16) echo "$1" ;;
    int8) echo q8_0 ;;
    *) fail "--dtypes takes f32, bf16 and int8, not '$1'" ;;
  esac
}
for dtype in $dtypes; do gguf_type "$dtype" >/dev/null; done

driver=$(build_driver "$llama_cpp" "$build")
converter=$(build_make_gguf)
checkpoint=$(make_model "$shape")

farm_round() {
  local common=(--model "$checkpoint" --dtype "$1" --threads "$threads" --json)
  farm bench sample "${common[@]}" -n "$n" --prompt-tokens "$prompt_tokens" --new-tokens "$new_tokens"
  farm bench sample "${common[@]}" -n 1 --prompt-tokens "$prefill_tokens" --new-tokens 1
}

peer_round() {
  "$driver" --model "$1" --threads "$threads" -n "$n" --prompt-tokens "$prompt_tokens" --new-tokens "$new_tokens" \
    --prefill-tokens "$prefill_tokens" --runs 1 ${no_sampled:+--no-sampled}
}

results=$work/compare-$shape.jsonl
: >"$results"
for dtype in $dtypes; do
  type=$(gguf_type "$dtype")
  gguf=$work/models/$shape-$type.gguf
  if [ ! "$gguf" -nt "$checkpoint/config.json" ]; then
    "$converter" --model "$checkpoint" --type "$type" --output "$gguf" >&2
  fi
  for ((round = 1; round <= rounds; round++)); do
    echo "$shape $dtype: round $round of $rounds, load $(cut -d' ' -f1 /proc/loadavg 2>/dev/null || echo unknown)" >&2
    ours=$(farm_round "$dtype")
    theirs=$(peer_round "$gguf")
    jq -cn --arg dtype "$dtype" --arg type "$type" --argjson ours "$(jq -s . <<<"$ours")" --argjson theirs "$theirs" \
      --argjson n "$n" --argjson prompt "$prompt_tokens" --argjson fresh "$new_tokens" '
      ($ours[0].decode_tokens_per_second) as $decode | ($ours[0].prefill_tokens_per_second) as $read
      | {$dtype, $type, farm_run: $ours, peer_run: $theirs, pairs: [
          {metric: "decode", farm: $decode, peer: $theirs.decode_tokens_per_second},
          {metric: "prefill", farm: $ours[1].prefill_tokens_per_second, peer: $theirs.prefill_tokens_per_second},
          {metric: "sampled", farm: $decode, peer: $theirs.sampled_tokens_per_second},
          {metric: "end to end", farm: ($n * $fresh / ($prompt / $read + $n * $fresh / $decode)),
           peer: $theirs.end_to_end_tokens_per_second}
        ] | map(select(.peer != null))}' >>"$results"
  done
done

echo "$shape: $n samples of one $prompt_tokens-token prompt, $new_tokens new tokens; prefill of $prefill_tokens; $threads threads; tokens/s, medians of $rounds"
{
  echo "dtype|llama.cpp type|measure|Farm|llama.cpp|ratio|ratio, least to most"
  summarise "$results" '
    def shown: to(2) | tostring;
    [.[] | {dtype, type} + (.pairs[])] | group_by([.dtype, .metric])[]
    | map(.farm / .peer) as $ratios
    | [.[0].dtype, .[0].type, .[0].metric, (map(.farm) | median | shown), (map(.peer) | median | shown),
       ($ratios | median | shown), "\($ratios | min | shown) to \($ratios | max | shown)"] | join("|")'
} | column -t -s '|'
echo "Every run is kept in $results"
