#!/usr/bin/env bash
# built.sh RELEASE: succeeds where what `make build` leaves is there and no source is newer; so who installs as root after
# having built as somebody else needs no Rust.
set -euo pipefail
cd "$(dirname "$0")/.."

release=${1:?usage: built.sh RELEASE}
for made in "$release"/{cos-slice,cos-emulator,share/man/man1/cos-slice.1,native-static-libs.txt,lib/libcos_slice.so}; do
    [ -e "$made" ] || exit 1
done
newer=$(find Cargo.toml Cargo.lock build.rs scripts/link.sh abi/exports.txt include src tests/emulator/{Cargo.toml,src} tools/manual \
    -newer "$release/lib/libcos_slice.so" -print -quit)
[ -z "$newer" ]
