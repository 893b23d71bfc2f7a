#!/usr/bin/env bash
# mutants.sh [ROOM [K/N]]: changes the pure rooms, protocol and upload, at each place where it may matter, one at a time, and
# sees whether a test notices. Of a room's mutants all, or the K-th of N parts.
#
# It works in a copy that has only these two rooms and their tests, so that a mutant is built in seconds. What no test
# noticed is listed at the end; figures go to the ledger.
set -euo pipefail
cd "$(dirname "$0")/.."

# Seeds of the simulation for each mutant; what 20,000 find and these don't is a mutant that is listed.
seeds=5000

if ! cargo mutants --version >/dev/null 2>&1; then
    echo "mutants.sh: cargo-mutants is needed; run: cargo install cargo-mutants --locked" >&2
    exit 1
fi
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")

copy_rooms() { # copy_rooms FOLDER TEST…
    rm -rf "$1"
    mkdir -p "$1/src" "$1/tests" "$1/tools" "$1/.cargo"
    cp -r src/protocol src/upload "$1/src"
    # The simulation can write a ledger.
    cp -r tools/ledger "$1/tools"
    cp -r tests/support "${@:2}" "$1/tests"
    cp .cargo/mutants.toml "$1/.cargo"
    cp Cargo.lock "$1"
    if [ -e "$1/tests/simulation" ]; then
        grep -q '^const SEEDS: u64 = ' "$1/tests/simulation/main.rs"
        sed -i "s/^const SEEDS: u64 = .*/const SEEDS: u64 = $seeds;/" "$1/tests/simulation/main.rs"
    fi
    printf 'pub mod protocol;\npub mod upload;\n' >"$1/src/lib.rs"
    {
        printf '[package]\nname = "cos-slice"\nversion = "0.1.0"\nedition = "2024"\n\n'
        printf '[profile.dev]\ndebug = false\n\n[profile.dev.package."*"]\nopt-level = 2\n\n[dependencies]\n'
        grep -E '^(base64|hmac|httpdate|md-5|percent-encoding|serde|serde_json|sha1|zeroize) ' Cargo.toml
        printf '\n[dev-dependencies]\n'
        grep -E '^(cos-slice-ledger|proptest) ' Cargo.toml
        printf '\n[workspace]\nmembers = ["tools/ledger"]\n\n'
        sed -n '/^\[workspace\.package\]/,/^$/p; /^\[workspace\.lints\.rust\]/,/^$/p' Cargo.toml
    } >"$1/Cargo.toml"
}

examine() { # examine ROOM OTHER TEST…: the mutants of a room and not of the other, against its unit tests and these
    local room=$1 other=$2 folder=$target/mutants/$1 tests=() status=0 outcome
    shift 2
    for outcome in "$@"; do tests+=(--test "$outcome"); done
    copy_rooms "$folder/cos-slice" "${@/#/tests/}"
    (
        cd "$folder/cos-slice" || exit 1
        CARGO_TARGET_DIR=$folder/build PROPTEST_CASES=64 cargo mutants --in-place --colors never \
            --exclude "src/$other/**" --exclude "tools/**" ${part:+--shard "$part"} --output "$folder" --minimum-test-timeout 10 \
            -- --offline --lib "${tests[@]}"
    ) || status=$?
    # 2 and 3: mutants were missed, or timed out; the lists have them.
    case $status in 0 | 2 | 3) ;; *) exit "$status" ;; esac
    for outcome in caught missed timeout unviable; do
        figures+=("$room.$outcome=$(wc -l <"$folder/mutants.out/$outcome.txt")")
    done
    missed+=("$folder/mutants.out/missed.txt")
}

figures=()
missed=()
room=${1:-all}
part=${2:-}
case $room in
    protocol) examine protocol upload vectors ;;
    upload) examine upload protocol decisions simulation ;;
    all)
        examine protocol upload vectors
        examine upload protocol decisions simulation
        ;;
    *)
        echo "mutants.sh: there is no room $room" >&2
        exit 2
        ;;
esac
cargo run --locked --quiet --package cos-slice-ledger -- add tests/ledger/mutants.json "${figures[@]}"
echo "mutants.sh: ${figures[*]}; no test noticed:"
cat "${missed[@]}"
