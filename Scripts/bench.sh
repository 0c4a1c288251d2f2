#!/usr/bin/env bash
# The README's kernel tables, nobody else running; every row has its quartiles. Arguments: devices, all at once.
# Intel's CPU runtime is measured, too, where Scripts/drivers.sh --install-intel has put it.
set -euo pipefail
cd "$(dirname "$0")/.."

Scripts/setup.sh
swift build -c release --product nibble
# In turns with OpenBLAS both threads of PoCL may end up on one processor: each keeps its own.
export POCL_AFFINITY=${POCL_AFFINITY:-1}
devices=$(IFS=,; echo "${*:-pocl:0}")
bench() { .build/release/nibble bench "$@"; }

# OpenBLAS by its AVX2 kernels and by its AVX-512 kernels, where the processor has them.
cores=(Haswell)
grep -q avx512f /proc/cpuinfo && cores+=(SkylakeX)
for core in "${cores[@]}"; do
  OPENBLAS_CORETYPE=$core bench matmul --shapes all --devices "$devices"
done
if [ -s .build/intel/vendors/intel.icd ]; then
  libraries=$(dirname "$(cat .build/intel/vendors/intel.icd)")
  # OpenBLAS's threads that wait for work by turning would share a processor with Intel's: they sleep after 16 cycles.
  OPENBLAS_THREAD_TIMEOUT=4 OCL_ICD_VENDORS=$PWD/.build/intel/vendors LD_LIBRARY_PATH=$libraries:${LD_LIBRARY_PATH:-} \
    OPENBLAS_CORETYPE=Haswell bench matmul --shapes all --device intel:0
fi
bench attention --time 512-4096*2 --width 64,128 --heads 8 --devices "$devices"
bench attention --time 4096 --window 256 --devices "$devices"
bench linear-attention --time 1024-16384*4 --devices "$devices"
bench norm --rows 65536 --dim 1024 --devices "$devices"
bench optimizer --parameters 32000000 --devices "$devices"
bench copy --devices "$devices"
bench launch --devices "$devices"
bench decode --config tiny,small,base --context 256 --devices "$devices"
# Memory against time: one layer, its tensors in the last line of each.
for time in 4096 8192 16384; do
  bench train --config long layers=1 time=$time batch=1 --steps 1 --device "${devices%%,*}" --quiet
done
