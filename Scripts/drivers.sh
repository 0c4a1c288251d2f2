#!/usr/bin/env bash
# The kernels on other drivers: all samples of all operations, in both kernel styles, under Oclgrind's memory and race
# checks, and on Intel's CPU runtime (from PyPI, installed into .build/intel).
# Oclgrind 21.10's check for uninitialized values is left out: it crashes on shuffles and reports fills as unwritten.
#   Scripts/drivers.sh [oclgrind|intel]     both without an argument
#   Scripts/drivers.sh --install-intel      only installs Intel's runtime
set -euo pipefail
cd "$(dirname "$0")/.."

which=${1:-both}

check_oclgrind() {
  local vendors=.build/oclgrind-vendors
  mkdir -p "$vendors"
  local library
  library=$(dpkg -L oclgrind | grep 'liboclgrind-rt-icd.so$' | head -1)
  echo "$library" > "$vendors/oclgrind.icd"
  local style
  for style in processor graphics; do
    local log=.build/oclgrind-$style.log
    rm -f "$log"
    echo "== Oclgrind: memory and data races, $style kernels"
    OCL_ICD_VENDORS=$PWD/$vendors OCLGRIND_DATA_RACES=1 OCLGRIND_LOG=$log NIBBLE_CACHE=off NIBBLE_TUNING=off \
      NIBBLE_KERNEL_STYLE=$style "$nibble" verify --device oclgrind:0 --quiet
    if [ -s "$log" ]; then
      echo "error: Oclgrind found problems in $style kernels" >&2
      sort "$log" | uniq -c | sort -rn | head -40 >&2
      exit 1
    fi
    echo "Oclgrind: no messages"
  done
}

install_intel() {
  local environment=.build/intel
  [ -s "$environment/vendors/intel.icd" ] && return
  python3 -m venv "$environment"
  "$environment/bin/pip" install -q intel-opencl-rt intel-cmplr-lib-rt
  mkdir -p "$environment/vendors"
  find "$PWD/$environment" -name libintelocl.so | head -1 > "$environment/vendors/intel.icd"
}

check_intel() {
  install_intel
  local vendors=$PWD/.build/intel/vendors
  local libraries
  libraries=$(dirname "$(cat "$vendors/intel.icd")")
  local style
  for style in processor graphics; do
    echo "== Intel's CPU runtime, $style kernels"
    OCL_ICD_VENDORS=$vendors LD_LIBRARY_PATH=$libraries:${LD_LIBRARY_PATH:-} NIBBLE_TUNING=off \
      NIBBLE_KERNEL_STYLE=$style "$nibble" verify --device intel:0
  done
}

Scripts/setup.sh --checks
if [ "$which" = --install-intel ]; then
  install_intel
  exit
fi
swift build -c release --product nibble
nibble=$PWD/.build/release/nibble
case $which in
  oclgrind) check_oclgrind ;;
  intel) check_intel ;;
  both) check_oclgrind; check_intel ;;
  *) echo "usage: Scripts/drivers.sh [oclgrind|intel|--install-intel]" >&2; exit 2 ;;
esac
