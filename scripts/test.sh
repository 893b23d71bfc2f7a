#!/usr/bin/env bash
# test.sh: everything that must pass, in stages; ends with each stage's time. Stops at the first stage that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

built=$(realpath -m "${CARGO_TARGET_DIR:-target}")/release
emulator=$built/cos-emulator
# What would make a second compilation faster takes more disk than all the rest, and there is none here.
export CARGO_INCREMENTAL=0
summary=()
# Their compilers come from an archive that moves on; of what a slice costs, the instructions are one compiler's.
may_be_missing='oldest Rust|what a slice costs|C programs and engine under ThreadSanitizer|Apple platforms compile'

stage() { # stage NAME COMMAND…
    local name=$1 began=$SECONDS
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    local status=0
    "$@" || status=$?
    if [ "$status" = 3 ] && [[ "|$may_be_missing|" = *"|$name|"* ]]; then
        summary+=("NOT CHECKED  $name: what it needs is not to be had, see above")
    elif [ "$status" != 0 ]; then
        printf '\nFAILED: %s\n' "$name" >&2
        exit 1
    else
        summary+=("$(printf 'ok  %4d s  %s' "$((SECONDS - began))" "$name")")
        printf '%s\n' "${summary[-1]}"
    fi
}

memcheck() {
    local link
    for link in shared static; do
        echo "$link"
        LINK=$link tests/capi/run.sh "$built/lib" "$emulator" \
            valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,possible || return 1
    done
}

stage 'tools' scripts/need.sh test
# Here, since it is better missed now than after everything else.
stage 'a Swift' scripts/swift-env.sh setup
stage 'shell scripts' scripts/shell.sh
stage 'format' cargo fmt --all --check
stage 'lints, with the command' cargo clippy --locked --workspace --all-targets --features cos-slice/cli -- -D warnings
stage 'lints, the library alone' cargo clippy --locked --package cos-slice --all-targets -- -D warnings
# More threads than processors: most of the tests' time is waiting.
stage 'tests' env RUST_TEST_THREADS=4 cargo test --locked --workspace --features cos-slice/cli
stage 'header' cargo run --locked --quiet --package cos-slice-header -- --check
stage 'figures' cargo run --locked --quiet --package cos-slice-ledger -- page --check docs/testing.md tests/ledger
stage 'documentation' env RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --lib
stage 'a gibibyte in little memory' cargo test --locked --release --features cli --test large -- --nocapture
stage 'what a slice costs' scripts/costs.sh check
stage 'release build' make --no-print-directory build
stage 'install' make --no-print-directory install PREFIX="$PWD/build/stage"
stage 'what is installed' scripts/install-test.sh
stage 'ABI' scripts/abi.sh
stage 'C' scripts/c.sh
stage 'C examples under valgrind' cargo test --locked --release --features cli --test examples under_valgrind
stage 'C++' scripts/cpp.sh
stage 'Go' scripts/go.sh
stage 'Swift' scripts/swift.sh
stage 'conformance' scripts/conformance.sh
stage 'measuring works' scripts/bench.sh --smoke --rounds 1
stage 'kill -9' cargo run --locked --release --package cos-slice-kill -- --kills 30
stage 'C programs under valgrind' memcheck
stage 'C programs under AddressSanitizer' scripts/asan.sh "$emulator"
stage 'C programs and engine under ThreadSanitizer' scripts/tsan.sh "$emulator"
stage 'Apple package' scripts/check-apple-package.sh
stage 'Apple platforms compile' scripts/check-apple.sh
stage 'oldest Rust' scripts/msrv.sh

printf '\n%s\n' "done in $SECONDS s"
printf '%s\n' "${summary[@]}"
