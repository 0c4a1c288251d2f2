#!/usr/bin/env bash
# The main job on a fresh machine: builds Nibble, trains a small model on the embedded corpus through OpenCL for about
# two minutes, evaluates it and lets it write.
set -euo pipefail
cd "$(dirname "$0")/.."

Scripts/setup.sh
swift build -c release --product nibble
nibble=.build/release/nibble
run=runs/first-run-$(date +%Y%m%d-%H%M%S)

"$nibble" train preset=first-run --minutes 2 --output "$run"
"$nibble" eval "$run" --split validation
"$nibble" generate "$run" --prompt "Once" --tokens 200 --temperature 0.7
