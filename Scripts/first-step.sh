#!/usr/bin/env bash
# Seconds from the start of `nibble train` to the first finished step of tiny: with no kernel built, and with all of them.
#   Scripts/first-step.sh [DEVICE] [REPETITIONS]     pocl:0 and 3 by default
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

Scripts/setup.sh
swift build -c release --product nibble
nibble=$PWD/.build/release/nibble
device=${1:-pocl:0}
repetitions=${2:-3}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Prints the seconds; the program's own cache and PoCL's are in the folder given.
first_step() {
  local start=$EPOCHREALTIME end=
  rm -rf "$folder/run"
  while read -r line; do
    case $line in *step=1/2*) [ -n "$end" ] || end=$EPOCHREALTIME ;; esac
  done < <(
    NIBBLE_CACHE=$1 POCL_CACHE_DIR=$1/pocl "$nibble" train preset=tiny data.path=embedded steps=2 log.every=1 \
      evaluation.every=0 checkpoint.every=0 --device "$device" --output "$folder/run" --no-progress 2>&1)
  [ -n "$end" ] || { echo "no step was finished on $device" >&2; return 1; }
  echo "$start $end" | awk '{ printf "%.2f s\n", $2 - $1 }'
}

for ((i = 1; i <= repetitions; i++)); do
  mkdir -p "$folder/$i/pocl"
  echo "cold: $(first_step "$folder/$i")"
  echo "warm: $(first_step "$folder/$i")"
done
