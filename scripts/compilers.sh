#!/usr/bin/env bash
# compilers.sh: a Rust compiler with its standard library's source, and a clang and a linker, for what the machine's own
# compilers can't do: ThreadSanitizer, and other systems. Prints the folder that has rustc, clang and ld64.lld.
#
# They are Debian 12's, unpacked under target/ without being installed; NO_INSTALL=1 forbids that download. Where they are
# not to be had this says so and exits with 3, which is neither checked nor wrong.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(realpath -m "${CARGO_TARGET_DIR:-target}")/compilers
rust_version='1.96.0+dfsg1-1~deb12u2'
rust_llvm_version='1:22.1.8-1~deb12u1'
clang_version='1:19.1.7-3~deb12u1'
packages=(
    "rustc-web=$rust_version" "libstd-rust-web-dev=$rust_version" "libstd-rust-web-1.96=$rust_version"
    "rust-web-src=$rust_version" "libllvm22=$rust_llvm_version"
    "clang-19=$clang_version" "libclang-cpp19=$clang_version" "libclang-common-19-dev=$clang_version"
    "libclang-rt-19-dev=$clang_version" "lld-19=$clang_version" "libllvm19=$clang_version"
)

not_to_be_had() {
    echo "compilers.sh: $1" >&2
    exit 3
}

unpack() {
    [ "$(uname -m)" = x86_64 ] || not_to_be_had 'only x86-64 is arranged for'
    [ -z "${NO_INSTALL:-}" ] || not_to_be_had 'the compilers are not there, and NO_INSTALL forbids to fetch them'
    command -v apt-get >/dev/null || not_to_be_had "the compilers come from Debian 12's archive, and there is no apt-get"
    echo "compilers.sh: unpacking Debian's rustc-web and clang-19 under $folder" >&2
    local packed=$folder.packages package
    rm -rf "$folder" "$packed"
    mkdir -p "$folder" "$packed"
    [ "$(id -u)" != 0 ] || apt-get update -qq >&2 || true
    # As root apt-get would fetch as another user, who may not write here.
    (cd "$packed" && apt-get -o APT::Sandbox::User="$(id -un)" download -qq "${packages[@]}" >&2) || {
        rm -rf "$folder" "$packed"
        not_to_be_had "the archive has no ${packages[*]}"
    }
    for package in "$packed"/*.deb; do dpkg-deb -x "$package" "$folder"; done
    rm -rf "$packed"
    wrap rustc usr/bin/rustc
    wrap clang usr/lib/llvm-19/bin/clang
    wrap ld64.lld usr/lib/llvm-19/bin/ld64.lld
    echo "${packages[*]}" >"$folder/complete"
}

wrap() { # wrap NAME PROGRAM: a script that runs it with the libraries unpacked beside it
    printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' \
        "$folder/usr/lib/$(uname -m)-linux-gnu" "$folder/$2" >"$folder/$1"
    chmod +x "$folder/$1"
}

[ "$(cat "$folder/complete" 2>/dev/null)" = "${packages[*]}" ] || unpack
printf '%s\n' "$folder"
