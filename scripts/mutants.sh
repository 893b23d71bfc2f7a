#!/usr/bin/env bash
# mutants.sh [ROOM [K/N]]: changes the pure rooms, protocol and upload, at each place where it matters, and sees whether a test
# notices; of the mutants of a room all, or the K-th of N parts.
#
# It works in a copy that is these two rooms and their tests alone, so that a mutant is built in seconds.
# What no test noticed is listed at the end; figures go to the ledger.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo mutants --version >/dev/null 2>&1; then
    echo "mutants.sh: cargo-mutants is needed; run: cargo install cargo-mutants --locked" >&2
    exit 1
fi

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
copy=$target/mutants/cos-slice
rm -rf "$copy"
mkdir -p "$copy/src" "$copy/tests" "$copy/.cargo"
cp -r src/protocol src/upload "$copy/src"
cp -r tests/support tests/vectors tests/decisions tests/simulation "$copy/tests"
cp .cargo/mutants.toml "$copy/.cargo"
cp Cargo.lock "$copy"
printf 'pub mod protocol;\npub mod upload;\n' >"$copy/src/lib.rs"
{
    printf '[package]\nname = "cos-slice"\nversion = "0.1.0"\nedition = "2024"\n\n'
    printf '[profile.dev]\ndebug = false\n\n[profile.dev.package."*"]\nopt-level = 2\n\n[dependencies]\n'
    grep -E '^(base64|hmac|httpdate|percent-encoding|serde|serde_json|sha1|zeroize) ' Cargo.toml
    printf '\n[dev-dependencies]\n'
    grep -E '^proptest ' Cargo.toml
} >"$copy/Cargo.toml"

status=0
examine() { # examine ROOM OTHER TEST…: the mutants of a room and not of the other, against its unit tests and these
    local room=$1 other=$2 results=$target/mutants/$1 arguments=() test
    shift 2
    for test in "$@"; do arguments+=(--test "$test"); done
    mkdir -p "$results"
    (
        cd "$copy"
        export CARGO_TARGET_DIR=$target/mutants/build
        SIMULATION_SEEDS=500 PROPTEST_CASES=64 cargo mutants --in-place --colors never \
            --exclude "src/$other/**" ${part:+--shard "$part"} --output "$results" --minimum-test-timeout 30 \
            -- --offline --lib "${arguments[@]}"
    ) || status=$?
    # 2 and 3: mutants were missed, or timed out, which the lists tell.
    case $status in 0 | 2 | 3) ;; *) exit "$status" ;; esac
    local outcome figures=()
    for outcome in caught missed timeout unviable; do
        figures+=("$room.$outcome=$(wc -l <"$results/mutants.out/$outcome.txt")")
    done
    cargo run --locked --quiet --package cos-slice-ledger -- add tests/ledger/mutants.json "${figures[@]}"
    echo "mutants.sh: ${figures[*]}"
    cat "$results/mutants.out/missed.txt"
}

room=${1:-}
part=${2:-}
[ "$room" = upload ] || examine protocol upload vectors
[ "$room" = protocol ] || examine upload protocol decisions simulation
exit "$status"
