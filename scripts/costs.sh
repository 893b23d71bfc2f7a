#!/usr/bin/env bash
# costs.sh check|renew: what one slice costs in calls of the system, allocations and instructions, held against
# tests/costs/figures.json; or those figures anew. Exits with 3 where all but the instructions was compared: those of
# another compiler are others.
set -euo pipefail
cd "$(dirname "$0")/.."

action=${1:?usage: costs.sh check|renew}
if [ "$(uname -s)" != Linux ]; then
    echo 'costs.sh: calls are counted on Linux only' >&2
    exit 3
fi
scripts/need.sh test
exec cargo run --locked --quiet --release --package cos-slice-costs -- "$action" tests/costs/figures.json
