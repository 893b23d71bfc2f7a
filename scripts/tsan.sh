#!/usr/bin/env bash
# tsan.sh EMULATOR [TESTS…]: the C programs with threads and the engine's tests under ThreadSanitizer.
#
# The tests are those that are about threads, or those named: "engine:: cancel:: faults:: resume::" are all, and take minutes.
#
# All of the Rust side is instrumented, its standard library too: left out, its locks would be invisible and every use of
# them a race. That takes the standard library's source and a compiler of the same version; both, and a clang whose
# runtime fits, are Debian 12's, unpacked under target/ without being installed. NO_INSTALL=1 forbids that download. Where
# they are not to be had this says so and exits with 3, which is neither checked nor wrong.
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
toolchain=$target/toolchain
rust_version='1.96.0+dfsg1-1~deb12u2'
llvm_version='1:22.1.8-1~deb12u1'
clang_version='1:19.1.7-3~deb12u1'
versions="$rust_version $llvm_version $clang_version"
packages=(
    {rustc-web,libstd-rust-web-dev,libstd-rust-web-1.96,rust-web-src}="$rust_version"
    libllvm22="$llvm_version"
    {clang-19,libclang-cpp19,libclang-common-19-dev,libclang-rt-19-dev,libllvm19}="$clang_version"
)

not_to_be_had() {
    echo "tsan.sh: $1" >&2
    exit 3
}

unpack_compilers() {
    [ "$(uname -m)" = x86_64 ] || not_to_be_had 'only x86-64 is arranged for'
    [ -z "${NO_INSTALL:-}" ] || not_to_be_had 'the compilers are not there, and NO_INSTALL forbids to fetch them'
    command -v apt-get >/dev/null || not_to_be_had "the compilers come from Debian 12's archive, and there is no apt-get"
    echo "tsan.sh: unpacking Debian's rustc-web and clang-19 under $toolchain"
    local folder=$target/packages package
    rm -rf "$toolchain" "$folder"
    mkdir -p "$toolchain" "$folder"
    [ "$(id -u)" != 0 ] || apt-get update -qq || true
    # As root apt-get would fetch as another user, who may not write here.
    (cd "$folder" && apt-get -o APT::Sandbox::User="$(id -un)" download -qq "${packages[@]}") || {
        rm -rf "$toolchain"
        not_to_be_had "the archive has no $versions"
    }
    for package in "$folder"/*.deb; do dpkg-deb -x "$package" "$toolchain"; done
    rm -rf "$folder"
    wrap rustc "$toolchain/usr/bin/rustc"
    wrap clang "$toolchain/usr/lib/llvm-19/bin/clang"
    echo "$versions" >"$toolchain/complete"
}

wrap() { # wrap NAME PROGRAM: a script that runs it with the libraries unpacked beside it
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$toolchain/usr/lib/$(uname -m)-linux-gnu" "$2" >"$toolchain/$1"
    chmod +x "$toolchain/$1"
}

[ "$(cat "$toolchain/complete" 2>/dev/null)" = "$versions" ] || unpack_compilers
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
PROGRAMS='callbacks signers threads frees many signals' tests/capi/run.sh "$library" "$emulator"
echo "tsan.sh: the engine's tests"
cargo_with_tsan test --lib --test engine -- "${tests[@]}"
