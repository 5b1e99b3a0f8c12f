#!/usr/bin/env bash
# Runs one PPO step of Farm and of PyTorch on the pocket policy's shape in turns and prints medians and the ratio.
#
#   ppo.sh [--rounds 3] [--threads 2] [--rollouts 512] [--response-len 64] [--python python3]
#
# Float32, random weights (so that responses seldom end before their limit), two passes of updates of half the rollouts each. Farm's time is
# sampling, scoring and updates of the second step; PyTorch's the second of its steps. A ratio is of response tokens per second and taken within its
# round. PyTorch is what the chosen Python imports: apt-get install python3-torch (then --python /usr/bin/python3), or pip install torch.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

rounds=3 threads=2 rollouts=512 response_len=64 python=python3
parse_options "rounds threads rollouts response-len python" "$@"
require_rounds
require_torch "$python"
export OMP_NUM_THREADS=$threads

pocket=$work/ppo
if [ ! -e "$pocket/reward/config.json" ]; then
  mkdir -p "$pocket"
  farm pocket base --output "$pocket/base" >&2
  farm reward --model "$pocket/base" --train pocket:preference --max-instances 100 --eval-size 10 --max-steps 1 --model-max-length 256 --output "$pocket/reward" --threads "$threads" >&2
fi
results=$work/ppo.jsonl
: >"$results"
for ((round = 1; round <= rounds; round++)); do
  rm -rf "$pocket/run"
  farm ppo --policy "$pocket/base" --reward "$pocket/reward" --input pocket:unlabeled --output "$pocket/run" --rollout-batch-size "$rollouts" --rollout-per-device-batch-size 64 \
    --step-batch-size $((rollouts / 2)) --step-per-device-batch-size 4 --query-len $((256 - response_len)) --response-len "$response_len" --max-steps 2 --threads "$threads" >/dev/null 2>&1
  ours=$(tail -n 1 "$pocket/run/metrics.jsonl")
  theirs=$("$python" "$peers_dir/pytorch_ppo.py" --config "$pocket/base/config.json" --threads "$threads" --rollouts "$rollouts" --response-len "$response_len" --step-batch $((rollouts / 2)) --repeat 2 | tail -n 1)
  jq -cn --argjson farm "$ours" --argjson torch "$theirs" '{farm: $farm["time/tokens_per_second"], torch: $torch.response_tokens_per_second}' >>"$results"
  echo "round $round of $rounds: done" >&2
done
summarise "$results" '
  (map(.farm / .torch)) as $ratios
  | "Farm     \(map(.farm) | median | to(1)) response tokens/s", "PyTorch  \(map(.torch) | median | to(1)) response tokens/s",
    "ratio    \($ratios | median | to(2))x (rounds \($ratios | min | to(2)) to \($ratios | max | to(2)))"
  '
