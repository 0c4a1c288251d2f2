#!/usr/bin/env bash
# The README's kernel tables, nobody else running: products of the five training configurations against OpenBLAS,
# attention against the product peak, norms and optimizers against the copy. Arguments: devices, all at once.
set -euo pipefail
cd "$(dirname "$0")/.."

Scripts/setup.sh
swift build -c release --product nibble
# In turns with OpenBLAS both threads of PoCL may end up on one processor: each keeps its own.
export POCL_AFFINITY=${POCL_AFFINITY:-1}
devices=$(IFS=,; echo "${*:-pocl:0}")
bench() { .build/release/nibble bench "$@" --devices "$devices"; }

bench matmul --shapes all
bench attention --time 512-4096*2 --width 64,128 --heads 8
bench norm --rows 65536 --dim 1024
bench optimizer --parameters 32000000
bench copy
bench launch
bench decode --config tiny,small,base --context 256
