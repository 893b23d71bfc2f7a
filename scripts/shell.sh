#!/usr/bin/env bash
# shell.sh: has shellcheck look at every shell script.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t scripts < <(grep -rlE '^#!.*[/ ](ba)?sh$' .ci bindings scripts tests | LC_ALL=C sort)
[ "${#scripts[@]}" -ge 20 ] || { echo "shell.sh: only ${#scripts[@]} scripts were found" >&2; exit 1; }
shellcheck --external-sources "${scripts[@]}"
