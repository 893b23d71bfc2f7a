#!/usr/bin/env bash
# check-apple-package.sh: the Swift package for Apple's systems, as far as that goes on Linux.
#
# build-xcframework.sh is run with stand-ins for the tools of a Mac: its commands, what it lays out and what it refuses. The
# manifest is evaluated as here, as on a Mac, and as it is published. The sample of an app that is suspended is compiled and
# run against the emulator, with a stand-in for UIKit. STAGE is where the library is installed; without it, it is installed
# in build/stage.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$PWD/build/apple
stage=${STAGE:-$PWD/build/stage}
copy="$folder/the repository"
url=https://downloads.example/0.1.0/COSSliceFFI.xcframework.zip
emulator_pid=

finish() {
    [ -z "$emulator_pid" ] || { kill "$emulator_pid" && wait "$emulator_pid"; } || true
}
trap finish EXIT

fail() {
    echo "check-apple-package.sh: $*" >&2
    exit 1
}

build_with_stand_ins() { # build_with_stand_ins ARGUMENTS…
    : >"$folder/recorded"
    env -u CARGO_TARGET_DIR PATH="$folder/tools:$PATH" RECORDED="$folder/recorded" \
        "$copy/bindings/swift/build-xcframework.sh" "$@"
}

must_refuse() { # must_refuse TEXT COMMAND…
    if "${@:2}" >"$folder/says" 2>&1 || ! grep -qF "$1" "$folder/says"; then
        cat "$folder/says" >&2
        fail "not refused with \"$1\": ${*:2}"
    fi
}

