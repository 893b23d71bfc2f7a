#!/usr/bin/env bash
# check-apple.sh: what can be known of Apple's systems without a Mac.
#
# The library compiles for iOS, its simulator, Mac Catalyst and macOS, the command and the emulator for macOS. For iOS and
# macOS on arm64 it is linked as well: everything that the C interface reaches must be in the system, and C programs must
# need no more than the module map of the Swift package names. What the privacy manifest has to declare is compared with
# what is called. Nothing is run, and nothing of Swift's is here.
#
# The compilers are those of compilers.sh. The system's C headers, and the list of what its C library exports, are those of
# macOS 11 that the Python package ziglang carries; the frameworks are names in scripts/apple. Names of the C library are
# taken to be the same on iOS. Where a download is not to be had this exits with 3, which is neither checked nor wrong.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/apple
compilers=$(scripts/compilers.sh)
sdk=$target/sdk
headers_package=ziglang==0.9.1
headers_digest=fa1d08040e2b9a7aab40b0c14e1baf52097e845ea7a6801462ec593f48cf3431
# shellcheck source=bindings/swift/apple/oldest.sh
. bindings/swift/apple/oldest.sh

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

unpack_headers() {
    local packed=$target/headers
    if [ -n "${NO_INSTALL:-}" ]; then
        echo 'check-apple.sh: the system headers are not there, and NO_INSTALL forbids to fetch them' >&2
        exit 3
    fi
    echo "check-apple.sh: unpacking the headers of macOS 11 under $sdk"
    rm -rf "$sdk" "$packed"
    mkdir -p "$packed" "$sdk/usr/include" "$sdk/usr/lib"
    if ! python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$packed" "$headers_package"; then
        rm -rf "$packed"
        echo "check-apple.sh: $headers_package, which has them, is not to be had" >&2
        exit 3
    fi
    echo "$headers_digest  $(ls "$packed"/*.whl)" | sha256sum --check --quiet
    python3 -c '
import sys, zipfile
package = zipfile.ZipFile(sys.argv[1])
package.extractall(sys.argv[2], [name for name in package.namelist() if "/libc/darwin/" in name or "macos" in name])
' "$packed"/*.whl "$packed"
    local libc=$packed/ziglang/lib/libc part
    for part in any-macos-any any-macos.11-any x86_64-macos.11-gnu aarch64-macos.11-gnu; do
        cp -R "$libc/include/$part/." "$sdk/usr/include"
    done
    cp "$libc/darwin/libSystem.11.tbd" "$sdk/usr/lib/libSystem.tbd"
    rm -rf "$packed"
    echo "$headers_digest" >"$sdk/complete"
}

