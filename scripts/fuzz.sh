#!/usr/bin/env bash
# fuzz.sh SECONDS [TARGET…]: libFuzzer on each target, all of them if none is named, for so many seconds each.
# fuzz.sh keep [TARGET…]: makes the corpora in fuzz/corpus anew out of what runs found since; of the smallest inputs that
# together reach as much, at most 200, and of those that are named found-… all.
#
# What runs find is kept in target/fuzz/corpus, the input of a crash in fuzz/artifacts. Executions go to the ledger.
set -euo pipefail
cd "$(dirname "$0")/.."

task=${1:?usage: fuzz.sh SECONDS|keep [TARGET…]}
shift
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    for program in fuzz/fuzz_targets/*.rs; do targets+=("$(basename "$program" .rs)"); done
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "fuzz.sh: cargo-fuzz is needed; run: cargo install cargo-fuzz --locked" >&2
    exit 1
fi

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/fuzz
triple=$(rustc -vV | sed -n 's/^host: //p')
# Coverage and sanitizers are not part of stable Rust; the variable lets the stable compiler use them nonetheless.
RUSTC_BOOTSTRAP=1 cargo fuzz build --target-dir "$target"
unset CARGO_TARGET_DIR
# Some targets write small files for each input, which needn't reach a disk.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm

run() { # run TARGET
    local name=$1 log=$target/$1.log options=(-max_total_time="$task" -rss_limit_mb=2048 -timeout=60 -print_final_stats=1)
    local dictionary=fuzz/dictionaries/$name.dict
    [ ! -e "$dictionary" ] || options+=(-dict="$dictionary")
    mkdir -p "$target/corpus/$name" "fuzz/artifacts/$name"
    echo "fuzz.sh: $name for $task s, see $log"
    if ! "$target/$triple/release/$name" "${options[@]}" -artifact_prefix="fuzz/artifacts/$name/" \
        "$target/corpus/$name" "fuzz/corpus/$name" >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        echo "fuzz.sh: $name found a defect; its input is in fuzz/artifacts/$name" >&2
        return 1
    fi
    local executions seconds
    read -r executions seconds < <(sed -n 's/^Done \([0-9]*\) runs in \([0-9]*\) second.*/\1 \2/p' "$log")
    mkdir -p tests/ledger
    # Two runs may end at the same time, and a ledger has one writer.
    flock "$target" cargo run --locked --quiet --target-dir "$target/.." --package cos-slice-ledger -- \
        add tests/ledger/fuzz.json "$name.executions=$executions" "$name.seconds=$seconds"
    echo "fuzz.sh: $name: $executions executions in $seconds s, nothing found"
}

keep() { # keep TARGET
    local name=$1 corpus=fuzz/corpus/$1 merged kept=0
    merged=$(mktemp -d)
    mkdir -p "$target/corpus/$name"
    "$target/$triple/release/$name" -set_cover_merge=1 "$merged" "$corpus" "$target/corpus/$name" >"$target/$name.log" 2>&1
    find "$corpus" -type f ! -name 'found-*' -delete
    while read -r input; do
        cp "$merged/$input" "$corpus"
        kept=$((kept + 1))
    done < <(find "$merged" -type f -printf '%s %f\n' | sort -n | head -n 200 | cut -d' ' -f2)
    rm -rf "$merged"
    echo "fuzz.sh: $name keeps $kept inputs, $(du -sb --apparent-size "$corpus" | cut -f1) bytes"
}

for name in "${targets[@]}"; do
    if [ "$task" = keep ]; then keep "$name"; else run "$name"; fi
done
