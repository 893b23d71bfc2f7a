#!/usr/bin/env bash
# conformance.sh [OPTION…]: builds the runners of all languages, and does the scenarios of tests/conformance with each and with
# the command. Options are those of cos-slice-conformance.
#
# STAGE is where the library, the header and the programs are installed; unless it is set they are put into build/stage.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -n "${STAGE:-}" ] || make --no-print-directory install PREFIX="$PWD/build/stage" >/dev/null
stage=$(realpath "${STAGE:-build/stage}")
built=$PWD/build/conformance
mkdir -p "$built"
export PKG_CONFIG_PATH=$stage/lib/pkgconfig
# Where Swift sees no more than the repository otherwise.
export COS_SLICE_SWIFT_BIND=$stage${COS_SLICE_SWIFT_BIND:+:$COS_SLICE_SWIFT_BIND}

flags() { # flags FLAG…: what pkg-config says, one word to a line
    pkg-config "$@" cos_slice libcjson | xargs -n 1
}
mapfile -t compile < <(flags --cflags)
mapfile -t link < <(flags --libs)
cc -std=c99 -D_POSIX_C_SOURCE=200809L -O1 -g -Wall -Wextra -Wpedantic -Werror -pthread "${compile[@]}" \
    tests/conformance/runners/c/*.c "${link[@]}" "-Wl,-rpath,$stage/lib" -o "$built/c"

# Go does not see that a header outside of its module has changed; that its flags have, it does.
header=$(sha256sum "$stage/include/cos_slice.h")
(cd bindings/go && CGO_CFLAGS="-O2 -g -DCOS_SLICE_HEADER=0x${header:0:8}" go build -o "$built/go-runner" ./internal/conformance)
swift=$PWD/scripts/swift-env.sh
# SwiftPM sees neither.
[ "$(cat build/swift-conformance/built-with 2>/dev/null)" = "$header" ] || rm -rf build/swift-conformance
swift_build=(swift build --package-path tests/conformance/runners/swift --scratch-path build/swift-conformance)
"$swift" run "${swift_build[@]}"
echo "$header" >build/swift-conformance/built-with
swift_folder=$("$swift" run "${swift_build[@]}" --show-bin-path)

# launcher NAME COMMAND…: a program that the driver can start, for a runner that needs to find the library
launcher() {
    local name=$1
    shift
    {
        printf '#!/usr/bin/env bash\nexport LD_LIBRARY_PATH=%q\n' "$stage/lib"
        # The driver keeps what is called COS_SLICE_… from its runners, and swift-env.sh needs these.
        local setting
        for setting in COS_SLICE_SWIFT_BIND COS_SLICE_SWIFT_ROOT; do
            if [ -n "${!setting:-}" ]; then printf 'export %s=%q\n' "$setting" "${!setting}"; fi
        done
        printf 'exec%s\n' "$(printf ' %q' "$@")"
    } >"$built/$name"
    chmod +x "$built/$name"
}
launcher go "$built/go-runner"
launcher swift "$swift" run "$swift_folder/conformance"

exec cargo run --locked --quiet --package cos-slice-conformance -- \
    --runner "c=$built/c" --runner "go=$built/go" --runner "swift=$built/swift" --command "$stage/bin/cos-slice" "$@"
