#!/usr/bin/env bash
# Training speed over length: models of 4 layers, 256 wide, with each mixer, the same tokens per step at every length, nobody
# else running. Keeps every row in bench/lengths and draws docs/lengths.svg, the picture of the README.
#   DEVICE=pocl:0 Scripts/lengths.sh [MIXER...]
set -euo pipefail
cd "$(dirname "$0")/.."

Scripts/setup.sh
swift build -c release --product nibble
device=${DEVICE:-pocl:0}
mixers=("$@")
[ ${#mixers[@]} -gt 0 ] || mixers=(attention retention gated_linear gated_delta)
results=bench/lengths
names=()
# The lengths of a mixer one right after the other: a machine's speed drifts over the minutes that all of it takes.
for mixer in "${mixers[@]}"; do
  for time in 1024 4096 16384 65536; do
    # Softmax attention over 65,536 tokens takes minutes for a step: its curve ends before.
    [ "$mixer" = attention ] && [ "$time" -gt 16384 ] && continue
    names+=("$mixer-$time")
    .build/release/nibble bench train --config long time=$time batch=$((65536 / time)) "mixer.kind=$mixer" \
      --device "$device" --steps "${STEPS:-3}" --save "$mixer-$time" --results $results --overwrite --quiet
  done
done
.build/release/nibble bench curve "${names[@]}" --results $results --over time --series mixer \
  --title "Training, 4 layers of width 256, 65,536 tokens a step" --output docs/lengths.svg --overwrite
