#!/usr/bin/env bash
# tsan.sh EMULATOR [TESTS…]: the C programs with threads and the engine's tests under ThreadSanitizer.
#
# The tests are those that are about threads, or those named: "engine:: cancel:: faults:: resume::" are all, and take minutes.
#
# All of the Rust side is instrumented, its standard library too: left out, its locks would be invisible and every use of
# them a race. That takes the standard library's source and a compiler of the same version, and a clang whose runtime
# fits: see compilers.sh, which exits with 3 where they are not to be had.
#
# Two programs with a race, one in C and one in Rust, show first that it would be found.
set -euo pipefail
cd "$(dirname "$0")/.."

emulator=${1:?usage: tsan.sh EMULATOR [TESTS...]}
shift
tests=("${@:-engine::}")
[ $# -gt 0 ] || tests+=(cancel::)
triple=x86_64-unknown-linux-gnu
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/tsan
toolchain=$(scripts/compilers.sh)
"$toolchain/rustc" --version

# The variable lets a stable compiler use what is not part of stable Rust; a target that is named keeps the sanitizer out of
# build scripts and macros. The runtime is clang's for Rust and C alike: there can be only one in a process.
cargo_with_tsan() {
    RUSTC="$toolchain/rustc" RUSTC_BOOTSTRAP=1 \
        RUSTFLAGS="-Zsanitizer=thread -Zexternal-clangrt -Clink-arg=-fsanitize=thread" \
        CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER="$toolchain/clang" \
        cargo "$1" --locked --package cos-slice -Zbuild-std --target "$triple" --target-dir "$target/build" "${@:2}"
}

options="halt_on_error=1 exitcode=66 external_symbolizer_path=$(command -v addr2line)"
export TSAN_OPTIONS="$options suppressions=$PWD/scripts/tsan.supp"
cargo_with_tsan build --lib
library=$target/build/$triple/debug

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$library/libcos_slice.so" "$folder/libcos_slice.so.0"
export CC=$toolchain/clang CFLAGS='-g -fsanitize=thread'

must_find() { # must_find PLACE STATEMENTS: two threads that do this are reported, with a stack that names the place
    echo "#include <pthread.h>
#include <cos_slice.h>
static cos_slice_upload *upload;
static cos_slice_progress progress;
static void *race(void *unused) { $2 return unused; }
int main(void) {
    pthread_t other;
    upload = cos_slice_upload_new(NULL, \"bucket\", \"path\");
    progress.struct_size = sizeof progress;
    pthread_create(&other, NULL, race, NULL);
    race(NULL);
    pthread_join(other, NULL);
    cos_slice_upload_free(upload);
    return 0;
}" >"$folder/race.c"
    # The flags are meant to be split.
    # shellcheck disable=SC2086
    "$CC" $CFLAGS -Iinclude "$folder/race.c" "$library/libcos_slice.so" -Wl,-rpath,"$folder" -o "$folder/race"
    if "$folder/race" >"$folder/report" 2>&1 || ! grep -q 'ThreadSanitizer: data race' "$folder/report" ||
        ! grep -q "$1" "$folder/report"; then
        cat "$folder/report" >&2
        echo "tsan.sh: a race was not found in $1" >&2
        exit 1
    fi
}
must_find 'race\.c' 'progress.phase++;'
must_find 'ffi/progress\.rs' 'cos_slice_upload_progress(upload, &progress);'

echo "tsan.sh: the C programs"
PROGRAMS='callbacks signers threads rates frees many signals' tests/capi/run.sh "$library" "$emulator"
echo "tsan.sh: the engine's tests"
cargo_with_tsan test --lib --test engine -- "${tests[@]}"
