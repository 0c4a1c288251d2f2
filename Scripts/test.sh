#!/usr/bin/env bash
# All tests, in release mode: numerical code is 100 times slower without optimization.
#   Scripts/test.sh          the suite
#   Scripts/test.sh --long   also the tests that take long
set -euo pipefail
cd "$(dirname "$0")/.."

Scripts/setup.sh
[ "${1:-}" = --long ] && export NIBBLE_LONG_TESTS=1
export NIBBLE_CACHE="${NIBBLE_CACHE:-$PWD/.build/kernel-cache}"
export NIBBLE_TUNING=off
swift format lint --strict --recursive Package.swift Sources Tests
# Tests see internals: optimized modules allow that only when asked.
swift build -c release --build-tests -Xswiftc -enable-testing
swift test -c release -Xswiftc -enable-testing --skip-build
