#!/usr/bin/env bash
# swift.sh: the Swift package: its style, its tests against the emulator, the same under AddressSanitizer, that nothing of C is in its
# interface, and its README to the letter.
#
# STAGE is where everything was installed; unless set, it is installed in build/stage. Which Swift: see swift-env.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
[ -n "${STAGE:-}" ] || make --no-print-directory install PREFIX="$root/build/stage" >/dev/null
stage=$(realpath "${STAGE:-build/stage}")
package=bindings/swift
runner=tests/conformance/runners/swift
work=$root/build/swift
mkdir -p "$work"
finish() {
    rm -rf "$work"/quickstart/{.local,cos-data} "$work/quickstart/hello/Sources" "$work/interface"
}
trap finish EXIT

# COS_SLICE_SWIFT_BIND lets the command see the stage where it is not below the repository.
export PKG_CONFIG_PATH=$stage/lib/pkgconfig LD_LIBRARY_PATH=$stage/lib COS_SLICE_EMULATOR=$stage/bin/cos-emulator
export COS_SLICE_SWIFT_BIND=$stage
with_swift() { scripts/swift-env.sh run "$@"; }
die() { echo "swift.sh: $*" >&2; exit 1; }

cmp -s include/cos_slice.h "$stage/include/cos_slice.h" || die "$stage has not the cos_slice.h of this tree"
scripts/swift-env.sh setup

# SwiftPM does not look at headers outside the package, so what was built with another one is made anew.
built_with=$work/built-with
if ! cmp -s "$stage/include/cos_slice.h" "$built_with"; then
    rm -rf "$work"/{plain,address,quickstart}
    cp "$stage/include/cos_slice.h" "$built_with"
fi

echo 'swift.sh: style'
with_swift swift format lint --strict --recursive --configuration $package/.swift-format \
    $package/Package.swift $package/Sources $package/Tests $runner/Package.swift $runner/Sources

tests() { # tests NAME OPTION…: built in a folder of that name
    local folder=$work/$1
    shift
    echo "swift.sh: tests $*"
    with_swift swift build --build-tests --package-path $package --scratch-path "$folder" "$@" >"$folder.build.log" 2>&1 ||
        { grep -E 'error|warning' "$folder.build.log" >&2; die "it was not built; all that was said is in $folder.build.log"; }
    # What hangs is to fail, and to say which test it was.
    with_swift timeout --kill-after=10 300 \
        "$folder/debug/COSSlicePackageTests.xctest" --testing-library swift-testing >"$folder.log" 2>&1 ||
        { grep -vE 'passed|started' "$folder.log" | tail -n 100 >&2; die "tests failed; all they said is in $folder.log"; }
    tail -n 1 "$folder.log"
}
tests plain
# A leak has its own tests; what the runtime of Swift keeps to its end is none.
ASAN_OPTIONS=detect_leaks=0 tests address --sanitize address

echo 'swift.sh: interface'
mkdir -p "$work/interface"
mapfile -t sources < <(find $package/Sources/COSSlice -name '*.swift')
with_swift swiftc -emit-module -emit-module-path "$work/interface/COSSlice.swiftmodule" -module-name COSSlice \
    -emit-module-interface-path "$work/interface/COSSlice.swiftinterface" -swift-version 6 \
    -I $package/Sources/COSSliceFFI -Xcc "-I$stage/include" "${sources[@]}" 2>"$work/interface.log" ||
    { cat "$work/interface.log" >&2; die 'it can not be told what the public interface is'; }
grep -q 'final public class Client' "$work/interface/COSSlice.swiftinterface" || die "there is no interface"
if grep -nE 'cos_slice|COSSliceFFI|OpaquePointer|UnsafePointer' "$work/interface/COSSlice.swiftinterface"; then
    die 'something of C is in the public interface, see above'
fi

echo 'swift.sh: README'
# block FILE: the code block of the README that is that file
block() {
    awk -v "mark=<!-- $1 -->" '$0 == mark { wanted = 1; next } wanted && /^```/ { if (inside) exit; inside = 1; next } inside' \
        $package/README.md
}
typed=$work/quickstart
hello=$typed/hello
rm -rf "$work"/quickstart/{.local,cos-data,typed.sh,bin} "$hello/Sources"
mkdir -p "$hello/Sources" "$typed/bin"
ln -sfn "$root" "$typed/cos-slice"
# The other blocks of the README, and those in the documentation of the sources, are compiled along with it, each as a function
# that is not called: they speak of servers that are not here.
snippets=$(sed -n 's@^ *///\( \|$\)@@p' "${sources[@]}" | cat - $package/README.md | awk '
    /^<!-- .* -->$/ { marked = 1; next }
    /^```/ && inside { inside = 0; print "    }\n}"; next }
    /^```swift$/ && !marked { inside = 1; print "func snippet" ++count "(upload: Upload, url: URL, key: SecretKey) async throws {\n    do {" ; next }
    /^```/ { marked = 0 }
    inside')
[ "$(grep -c '^func snippet' <<<"$snippets")" -ge 5 ] || die 'there are not as many snippets as there were'
printf '%s\n' 'import COSSlice' 'import Foundation' 'struct NotAllowed: Error {}' 'struct AppServer {' \
    '    func sign(_ request: SignRequest) async throws -> String { "" }' '}' 'private let appServer = AppServer()' "$snippets" \
    >"$hello/Sources/Snippets.swift"
# As a newcomer types it, in a folder beside a clone. Its port is one of a network of its own.
{
    echo 'set -euo pipefail; ip link set lo up'
    # The folder of the emulator is held until that has ended.
    echo 'trap "kill %1; wait %1 || true" EXIT'
    block 'in the folder'
    for file in Package.swift Sources/main.swift; do
        printf 'cat >hello/%s <<"END"\n%s\nEND\n' "$file" "$(block "hello/$file")"
    done
    echo 'cd hello; head -c 3000000 /dev/urandom >big.mp4'
    block 'hello: run'
} >"$typed/typed.sh"
# Whichever Swift there is, by the PATH of now: this one is not to find itself.
printf '#!/usr/bin/env bash\nexport PATH=%q\nexec %q run swift "$@"\n' "$PATH" "$root/scripts/swift-env.sh" >"$typed/bin/swift"
chmod +x "$typed/bin/swift"
own_network=(unshare --net)
[ "$(id -u)" = 0 ] || own_network+=(--map-root-user)
(cd "$typed" && HOME=$typed PATH=$typed/bin:$PATH timeout 300 "${own_network[@]}" bash typed.sh) >"$typed.log" 2>&1 ||
    { tail -n 50 "$typed.log" >&2; die 'what the README says to type failed'; }
grep -q '^http://127.0.0.1:9000/' "$typed.log" || die "the program of the README said: $(tail -n 5 "$typed.log")"
cmp "$hello/big.mp4" "$typed/cos-data/objects/videos/2026/big.mp4"
