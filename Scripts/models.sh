# shellcheck shell=bash
# What Scripts/mixers.sh and Scripts/recall.sh share; they source it. A script defines `models`, which prints a line
# "NAME WORD..." per model, and calls `prepare`.

# Sets `names` to the names given, or to every model's, `nibble` to the program, built here unless NIBBLE names one, and
# `options` to those of its calls.
prepare() {
  names=("$@")
  [ $# -gt 0 ] || mapfile -t names < <(models | cut -d' ' -f1)
  local name
  for name in "${names[@]}"; do
    [ -n "$(words "$name")" ] || { echo "error: no model '$name' in $0" >&2; exit 2; }
  done
  nibble=${NIBBLE:-.build/release/nibble}
  [ -n "${NIBBLE:-}" ] || swift build -c release --product nibble >&2
  options=(--quiet)
  [ -z "${DEVICE:-}" ] || options+=(--device "$DEVICE")
  [ -z "${THREADS:-}" ] || options+=(--threads "$THREADS")
}

# Prints a model's words.
words() { models | sed -n "s/^$1 //p"; }
