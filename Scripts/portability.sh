#!/usr/bin/env bash
# Poor devices, imitated: small work-groups, little local memory, a small largest allocation, no half and no sub-groups,
# one by one and all at once, in both kernel styles, on PoCL and on Intel's CPU runtime.
#
# Each combination checks the operations and trains a small model for some steps. It passes, or it is refused with a
# message that says what does not fit and what to do; anything else fails the script.
# Limits are lowered by the driver's own variable where it honours one, otherwise by NIBBLE_LIMITS:
#   PoCL 3.1            POCL_MAX_WORK_GROUP_SIZE and POCL_MEMORY_LIMIT work; nothing lowers its local memory.
#   Intel 2026          CL_CONFIG_CPU_FORCE_LOCAL_MEM_SIZE and ..._MAX_MEM_ALLOC_SIZE work; ..._MAX_WORK_GROUP_SIZE does not.
#
#   Scripts/portability.sh [pocl|intel] [--quick]     both drivers without a name; --quick takes two samples per operation
set -euo pipefail
cd "$(dirname "$0")/.."

drivers=()
verify=()
for argument in "$@"; do
  case $argument in
    pocl | intel) drivers+=("$argument") ;;
    --quick) verify=(--quick) ;;
    *) echo "usage: Scripts/portability.sh [pocl|intel] [--quick]" >&2; exit 2 ;;
  esac
done
[ ${#drivers[@]} -gt 0 ] || drivers=(pocl intel)

swift build -c release --product nibble
nibble=$PWD/.build/release/nibble
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export NIBBLE_TUNING=off NIBBLE_CACHE=${NIBBLE_CACHE:-$PWD/.build/kernel-cache}
failures=0

# Device and environment of a driver.
enter() {
  device=$1:0
  [ "$1" = intel ] || return 0
  Scripts/drivers.sh --install-intel
  export OCL_ICD_VENDORS=$PWD/.build/intel/vendors
  LD_LIBRARY_PATH=$(dirname "$(cat .build/intel/vendors/intel.icd)"):${LD_LIBRARY_PATH:-}
  export LD_LIBRARY_PATH
}

# The value that the device reports under a name of `nibble devices --json`.
reported() {
  "$nibble" devices --json 2>/dev/null | tr '{' '\n' | grep "\"name\":\"$device\"" | grep -o "\"$1\":[0-9a-z]*" | cut -d: -f2
}

# verdict CODE LOG: passed, refused with a message, or failed.
verdict() {
  if [ "$1" = 0 ]; then
    echo passed
  elif grep -qE 'needs work-groups of|bytes of local memory|in one allocation|in one piece|does not fit|has no room' "$2" &&
    grep -q 'hint' "$2" && ! grep -qE 'finite difference|written outside|never written|other bits|is above' "$2"; then
    echo refused
  else
    echo FAILED
  fi
}

# combination NAME FIELD LARGEST VARIABLE...: FIELD of `nibble devices` must be at most LARGEST under the variables.
combination() {
  local name=$1 field=$2 largest=$3
  shift 3
  local value
  value=$(env "$@" bash -c "$(declare -f reported); nibble='$nibble' device='$device' reported $field")
  if ! { [ "$value" = "$largest" ] || [ "${value:-x}" -le "$largest" ]; } 2>/dev/null; then
    echo "error: $device reports $field $value under $*, not $largest" >&2
    failures=$((failures + 1))
    return
  fi
  local style
  for style in processor graphics; do
    local checked trained code=0
    env "$@" NIBBLE_KERNEL_STYLE=$style "$nibble" verify --device "$device" "${verify[@]}" >"$work/verify" 2>&1 || code=$?
    checked=$(verdict $code "$work/verify")
    code=0
    rm -rf "$work/run"
    env "$@" NIBBLE_KERNEL_STYLE=$style "$nibble" train --device "$device" --output "$work/run" data.path=embedded \
      model.layers=2 model.dimension=64 model.heads=2 model.context=64 batch.tokens=256 batch.micro=2 steps=4 \
      >"$work/train" 2>&1 || code=$?
    trained=$(verdict $code "$work/train")
    printf '%-8s %-22s %-10s verify %-8s train %s\n' "$device" "$name" "$style" "$checked" "$trained"
    report "$checked" "$work/verify"
    report "$trained" "$work/train"
  done
}

# report VERDICT LOG: why a combination did not pass.
report() {
  case $1 in
    passed) return ;;
    refused) grep -E 'needs|allows|has no room' "$2" | sed 's/^ *//; s/^error: //' | sort -u | sed 's/^/    /' >&2 ;;
    *)
      grep -vE '^passed|^step|^building' "$2" | sort | uniq -c | sort -rn | head -12 >&2
      failures=$((failures + 1))
      ;;
  esac
}

# A run whose weights do not fit must say so before its first step.
refusal() {
  local code=0
  env "$@" "$nibble" train --device "$device" --output "$work/refused" data.path=embedded model.layers=2 \
    model.dimension=256 model.heads=4 model.context=64 batch.tokens=256 batch.micro=2 steps=2 >"$work/train" 2>&1 || code=$?
  local outcome
  outcome=$(verdict $code "$work/train")
  printf '%-8s %-22s %-10s train %s\n' "$device" "weights over the limit" "" "$outcome"
  if [ "$outcome" != refused ] || [ -e "$work/refused/metrics.jsonl" ]; then
    echo "error: a run that does not fit was not refused before its first step" >&2
    cat "$work/train" >&2
    failures=$((failures + 1))
  fi
}

for driver in "${drivers[@]}"; do
  enter "$driver"
  if [ "$driver" = pocl ]; then
    groups=(POCL_MAX_WORK_GROUP_SIZE=64)
    local32=(NIBBLE_LIMITS=local_memory=32K)
    allocation=(POCL_MEMORY_LIMIT=1 NIBBLE_LIMITS=allocation=64M)
  else
    groups=(NIBBLE_LIMITS=work_group=64)
    local32=(CL_CONFIG_CPU_FORCE_LOCAL_MEM_SIZE=32KB)
    allocation=(CL_CONFIG_CPU_FORCE_MAX_MEM_ALLOC_SIZE=64MB)
  fi
  combination "work-groups of 64" largest_work_group 64 "${groups[@]}"
  combination "work-groups of 1" largest_work_group 1 NIBBLE_LIMITS=work_group=1
  combination "local memory 32 KiB" local_memory_bytes 32768 "${local32[@]}"
  combination "local memory 16 KiB" local_memory_bytes 16384 NIBBLE_LIMITS=local_memory=16K
  combination "allocation 64 MiB" largest_allocation_bytes 67108864 "${allocation[@]}"
  combination "no half" fp16 false NIBBLE_LIMITS=half=0
  combination "no sub-groups" subgroups false NIBBLE_LIMITS=subgroups=0
  combination "all at once" local_memory_bytes 32768 \
    NIBBLE_LIMITS=work_group=64,local_memory=32K,allocation=64M,memory=512M,half=0,subgroups=0
  refusal NIBBLE_LIMITS=allocation=1M
  refusal NIBBLE_LIMITS=memory=8M
done
if [ "$failures" -gt 0 ]; then
  echo "error: $failures combinations failed without a clear message" >&2
  exit 1
fi
