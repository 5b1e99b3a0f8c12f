#!/usr/bin/env bash
# Runs one SFT step of Farm and of PyTorch in turns and prints medians, the ratio and both peaks of memory.
#
#   train.sh [--shapes "tiny small"] [--rounds 3] [--threads 2] [--repeat 3] [--sequence 256] [--python python3]
#
# Float32; batch 8 for tiny, 4 for other shapes. A ratio is taken within its round; the median of the rounds is reported.
# PyTorch is what the chosen Python imports: apt-get install python3-torch libopenblas0-pthread (without the second it multiplies with the reference BLAS, 50 times slower; then --python /usr/bin/python3), or pip install torch.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

shapes="tiny small" rounds=3 threads=2 repeat=3 sequence=256 python=python3
parse_options "shapes rounds threads repeat sequence python" "$@"
require_rounds
require_torch "$python"

# Both programs get the same number of threads; OpenMP's own count must not exceed it.
export OMP_NUM_THREADS=$threads

for shape in $shapes; do
  checkpoint=$(make_model "$shape")
  batch=4
  if [ "$shape" = tiny ]; then batch=8; fi
  results=$work/train-$shape.jsonl
  : >"$results"
  for ((round = 1; round <= rounds; round++)); do
    ours=$(farm bench train --model "$checkpoint" --batch "$batch" --sequence "$sequence" --threads "$threads" --repeat "$repeat" --json)
    theirs=$("$python" "$peers_dir/pytorch_train.py" --config "$checkpoint/config.json" --batch "$batch" --sequence "$sequence" --threads "$threads" --repeat "$repeat")
    jq -cn --argjson farm "$ours" --argjson torch "$theirs" '{farm: $farm, torch: $torch}' >>"$results"
    echo "$shape, round $round of $rounds: done" >&2
  done
  summarise "$results" '
    (map(.farm.tokens_per_second / .torch.tokens_per_second)) as $ratios
    | "\($shape), float32, batch \(.[0].farm.batch) x \(.[0].farm.sequence), \(.[0].farm.threads) threads, PyTorch \(.[0].torch.torch)",
      "  Farm     \(map(.farm.tokens_per_second) | median | to(1)) tokens/s, \(map(.farm.flops_fraction_of_peak * 100) | median | to(1)) % of the FMA peak, \(map(.farm.peak_rss_bytes) | max / 1048576 | round) MiB",
      "  PyTorch  \(map(.torch.tokens_per_second) | median | to(1)) tokens/s, \(map(.torch.peak_rss_bytes) | max / 1048576 | round) MiB",
      "  ratio    \($ratios | median | to(2))x (rounds \($ratios | min | to(2)) to \($ratios | max | to(2))), memory \((map(.farm.peak_rss_bytes) | max) / (map(.torch.peak_rss_bytes) | max) | to(2))x"
    ' --arg shape "$shape"
done
