#!/usr/bin/env bash
# msrv.sh: library and command compile with the oldest Rust that Cargo.toml promises.
#
# Takes rustup's toolchain of that version if there is one, else the compiler of Debian 12 (package rustc-web),
# unpacked under target/ without being installed; NO_INSTALL=1 forbids that download. Debian's archive moves on: where it no
# longer has that version, this says so and exits with 3, which is neither checked nor wrong.
set -euo pipefail
cd "$(dirname "$0")/.."

msrv=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
toolchain=$target/msrv/toolchain
debian_version='1.85.0+dfsg3-1~deb12u3'

unpack_debian_compiler() {
    if [ "$msrv" != 1.85 ] || [ -n "${NO_INSTALL:-}" ] || ! command -v apt-get >/dev/null; then
        echo "msrv.sh: Rust $msrv is needed; run: rustup toolchain install $msrv" >&2
        exit 1
    fi
    echo "msrv.sh: unpacking Debian's rustc-web $debian_version under $target/msrv"
    local folder=$target/msrv/packages package
    rm -rf "$toolchain" "$folder"
    mkdir -p "$toolchain" "$folder"
    [ "$(id -u)" != 0 ] || apt-get update -qq
    (
        cd "$folder" &&
        # As root apt-get would fetch as another user, who may not write here.
        apt-get -o APT::Sandbox::User="$(id -un)" download -qq libllvm19 \
            {rustc-web,libstd-rust-web-dev,libstd-rust-web-1.85}="$debian_version"
    ) || {
        rm -rf "$toolchain"
        echo "msrv.sh: rustc-web $debian_version can't be had from Debian's archive; run: rustup toolchain install $msrv" >&2
        exit 3
    }
    for package in "$folder"/*.deb; do dpkg-deb -x "$package" "$toolchain"; done
    rm -rf "$folder"
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' \
        "$toolchain/usr/lib/x86_64-linux-gnu" "$toolchain/usr/bin/rustc" >"$toolchain/rustc"
    chmod +x "$toolchain/rustc"
}

if rustup run "$msrv" rustc --version >/dev/null 2>&1; then
    RUSTC=$(rustup which --toolchain "$msrv" rustc)
else
    [ -x "$toolchain/rustc" ] || unpack_debian_compiler
    RUSTC=$toolchain/rustc
fi
export RUSTC
"$RUSTC" --version
cargo check --locked --package cos-slice --lib --bins --features cli --target-dir "$target/msrv/build"
