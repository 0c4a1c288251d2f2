#!/usr/bin/env bash
# Installs what Nibble needs from Debian, when it is missing. Swift itself must be there.
set -euo pipefail

packages=(ocl-icd-opencl-dev opencl-headers pocl-opencl-icd libopenblas-dev pkg-config)
[ "${1:-}" = --checks ] && packages+=(oclgrind python3-venv)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "error: please run as root: apt-get install ${missing[*]}" >&2; exit 2; }
    root=(sudo)
  fi
  "${root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq "${missing[@]}" >/dev/null
fi

if ! command -v swift >/dev/null; then
  echo "error: no 'swift' on the PATH" >&2
  echo "  hint: install a Swift 6.2 or newer toolchain for Debian 12" >&2
  exit 2
fi