# The standard library is compiled too: nobody ships it for these targets outside rustup.
cargo_for() { # cargo_for TARGET COMMAND…
    local triple=$1 name=${1//-/_}
    echo "check-apple.sh: $*"
    env SDKROOT="$sdk" "CC_$name=$compilers/clang" "AR_$name=ar" "CFLAGS_$name=-DDYNAMIC_TARGETS_ENABLED=1" \
        RUSTC="$compilers/rustc" RUSTC_BOOTSTRAP=1 CARGO_PROFILE_DEV_DEBUG=0 \
        cargo "$2" --locked --quiet -Zbuild-std --target "$triple" --target-dir "$target/build" "${@:3}"
}

# The stubs that the linker is given for one system: the C library's list, and the names of the frameworks.
write_stubs() { # write_stubs SYSTEM FOLDER
    local framework symbols
    mkdir -p "$2/usr/lib"
    sed "s/arm64-macos/arm64-$1/g" "$sdk/usr/lib/libSystem.tbd" >"$2/usr/lib/libSystem.tbd"
    for framework in CoreFoundation Security; do
        mkdir -p "$2/System/Library/Frameworks/$framework.framework"
        symbols=$(sed -n "s/^$framework /_/p" scripts/apple/frameworks.txt | paste -sd,)
        printf '%s\n' '--- !tapi-tbd' 'tbd-version: 4' "targets: [ arm64-$1 ]" \
            "install-name: '/System/Library/Frameworks/$framework.framework/$framework'" \
            'exports:' "  - targets: [ arm64-$1 ]" "    symbols: [ ${symbols//,/, } ]" '...' \
            >"$2/System/Library/Frameworks/$framework.framework/$framework.tbd"
    done
}

link() { # link SYSTEM OLDEST ARGUMENTS…
    "$compilers/ld64.lld" -arch arm64 -platform_version "$1" "$2" "$2" -syslibroot "$folder/$1" -dead_strip "${@:3}"
}

# All that the C interface reaches, as the shared library would be linked.
link_interface() { # link_interface SYSTEM OLDEST ARCHIVE ARGUMENTS…
    link "$1" "$2" -dylib -exported_symbols_list "$folder/exports" "$3" --error-limit=0 -o "$folder/interface.dylib" "${@:4}"
}

compile() { # compile SYSTEM OLDEST ARGUMENTS…
    "$compilers/clang" --target="arm64-apple-$1$2" -isysroot "$sdk" -DDYNAMIC_TARGETS_ENABLED=1 \
        -std=c99 -Wall -Wextra -Werror -c -o "$folder/program.o" "${@:3}"
}

compile_and_link_program() { # compile_and_link_program SYSTEM OLDEST ARCHIVE SOURCE
    compile "$1" "$2" -Iinclude "$4"
    link "$1" "$2" "$folder/program.o" "$3" -lSystem "${frameworks[@]}" -o "$folder/program"
}

# By the module, as Swift takes it from the XCFramework: found in the folder of its name, and with the frameworks that it names.
check_module() { # check_module SYSTEM OLDEST ARCHIVE
    mkdir -p "$folder/headers/COSSliceFFI"
    cp include/cos_slice.h bindings/swift/apple/module.modulemap "$folder/headers/COSSliceFFI"
    printf '%s\n' '#pragma clang module import COSSliceFFI' \
        'int main(void) { return cos_slice_upload_run(cos_slice_upload_new(cos_slice_client_new(), "", ""), NULL); }' >"$folder/module.c"
    compile "$1" "$2" -fmodules -fmodules-cache-path="$folder/modules" -I "$folder/headers" "$folder/module.c"
    link "$1" "$2" "$folder/program.o" "$3" -lSystem -o "$folder/program"
}

must_not_link() { # must_not_link SYSTEM OLDEST ARCHIVE: the check would find what the system has not
    echo 'int pipe2(int *, int); int main(void) { return pipe2(0, 0); }' >"$folder/linux.c"
    if compile_and_link_program "$1" "$2" "$3" "$folder/linux.c" 2>"$folder/report" || ! grep -q 'undefined.*_pipe2' "$folder/report"; then
        cat "$folder/report" >&2
        echo "check-apple.sh: a function that $1 has not was not found missing" >&2
        exit 1
    fi
}

# Calls that Apple wants declared with a reason: category and function, of its page on the "required reason" interfaces.
declared_calls='FileTimestamp stat|FileTimestamp fstat|FileTimestamp lstat|FileTimestamp fstatat
FileTimestamp getattrlist|FileTimestamp fgetattrlist|FileTimestamp getattrlistat|FileTimestamp getattrlistbulk
SystemBootTime mach_absolute_time|DiskSpace statfs|DiskSpace statvfs|DiskSpace fstatfs|DiskSpace fstatvfs'

check_privacy() { # check_privacy SYSTEM OLDEST ARCHIVE
    local manifest=bindings/swift/Sources/COSSlice/PrivacyInfo.xcprivacy
    # Without any library, everything that is wanted of the system is undefined.
    link_interface "$@" 2>&1 | sed -n 's/.*undefined symbol: _//p' | sort -u >"$folder/calls" || true
    grep -qx getaddrinfo "$folder/calls"
    tr '|' '\n' <<<"$declared_calls" | while read -r category call; do
        ! grep -qx "$call" "$folder/calls" || echo "NSPrivacyAccessedAPICategory$category"
    done | sort -u >"$folder/called"
    grep -o 'NSPrivacyAccessedAPICategory[A-Z][A-Za-z]*' "$manifest" | sort -u >"$folder/declared"
    diff -u --label "$manifest" "$folder/declared" --label "what $1 is asked for" "$folder/called"
}

check_link() { # check_link SYSTEM OLDEST TARGET
    local archive=$target/build/$3/debug/libcos_slice.a program
    echo "check-apple.sh: linking for $1"
    write_stubs "$1" "$folder/$1"
    link_interface "$1" "$2" "$archive" -lSystem "${frameworks[@]}"
    for program in bindings/c/examples/*.c; do
        compile_and_link_program "$1" "$2" "$archive" "$program"
    done
    check_module "$1" "$2" "$archive"
    must_not_link "$1" "$2" "$archive"
    check_privacy "$1" "$2" "$archive"
}

[ "$(cat "$sdk/complete" 2>/dev/null)" = "$headers_digest" ] || unpack_headers
sed -n 's/^cos_slice/_&/p' abi/exports.txt >"$folder/exports"
read -ra frameworks < <(sed -n 's/^ *link framework "\(.*\)"$/-framework \1/p' bindings/swift/apple/module.modulemap | paste -sd' ')

cargo_for aarch64-apple-ios-sim check --package cos-slice --lib
cargo_for aarch64-apple-ios-macabi check --package cos-slice --lib
cargo_for x86_64-apple-darwin check --package cos-slice --package cos-emulator --features cos-slice/cli
cargo_for aarch64-apple-ios rustc --package cos-slice --lib --crate-type staticlib
cargo_for aarch64-apple-darwin rustc --package cos-slice --lib --crate-type staticlib
check_link ios "$IPHONEOS_DEPLOYMENT_TARGET" aarch64-apple-ios
check_link macos "$MACOSX_DEPLOYMENT_TARGET" aarch64-apple-darwin
echo 'check-apple.sh: compiled for iOS, its simulator, Mac Catalyst and macOS, and linked for iOS and macOS; nothing was run'
