#!/usr/bin/env bash
# faults.sh: every fault at every request of every kind of upload, and every fallible call of the programs failing in
# each of its ways; the figures go to tests/ledger/faults.json. `make test` runs a part of the same.
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
export COS_SLICE_EVERY_FAULT=1
cargo test --locked --package cos-slice --features cli --test faults --test torture -- --nocapture | tee "$log"

# Figures of the same name are parts of one.
mapfile -t figures < <(sed -n 's/^.*figure \([a-z.]*\)=\([0-9]*\)$/\1 \2/p' "$log" |
    awk '{ sum[$1] += $2 } END { for (name in sum) print name "=" sum[name] }' | sort)
if [ "${#figures[@]}" != 3 ]; then
    echo "faults.sh: not the figures that were expected: ${figures[*]}" >&2
    exit 1
fi
mkdir -p tests/ledger
cargo run --locked --quiet --package cos-slice-ledger -- add tests/ledger/faults.json "${figures[@]}"