check_build_script() {
    local tool framework=$copy/build/xcframework/COSSliceFFI.xcframework library
    mkdir -p "$folder/tools" "$copy/include" "$copy/bindings"
    for tool in uname rustup cargo lipo xcrun xcodebuild ditto swift; do ln -s "$PWD/tests/apple/tool" "$folder/tools/$tool"; done
    cp include/cos_slice.h "$copy/include"
    cp LICENSE-* "$copy"
    cp -R bindings/swift "$copy/bindings"

    build_with_stand_ins --dry-run --url "$url" | grep -vE '^(rm|mkdir|cp) ' | diff tests/apple/commands.txt -
    if [ -s "$folder/recorded" ] || [ -e "$copy/build" ]; then fail 'a dry run did something'; fi

    build_with_stand_ins --url "$url" >"$folder/says"
    diff tests/apple/commands.txt "$folder/recorded"
    diff - <(cat "$framework"/{ios,ios-simulator,mac-catalyst,macos}/libcos_slice.a) <<END
aarch64-apple-ios iOS $IPHONEOS_DEPLOYMENT_TARGET macOS $MACOSX_DEPLOYMENT_TARGET
stripped
aarch64-apple-ios-sim iOS $IPHONEOS_DEPLOYMENT_TARGET macOS $MACOSX_DEPLOYMENT_TARGET
x86_64-apple-ios iOS $IPHONEOS_DEPLOYMENT_TARGET macOS $MACOSX_DEPLOYMENT_TARGET
stripped
aarch64-apple-ios-macabi iOS $IPHONEOS_DEPLOYMENT_TARGET macOS $MACOSX_DEPLOYMENT_TARGET
x86_64-apple-ios-macabi iOS $IPHONEOS_DEPLOYMENT_TARGET macOS $MACOSX_DEPLOYMENT_TARGET
stripped
aarch64-apple-darwin iOS $IPHONEOS_DEPLOYMENT_TARGET macOS $MACOSX_DEPLOYMENT_TARGET
x86_64-apple-darwin iOS $IPHONEOS_DEPLOYMENT_TARGET macOS $MACOSX_DEPLOYMENT_TARGET
stripped
END
    for library in "$framework"/*/; do
        diff include/cos_slice.h "$library/Headers/COSSliceFFI/cos_slice.h"
        diff bindings/swift/apple/module.modulemap "$library/Headers/COSSliceFFI/module.modulemap"
        [ "$(find "$library/Headers" -type f | wc -l)" = 2 ] || fail "$library has other headers"
    done

    must_refuse 'this takes a Mac' env SYSTEM=Linux PATH="$folder/tools:$PATH" "$copy/bindings/swift/build-xcframework.sh"
    must_refuse 'has to begin with https://' build_with_stand_ins --url http://downloads.example/COSSliceFFI.xcframework.zip
    must_refuse 'has to begin with https://' build_with_stand_ins --url 'https://downloads.example/"/COSSliceFFI.xcframework.zip'
    FORGETFUL=1 must_refuse 'cos_slice.h is in 0 of 4' build_with_stand_ins
}

# The lines that matter of a manifest: the systems, where the C library comes from, and what goes along with the Swift code.
manifest_of() { # manifest_of PACKAGE
    COS_SLICE_SWIFT_BIND="$folder" scripts/swift-env.sh run swift package --package-path "$1" dump-package >"$folder/manifest.json"
    python3 - "$folder/manifest.json" <<'END'
import json, sys
manifest = json.load(open(sys.argv[1]))
assert "unsafeFlags" not in json.dumps(manifest)
for platform in sorted(manifest["platforms"], key=lambda platform: platform["platformName"]):
    print(platform["platformName"], platform["version"])
for target in manifest["targets"]:
    if target["name"] in ("COSSliceFFI", "COSSlice"):
        print(target["name"], target["type"], *(target.get(key) for key in ("pkgConfig", "path", "url", "checksum") if key in target),
              *(resource["path"] for resource in target["resources"]))
END
}

# On the systems where there is no pkg-config the manifest takes its other branch; here, when Linux is called something else.
as_on_a_mac() { # as_on_a_mac PACKAGE
    grep -q '^#if os(Linux)$' "$1/Package.swift"
    sed -i 's/^#if os(Linux)$/#if os(Windows)/' "$1/Package.swift"
}

must_be() { # must_be WHAT LINES…: the file "found" has the systems, and then these lines
    diff --label "$1" <(printf '%s\n' "ios $IPHONEOS_DEPLOYMENT_TARGET" "maccatalyst $IPHONEOS_DEPLOYMENT_TARGET" \
        "macos $MACOSX_DEPLOYMENT_TARGET" "${@:2}") "$folder/found"
}

check_manifests() {
    local published=$copy/build/xcframework/package checksum
    build_with_stand_ins --url "$url" >"$folder/says"
    checksum=$(sha256sum "$copy/build/xcframework/COSSliceFFI.xcframework.zip" | cut -d' ' -f1)
    grep -qx "checksum $checksum" "$folder/says"

    manifest_of "$copy/bindings/swift" >"$folder/found"
    must_be 'on Linux' 'COSSliceFFI system cos_slice' 'COSSlice regular'
    as_on_a_mac "$copy/bindings/swift"
    manifest_of "$copy/bindings/swift" >"$folder/found"
    must_be 'on a Mac' 'COSSliceFFI binary ../../build/xcframework/COSSliceFFI.xcframework' 'COSSlice regular PrivacyInfo.xcprivacy'
    COS_SLICE_XCFRAMEWORK=../Own.xcframework manifest_of "$copy/bindings/swift" >"$folder/found"
    must_be 'with a library of its own' 'COSSliceFFI binary ../Own.xcframework' 'COSSlice regular PrivacyInfo.xcprivacy'

    as_on_a_mac "$published"
    manifest_of "$published" >"$folder/found"
    must_be 'as published' "COSSliceFFI binary $url $checksum" 'COSSlice regular PrivacyInfo.xcprivacy'
    COS_SLICE_XCFRAMEWORK=Own.xcframework manifest_of "$published" >"$folder/found"
    must_be 'as published, with a library of its own' 'COSSliceFFI binary Own.xcframework' 'COSSlice regular PrivacyInfo.xcprivacy'
}

check_sample() {
    local sources=$folder/sample/Sources/SuspendAndResume build=$PWD/build/swift-apple endpoint
    scripts/swift-env.sh run swift format lint --strict --recursive --configuration bindings/swift/.swift-format \
        bindings/swift/Examples tests/apple/sample
    # SwiftPM does not notice that a header outside the package is another one.
    if ! cmp -s "$stage/include/cos_slice.h" "$build/built-with.h"; then
        rm -rf "$build"
        mkdir -p "$build"
        cp "$stage/include/cos_slice.h" "$build/built-with.h"
    fi
    cp -R tests/apple/sample "$folder"
    cp bindings/swift/Examples/SuspendableUpload.swift "$sources"
    # The backticks are Markdown's.
    # shellcheck disable=SC2016
    sed -n '/^```swift$/,/^```$/{/^```/!p;}' bindings/swift/Apple.md >"$sources/Apple.md.swift"
    grep -q 'func makeClient' "$sources/Apple.md.swift"
    mkdir "$folder/app" "$folder/store"
    head -c 4194304 /dev/urandom >"$folder/app/movie"
    mkfifo "$folder/emulator"
    "$stage/bin/cos-emulator" --dir "$folder/store" --listen 127.0.0.1:0 --app-id 1251668577 --secret-id AKIDtest \
        --secret-key secret >"$folder/emulator" &
    emulator_pid=$!
    read -r _ _ _ endpoint <"$folder/emulator"
    COS_SLICE_SWIFT_BIND="$folder:$stage" PKG_CONFIG_PATH="$stage/lib/pkgconfig" LD_LIBRARY_PATH="$stage/lib" timeout 540 \
        scripts/swift-env.sh run swift run --package-path "$folder/sample" --scratch-path "$build" \
        -Xswiftc -warnings-as-errors SuspendAndResume "$endpoint" "$folder/app"
    cmp "$folder/app/movie" "$folder/store/objects/videos/big.mp4"
}

# shellcheck source=bindings/swift/apple/oldest.sh
. bindings/swift/apple/oldest.sh
[ -n "${STAGE:-}" ] || make --no-print-directory install PREFIX="$stage" >/dev/null
rm -rf "$folder"
mkdir -p "$folder"
check_build_script
check_manifests
check_sample
echo 'check-apple-package.sh: all but the Mac was checked: no tool of Apple and no system of Apple has run'
