#!/usr/bin/env bash
# Runs Farm and llama.cpp in turns on the same weights and prints medians and ratios.
#
#   compare.sh --llama-cpp DIR [--build DIR] [--shape tinyllama|small] [--dtypes "f32 bf16 int8"] [--rounds 3]
#              [--threads 2] [-n 16] [--prompt-tokens 128] [--new-tokens 128] [--prefill-tokens 512] [--no-sampled]
#
# Every round runs Farm, then llama.cpp; a ratio is taken within its round, and the median of the rounds is reported.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

source_dir= build_dir= shape=tinyllama dtypes="f32 bf16 int8" rounds=3 threads=2 n=16 prompt=128 fresh=128 prefill=512
sampled=()
while [ $# -gt 0 ]; do
  case $1 in
    --no-sampled) sampled=(--no-sampled); shift; continue ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
  esac
  [ $# -ge 2 ] || fail "no value after $1"
  case $1 in
    --llama-cpp) source_dir=$2 ;;
    --build) build_dir=$2 ;;
    --shape) shape=$2 ;;
    --dtypes) dtypes=$2 ;;
    --rounds) rounds=$2 ;;
    --threads) threads=$2 ;;
    -n) n=$2 ;;
    --prompt-tokens) prompt=$2 ;;
    --new-tokens) fresh=$2 ;;
    --prefill-tokens) prefill=$2 ;;
    *) fail "unknown option $1" ;;
  esac
  shift 2
done
[ -n "$source_dir" ] || fail "--llama-cpp DIR is needed: a llama.cpp checkout with a finished build"
[[ $rounds =~ ^[1-9][0-9]*$ ]] || fail "--rounds needs a whole number from 1 up"
command -v jq >/dev/null || fail "jq is needed: apt-get install jq"

# The published llama.cpp format that stands beside each of Farm's.
gguf_type() {
  case $1 in
    f32 | bf16) echo "$1" ;;
    int8) echo q8_0 ;;
    *) fail "--dtypes takes f32, bf16 and int8, not '$1'" ;;
  esac
}
for dtype in $dtypes; do gguf_type "$dtype" >/dev/null; done

farm() { "$repository/build.sh" farm "$@"; }

driver=$(build_driver "$source_dir" "$build_dir")
converter=$(build_make_gguf)
checkpoint=$work/models/$shape
if [ ! -e "$checkpoint/config.json" ]; then
  mkdir -p "$work/models"
  farm bench make-model --shape "$shape" --output "$checkpoint" >&2
fi

farm_round() {
  local common=(--model "$checkpoint" --dtype "$1" --threads "$threads" --json)
  farm bench sample "${common[@]}" -n "$n" --prompt-tokens "$prompt" --new-tokens "$fresh"
  farm bench sample "${common[@]}" -n 1 --prompt-tokens "$prefill" --new-tokens 1
}

peer_round() {
  "$driver" --model "$1" --threads "$threads" -n "$n" --prompt-tokens "$prompt" --new-tokens "$fresh" \
    --prefill-tokens "$prefill" --runs 1 "${sampled[@]}"
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
      --argjson n "$n" --argjson prompt "$prompt" --argjson fresh "$fresh" '
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

echo "$shape: $n samples of one $prompt-token prompt, $fresh new tokens; prefill of $prefill; $threads threads; tokens/s, medians of $rounds"
{
  echo "dtype|llama.cpp type|measure|Farm|llama.cpp|ratio|ratio, least to most"
  jq -rs '
    def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
    def shown: . * 100 | round / 100 | tostring;
    [.[] | {dtype, type} + (.pairs[])] | group_by([.dtype, .metric])[]
    | map(.farm / .peer) as $ratios
    | [.[0].dtype, .[0].type, .[0].metric, (map(.farm) | median | shown), (map(.peer) | median | shown),
       ($ratios | median | shown), "\($ratios | min | shown) to \($ratios | max | shown)"] | join("|")' "$results"
} | column -t -s '|'
echo "Every run is kept in $results"
