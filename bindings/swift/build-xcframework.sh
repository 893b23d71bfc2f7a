#!/usr/bin/env bash
# build-xcframework.sh [--dry-run] [--url URL]: the C library for Apple's systems, as Swift packages take it.
#
# Needs a Mac with Xcode and rustup (https://rustup.rs), no more. Leaves in build/xcframework of the repository
#
#   COSSliceFFI.xcframework       static libraries for iOS, its simulator, macOS and Mac Catalyst; Package.swift takes it from there
#   COSSliceFFI.xcframework.zip   the same, to be published
#   package/                      with --url: the Swift package that takes the zip from that URL, by its checksum
#
# --dry-run prints the commands and runs none; it needs no Mac. CARGO_TARGET_DIR is where cargo builds, as usual.
set -euo pipefail
cd "$(dirname "$0")/../.."

dry_run='' url=''
while [ $# -gt 0 ]; do
    case $1 in
        --dry-run) dry_run=1 ;;
        --url) url=${2:?build-xcframework.sh: --url wants the URL that the zip will have} && shift ;;
        *)
            sed -n '2,/^set -/{s/^# \{0,1\}//p;}' "$0" >&2
            exit 2
            ;;
    esac
    shift
done

name=COSSliceFFI
out=build/xcframework
target=${CARGO_TARGET_DIR:-target}
# The C parts too are built for these; without them they would be for the newest system, and apps would be warned or fail.
# shellcheck source=bindings/swift/apple/oldest.sh
. bindings/swift/apple/oldest.sh
# Each library of the framework, and the targets that go into it.
platforms=(
    'ios aarch64-apple-ios'
    'ios-simulator aarch64-apple-ios-sim x86_64-apple-ios'
    'macos aarch64-apple-darwin x86_64-apple-darwin'
    'mac-catalyst aarch64-apple-ios-macabi x86_64-apple-ios-macabi'
)

fail() {
    echo "build-xcframework.sh: $*" >&2
    exit 1
}

run() { # run COMMAND…: prints it, and runs it unless this is a dry run
    printf '%q ' "$@" | sed 's/ $//'
    echo
    [ -n "$dry_run" ] || "$@"
}

check_tools() {
    [ "$(uname -s)" = Darwin ] || fail 'this takes a Mac; --dry-run shows what would be done'
    local tool
    for tool in cargo rustup xcodebuild xcrun lipo ditto swift; do
        command -v "$tool" >/dev/null || fail "$tool is needed; install Xcode, and rustup from https://rustup.rs"
    done
}

build() { # build LIBRARY TARGET…: one static library for all the targets, without debugging symbols
    local library=$1 triple built=()
    shift
    for triple in "$@"; do
        run cargo rustc --locked --release --package cos-slice --lib --crate-type staticlib --target "$triple"
        built+=("$target/$triple/release/libcos_slice.a")
    done
    run mkdir -p "$(dirname "$library")"
    run lipo -create "${built[@]}" -output "$library"
    # The standard library comes with debugging symbols, which are most of its size.
    run xcrun strip -S "$library"
}

# In a folder of the module's name: Xcode puts the headers of all packages into one folder, and two module maps there collide.
lay_out_headers() {
    run mkdir -p "$out/headers/$name"
    run cp include/cos_slice.h bindings/swift/apple/module.modulemap "$out/headers/$name"
}

create_framework() {
    local libraries=() platform
    for platform in "${platforms[@]}"; do
        libraries+=(-library "$out/${platform%% *}/libcos_slice.a" -headers "$out/headers")
    done
    run xcodebuild -create-xcframework "${libraries[@]}" -output "$out/$name.xcframework"
}

check_framework() { # what others have published without
    [ -f "$out/$name.xcframework/Info.plist" ] || fail "there is no Info.plist in $out/$name.xcframework"
    local file count
    for file in libcos_slice.a "Headers/$name/cos_slice.h" "Headers/$name/module.modulemap"; do
        count=$(find "$out/$name.xcframework" -path "*/$file" | wc -l)
        [ "$count" -eq ${#platforms[@]} ] || fail "$file is in $((count)) of ${#platforms[@]} libraries of $out/$name.xcframework"
    done
}

# The package to be published: this one, with the place and the checksum of the zip instead of nothing.
write_package() { # write_package CHECKSUM
    run mkdir -p "$out/package"
    run cp -R LICENSE-APACHE LICENSE-MIT bindings/swift/Sources bindings/swift/Tests bindings/swift/Examples bindings/swift/*.md \
        "$out/package"
    awk -v released="(\"$url\", \"$1\")" '
        /^ *let released: .* = nil$/ { sub(/nil$/, released); count++ }
        { print }
        END { exit count != 1 }' bindings/swift/Package.swift >"$out/package/Package.swift" ||
        fail 'there is not one line in Package.swift that says what was released'
}

[[ $url =~ ^(https://[A-Za-z0-9._~:/%+@-]+/$name\.xcframework\.zip)?$ ]] ||
    fail "--url $url: it has to begin with https:// and end with /$name.xcframework.zip"
[ -n "$dry_run" ] || check_tools
run rm -rf "$out"
read -ra triples < <(printf '%s ' "${platforms[@]#* }" && echo)
run rustup target add "${triples[@]}"
for platform in "${platforms[@]}"; do
    read -ra triples <<<"${platform#* }"
    build "$out/${platform%% *}/libcos_slice.a" "${triples[@]}"
done
lay_out_headers
create_framework
[ -n "$dry_run" ] || check_framework
run ditto -c -k --keepParent "$out/$name.xcframework" "$out/$name.xcframework.zip"
if [ -n "$dry_run" ]; then
    run swift package --package-path bindings/swift compute-checksum "$out/$name.xcframework.zip"
    exit
fi
checksum=$(swift package --package-path bindings/swift compute-checksum "$out/$name.xcframework.zip")
[ -z "$url" ] || write_package "$checksum"
echo "checksum $checksum"
