#!/usr/bin/env bash
# bench.sh [OPTION…]: builds all that is measured, and measures. The options are those of the program `bench`: --scenario NAME,
# --rounds N, --smoke, --publish PAGE.
#
# The results are left in build/bench, those of --smoke in build/bench/smoke. STAGE is where the library and its header are installed; unless it is set they are put
# into build/stage.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/need.sh bench
[ -n "${STAGE:-}" ] || make --no-print-directory install PREFIX="$PWD/build/stage" >/dev/null
stage=$(realpath "${STAGE:-build/stage}")
release=$(realpath -m "${CARGO_TARGET_DIR:-target}")/release
built=$PWD/build/bench
mkdir -p "$built"

cmp -s include/cos_slice.h "$stage/include/cos_slice.h" || { echo "bench.sh: $stage has not the cos_slice.h of this tree" >&2; exit 1; }
export PKG_CONFIG_PATH=$stage/lib/pkgconfig

# What an earlier run left that was interrupted.
rm -rf "$built"/files-* "$built"/smoke

# With the packages and features that `make build` names, so that what it compiled is used.
cargo build --locked --release --quiet --package cos-slice --features cli --package cos-emulator --package cos-slice-manual \
    --package cos-slice-bench --bins
warnings=(-Wall -Wextra -Wpedantic -Werror)
cc -std=c11 -O2 "${warnings[@]}" -pthread benches/c/floor.c -o "$built/floor"
mapfile -t flags < <(pkg-config --cflags --libs cos_slice | xargs -n 1)
cc -std=c11 -D_POSIX_C_SOURCE=200809L -O2 "${warnings[@]}" benches/c/client.c "${flags[@]}" "-Wl,-rpath,$stage/lib" -o "$built/client-c"

# Go does not see that a header outside of its module has changed; that its flags have, it does.
header=$(sha256sum "$stage/include/cos_slice.h")
(cd benches/go && CGO_CFLAGS="-O2 -g -DCOS_SLICE_HEADER=0x${header:0:8}" CGO_LDFLAGS="-Wl,-rpath,$stage/lib" GOFLAGS=-buildvcs=false \
    go build -o "$built/client-go" .)

# Where Swift sees no more than the repository otherwise.
export COS_SLICE_SWIFT_BIND=$stage${COS_SLICE_SWIFT_BIND:+:$COS_SLICE_SWIFT_BIND}
swift=$PWD/scripts/swift-env.sh
# SwiftPM sees neither.
[ "$(cat "$built/swift/built-with" 2>/dev/null)" = "$header" ] || rm -rf "$built/swift"
swift_build=(swift build --configuration release --package-path benches/swift --scratch-path "$built/swift")
"$swift" run "${swift_build[@]}" >"$built/swift.log" 2>&1 || { cat "$built/swift.log" >&2; exit 1; }
echo "$header" >"$built/swift/built-with"
swift_folder=$("$swift" run "${swift_build[@]}" --show-bin-path 2>/dev/null)

{
    printf '#!/usr/bin/env bash\nexport LD_LIBRARY_PATH=%q COS_SLICE_SWIFT_BIND=%q\n' "$stage/lib" "$COS_SLICE_SWIFT_BIND"
    printf 'exec %q run %q "$@"\n' "$swift" "$swift_folder/client"
} >"$built/client-swift"
chmod +x "$built/client-swift"

# What means nothing is not to take the place of what was measured.
out=$built
case " $* " in *' --smoke '*) out=$built/smoke ;; esac

# A sender that paces what it sends, as BBR does, has over loopback the speed that it took the way for at first: in most runs a third
# of the others'. So the connections are those of a network of its own, and have CUBIC. That takes the right to make one.
own_network=(unshare --net -- bash -c '
    ip link set lo up &&
    ip route replace local 127.0.0.0/8 dev lo table local congctl cubic &&
    ip route replace local 127.0.0.1 dev lo table local congctl cubic &&
    exec "$@"' bash)
if ! "${own_network[@]}" true 2>/dev/null; then
    echo "bench.sh: no network of its own can be made; the connections have the system's congestion control" >&2
    own_network=()
fi
exec "${own_network[@]}" "$release/bench" --programs "$built" --prefix "$stage" --exports abi/exports.txt --out "$out" "$@"
