#!/usr/bin/env bash
# The README's speed table: training steps of the five reference configurations on every device, nobody else running, with
# quartiles, the share of the sgemm peak, the first step and the peak memory. Scripts/peers.sh is PyTorch's side.
# `nibble bench train --config NAME --json` gives all samples and where the time goes.
set -euo pipefail
cd "$(dirname "$0")/.."

Scripts/setup.sh
swift build -c release --product nibble
for config in tiny small base gpt2 long; do
  for device in ${*:-pocl:0 cpu}; do
    .build/release/nibble bench train --config "$config" --device "$device" --steps 7 --quiet
  done
done
