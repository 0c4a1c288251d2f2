#!/usr/bin/env bash
# Multi-query associative recall with every mixer and several seeds: the README's table of accuracies on held-out sequences
# at steps 250, 500, 750, 1000 and 1500, one line per seed. Finished runs in runs/recall are not repeated; each takes about a
# minute.
#   SEEDS="1 2 3" Scripts/recall.sh [NAME...]        DEVICE and THREADS as wanted
set -euo pipefail
cd "$(dirname "$0")/.."

# NAME KEY=VALUE...
models() {
  cat <<'MODELS'
softmax mixer.kind=softmax
gated_delta mixer.kind=gated_delta
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

nibble=${NIBBLE:-.build/release/nibble}
[ -n "${NIBBLE:-}" ] || swift build -c release --product nibble
options=()
[ -n "${DEVICE:-}" ] && options+=(--device "$DEVICE")
[ -n "${THREADS:-}" ] && options+=(--threads "$THREADS")
mkdir -p runs/recall
names=("$@")
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(models | cut -d' ' -f1)
echo "| mixer | seed | step 250 | 500 | 750 | 1000 | 1500 |"
echo "|---|---|---|---|---|---|---|"
for name in "${names[@]}"; do
  read -r _ keys < <(models | grep "^$name ") || { echo "error: no model '$name' in $0" >&2; exit 2; }
  for seed in ${SEEDS:-1 2 3}; do
    run=runs/recall/$name-$seed
    if [ ! -s "$run/done" ]; then
      rm -rf "$run"
      # shellcheck disable=SC2086
      "$nibble" train preset=mqar $keys seed="$seed" --output "$run" "${options[@]}" --quiet >&2
      echo finished > "$run/done"
    fi
    printf '| %s | %s' "$name" "$seed"
    for step in 250 500 750 1000 1500; do
      printf ' | %.3f' "$(grep "\"step\":$step," "$run/metrics.jsonl" | grep -o '"validation_accuracy":[0-9.e-]*' | cut -d: -f2)"
    done
    echo ' |'
  done
done
