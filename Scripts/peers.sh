#!/usr/bin/env bash
# PyTorch beside Nibble, one after the other, nobody else running: training steps of the five configurations, fused
# attention, and the recurrences of linear mixers in their chunked forms. PYTHON names an interpreter that has torch;
# DEVICE ours.
#   Scripts/peers.sh [train|compile|attention|linear]     train, attention and linear without an argument
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
device=${DEVICE:-pocl:0}
"$python" -c 'import torch' 2>/dev/null || {
  echo "error: $python has no torch" >&2
  echo "  hint: python3 -m venv .build/torch && .build/torch/bin/pip install torch numpy; PYTHON=.build/torch/bin/python" >&2
  exit 2
}
Scripts/setup.sh
swift build -c release --product nibble
threads=$(nproc)
peer() { "$python" Scripts/peers/torch_peer.py "$@" --threads "$threads"; }
ours() { .build/release/nibble bench "$@" --device "$device" --threads "$threads" --quiet; }

train() {
  local mode=$1 config
  shift
  for config in "$@"; do
    peer train "$config" --mode "$mode"
    ours train --config "$config" --steps 7
  done
}

attention() {
  local time width
  for width in 64 128; do
    for time in 512 1024 2048 4096; do
      peer attention --time $time --width $width
      ours attention --time $time --width $width --pass forward,backward
    done
  done
  peer attention --time 4096 --window 256
  ours attention --time 4096 --window 256 --pass forward,backward
}

linear() {
  "$python" Scripts/peers/linear_attention.py --nibble .build/release/nibble --device "$device" --threads "$threads"
}

for part in ${*:-train attention linear}; do
  case $part in
    train) train eager tiny small base gpt2 long ;;
    compile) train compile tiny small base ;;
    attention) attention ;;
    linear) linear ;;
    *) echo "error: '$part' is none of train, compile, attention, linear" >&2; exit 2 ;;
  esac
done
