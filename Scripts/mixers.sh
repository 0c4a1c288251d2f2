#!/usr/bin/env bash
# Language modelling with every mixer: 4 layers, 256 wide, context 256, 4 M tokens of a text (tinyshakespeare in the README),
# the same batches, schedule and number of parameters (within 5 %: the MLP gives up what a mixer needs). Prints the loss over
# the whole last tenth of the text. Finished rows are kept in runs/mixers and not repeated; each takes minutes.
#   Scripts/mixers.sh TEXT [NAME...]        DEVICE and THREADS as wanted; STEPS=6 for a try, in a folder of its own
set -euo pipefail
cd "$(dirname "$0")/.."
text=${1:?usage: Scripts/mixers.sh TEXT [NAME...]}
shift

# NAME HIDDEN KEY=VALUE...: hybrids have a window of 64 in every third layer.
models() {
  cat <<'MODELS'
attention 688
hybrid 640 mixer.pattern=[gated_delta,gated_delta,sliding] model.window=64
gated_delta 624 mixer.kind=gated_delta
gated_delta_sigmoid 624 mixer.kind=gated_delta mixer.gate=sigmoid
delta 624 mixer.kind=delta
gated_linear 624 mixer.kind=gated_linear
scalar_gate 624 mixer.kind=scalar_gate
mamba2 720 mixer.kind=mamba2
rwkv7 576 mixer.kind=rwkv7
retention 624 mixer.kind=retention
lightning 624 mixer.kind=lightning
linear 624 mixer.kind=linear
hedgehog 576 mixer.kind=hedgehog
softmax 624 mixer.kind=softmax
diag_attention 624 mixer.kind=diag_attention
norm_attention 624 mixer.kind=norm_attention
s4d 816 mixer.kind=s4d
flow 624 mixer.kind=flow
MODELS
}

source Scripts/models.sh
prepare "$@"
runs=runs/mixers${STEPS:+-$STEPS}
mkdir -p "$runs"
for name in "${names[@]}"; do
  read -r hidden keys < <(words "$name")
  run=$runs/$name
  [ -s "$run.json" ] && continue
  if [ -d "$run" ]; then
    "$nibble" train "$run" "${options[@]}"
  else
    # shellcheck disable=SC2086
    "$nibble" train preset=shakespeare --data "$text" model.dimension=256 model.context=256 model.hidden="$hidden" \
      $keys batch.tokens=4096 batch.micro=16 steps="${STEPS:-977}" evaluation.every=500 --output "$run" "${options[@]}"
  fi
  "$nibble" eval "$run" --split validation --json "${options[@]}" > "$run.part"
  mv "$run.part" "$run.json"
  "$nibble" inspect "$run" --json --quiet > "$run.model.json"
done
field() { grep -o "\"$2\":[-0-9.e]*" "$1" | head -1 | cut -d: -f2; }
printf '| %-20s | %10s | %s |\n' mixer parameters 'nats per byte'
for name in "${names[@]}"; do
  run=$runs/$name
  printf '| %-20s | %10s | %.3f |\n' "$name" "$(field "$run.model.json" parameters)" "$(field "$run.json" loss)"
done | sort -t'|' -k4
