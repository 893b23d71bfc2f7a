#!/usr/bin/env bash
# need.sh build|demo|bench|test: checks that the tools for it are there.
#
# As root on Debian or Ubuntu it installs what is missing, and says what; NO_INSTALL=1 forbids that. Otherwise it says
# what to install and fails: nothing is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:?usage: need.sh build|demo|bench|test}
missing=()

need() { # need PACKAGE COMMAND…: the package is missing where the command fails
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

compiles() { # compiles LANGUAGE: there is a compiler, and the C library's headers
    echo '#include <stdint.h>
#include <stdio.h>
int main(void) { return 0; }' | "${@:2}" -x "$1" - -o /dev/null
}

check_packages() {
    missing=()
    need make make --version
    need gcc cc --version
    need libc6-dev compiles c cc
    if [ "$purpose" = bench ]; then
        need binutils nm --version
        need pkgconf pkg-config --version
        need iproute2 ip -V
    fi
    if [ "$purpose" = test ]; then
        need g++ compiles c++ c++
        need clang compiles c clang
        need abigail-tools abidiff --version
        need binutils nm --version
        need libcjson-dev pkg-config --exists libcjson
        # It also needs the symbols of the C library's loader.
        need valgrind valgrind --version
        need libc6-dbg valgrind /bin/true
        need pkgconf pkg-config --version
        need cmake cmake --version
        need groff-base groff --version
        need iproute2 ip -V
        need procps env kill -l
        need shellcheck shellcheck --version
        need python3-pip python3 -m pip --version
    fi
}

check_rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    if ! found=$(rustc --version 2>/dev/null | cut -d' ' -f2) || [ -z "$found" ]; then
        echo "need.sh: Rust $wanted or later is needed; install it from https://rustup.rs" >&2
        return 1
    fi
    if [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
        echo "need.sh: Rust $found is too old, $wanted or later is needed; run: rustup update" >&2
        return 1
    fi
    if [ "$purpose" = test ] && ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
        echo "need.sh: rustfmt and clippy are needed; run: rustup component add rustfmt clippy" >&2
        return 1
    fi
}

check_go() {
    local wanted found
    wanted=$(sed -n 's/^go //p' bindings/go/go.mod)
    found=$(go env GOVERSION 2>/dev/null) || found=
    if [ "$(printf '%s\n' "$wanted" "${found#go}" | sort -V | head -n 1)" != "$wanted" ]; then
        echo "need.sh: Go $wanted or later is needed, and ${found:-none} is here; install it from https://go.dev/dl" >&2
        return 1
    fi
}

check_rust
case $purpose in bench | test) check_go ;; esac
check_packages
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || [ -n "${NO_INSTALL:-}" ] || ! command -v apt-get >/dev/null; then
    echo "need.sh: missing: ${missing[*]}; on Debian run: apt-get install ${missing[*]}" >&2
    exit 1
fi
echo "need.sh: installing what is missing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
check_packages
if [ ${#missing[@]} -gt 0 ]; then
    echo "need.sh: installed, and still not usable: ${missing[*]}" >&2
    exit 1
fi
