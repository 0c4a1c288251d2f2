#!/usr/bin/env bash
# The kernels on other drivers: all samples of all operations under Oclgrind's memory and race checks, and on Intel's
# CPU runtime (from PyPI, installed into .build/intel).
# Oclgrind 21.10's check for uninitialized values is left out: it crashes on shuffles and reports fills as unwritten.
#   Scripts/drivers.sh [oclgrind|intel]     both without an argument
set -euo pipefail
cd "$(dirname "$0")/.."

Scripts/setup.sh --checks
swift build -c release --product nibble
nibble=$PWD/.build/release/nibble
which=${1:-both}

check_oclgrind() {
  local vendors=.build/oclgrind-vendors
  mkdir -p "$vendors"
  local library
  library=$(dpkg -L oclgrind | grep 'liboclgrind-rt-icd.so$' | head -1)
  echo "$library" > "$vendors/oclgrind.icd"
  local log=.build/oclgrind.log
  rm -f "$log"
  echo "== Oclgrind: memory and data races"
  OCL_ICD_VENDORS=$PWD/$vendors OCLGRIND_DATA_RACES=1 OCLGRIND_LOG=$log NIBBLE_CACHE=off \
    "$nibble" verify --device oclgrind:0 --quiet
  if [ -s "$log" ]; then
    echo "error: Oclgrind found problems" >&2
    sort "$log" | uniq -c | sort -rn | head -40 >&2
    exit 1
  fi
  echo "Oclgrind: no messages"
}

check_intel() {
  local environment=.build/intel
  if [ ! -d "$environment/vendors" ]; then
    python3 -m venv "$environment"
    "$environment/bin/pip" install -q intel-opencl-rt intel-cmplr-lib-rt
    mkdir -p "$environment/vendors"
    find "$PWD/$environment" -name libintelocl.so | head -1 > "$environment/vendors/intel.icd"
  fi
  local libraries
  libraries=$(dirname "$(cat "$environment/vendors/intel.icd")")
  echo "== Intel's CPU runtime"
  OCL_ICD_VENDORS=$PWD/$environment/vendors LD_LIBRARY_PATH=$libraries:${LD_LIBRARY_PATH:-} \
    "$nibble" verify --device intel:0
}

case $which in
  oclgrind) check_oclgrind ;;
  intel) check_intel ;;
  both) check_oclgrind; check_intel ;;
  *) echo "usage: Scripts/drivers.sh [oclgrind|intel]" >&2; exit 2 ;;
esac
