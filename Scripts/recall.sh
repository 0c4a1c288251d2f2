#!/usr/bin/env bash
# Multi-query associative recall with every mixer and several seeds: the README's table of accuracies on held-out sequences
# at steps 250, 500, 750, 1000 and 1500, one line per seed. Finished runs in runs/recall are not repeated; each takes about a
# minute.
#   SEEDS="1 2 3" Scripts/recall.sh [NAME...]        DEVICE and THREADS as wanted; STEPS=6 for a try, in a folder of its own
set -euo pipefail
cd "$(dirname "$0")/.."

# NAME KEY=VALUE...
models() {
  cat <<'MODELS'
softmax mixer.kind=softmax
gated_delta mixer.kind=gated_delta
gated_delta_step mixer.kind=gated_delta mixer.gate=step
delta mixer.kind=delta
scalar_gate mixer.kind=scalar_gate
gated_linear mixer.kind=gated_linear
identity mixer.kind=linear mixer.feature_map=identity mixer.normalize=false
retention mixer.kind=retention
elu_plus_one mixer.kind=linear
norm_attention mixer.kind=norm_attention
hedgehog mixer.kind=hedgehog
flow mixer.kind=flow
mamba2 mixer.kind=mamba2
rwkv7 mixer.kind=rwkv7
MODELS
}

source Scripts/models.sh
prepare "$@"
steps=${STEPS:-1500}
[ $((steps % 6)) = 0 ] || { echo "error: STEPS is $steps, no multiple of 6" >&2; exit 2; }
every=$((steps / 6))
columns=("$every" $((2 * every)) $((3 * every)) $((4 * every)) $((6 * every)))
runs=runs/recall${STEPS:+-$STEPS}
mkdir -p "$runs"
echo "| mixer | seed | step$(printf ' %s |' "${columns[@]}")"
echo "|---|---|---|---|---|---|---|"
for name in "${names[@]}"; do
  keys=$(words "$name")
  for seed in ${SEEDS:-1 2 3}; do
    run=$runs/$name-$seed
    if [ ! -s "$run/done" ]; then
      rm -rf "$run"
      # shellcheck disable=SC2086
      "$nibble" train preset=mqar $keys seed="$seed" steps="$steps" schedule.warmup=$((steps / 15)) \
        evaluation.every="$every" --output "$run" "${options[@]}" >&2
      echo finished > "$run/done"
    fi
    printf '| %s | %s' "$name" "$seed"
    for step in "${columns[@]}"; do
      printf ' | %.3f' "$(grep "\"step\":$step," "$run/metrics.jsonl" | grep -o '"validation_accuracy":[0-9.e-]*' | cut -d: -f2)"
    done
    echo ' |'
  done
done
