#!/usr/bin/env bash
# go.sh: the Go package with the real toolchain.
#
# STAGE is where the library, the header and the programs are installed; unless it is set they are put into build/stage.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -n "${STAGE:-}" ] || make --no-print-directory install PREFIX="$PWD/build/stage" >/dev/null
root=$PWD
package=$root/bindings/go
stage=$(realpath "${STAGE:-build/stage}")
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Not a time: where that is over Go fails now and then with "context deadline exceeded".
fuzz_inputs=20000x

export PATH=$stage/bin:$PATH PKG_CONFIG_PATH=$stage/lib/pkgconfig LD_LIBRARY_PATH=$stage/lib
# Go's build cache does not see that an installed header or library is another one now. It sees this.
installed=$(cat "$stage"/include/cos_slice.h "$stage"/lib/libcos_slice.{so,a} "$stage"/lib/pkgconfig/cos_slice.pc | sha256sum)
export CGO_ENABLED=1 CGO_CFLAGS="-O2 -g -DINSTALLED_${installed%% *}" GOFLAGS=-buildvcs=false

cd "$package"
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

says() { printf -- '-- %s\n' "$*"; }

must_say() { # must_say TEXT COMMAND…: it fails, and says so
    local text=$1 said
    shift
    if said=$("$@" 2>&1) || [[ "$said" != *"$text"* ]]; then
        printf 'go.sh: %s should have failed with "%s", and said:\n%s\n' "$*" "$text" "$said" >&2
        return 1
    fi
}

block() { # block LANGUAGE NUMBER: one of the README's, of that language
    awk -v language="$1" -v number="$2" '
        /^```$/ { inside = 0 }
        inside { print }
        $0 == "```" language { inside = ++count == number }' "$package/README.md"
}

lints() {
    local unformatted
    unformatted=$(gofmt -l .)
    [ -z "$unformatted" ] || { echo "go.sh: gofmt would change: $unformatted" >&2; return 1; }
    go vet ./...
    go vet -tags cos_slice_static .
    go run "$staticcheck" ./...
}

# The archive must be in the program: neither the shared library nor the folder it is in is to be needed.
static() {
    go test -c -tags cos_slice_static -o "$work/static.test" .
    if readelf --dynamic "$work/static.test" | grep -F cos_slice; then
        echo 'go.sh: the shared library is wanted nonetheless' >&2
        return 1
    fi
    env -u LD_LIBRARY_PATH "$work/static.test" -test.run '^(Example|TestEverySource)'
}

# As a newcomer types it. Its port is one of a network of its own.
first_upload() {
    local folder=$work/first said
    mkdir "$folder"
    {
        echo 'set -euo pipefail; ip link set lo up'
        # The folder of the emulator is held until that has ended.
        echo 'trap "kill %1; wait %1 || true" EXIT'
        block sh 1
        printf 'cat >main.go <<"END"\n%s\nEND\n' "$(block go 1)"
        block sh 2
    } >"$folder/typed.sh"
    said=$(cd "$folder" && COS_SLICE=$root GOPROXY=off GOFLAGS=-buildvcs=false timeout 120 unshare --map-root-user --net bash typed.sh)
    cmp "$folder/hello/main.go" "$folder/hello/cos-data/objects/videos/hello/main.go"
    [[ "$said" = *http://127.0.0.1:9000/* ]] || { echo "go.sh: the first upload printed: $said" >&2; return 1; }
}

# A program elsewhere, with the module under another path, as whoever publishes it renames it; both taken along by vendoring.
vendored() {
    # Without its folder's name what is compiled is found in the build cache the next time.
    local folder=$work/vendored copy=$work/copy GOFLAGS="$GOFLAGS -trimpath"
    cp -r "$package" "$copy"
    (
        cd "$copy"
        sed -i '1s|.*|module module.invalid/cosslice|' go.mod
        grep -rl '"cosslice"' --include='*.go' . | xargs sed -i 's|"cosslice"|"module.invalid/cosslice"|'
        go vet ./...
    )
    mkdir "$folder"
    block go 1 | sed 's|"cosslice"|"module.invalid/cosslice"|' >"$folder/main.go"
    (
        cd "$folder"
        go mod init consumer.invalid/program 2>/dev/null
        go mod edit -require=module.invalid/cosslice@v0.1.0 -replace=module.invalid/cosslice="$copy"
        go mod vendor
    )
    rm -r "$copy"
    (cd "$folder" && GOPROXY=off go build -mod=vendor -o program .)
    must_say 'usage: hello' "$folder/program"
    # A library of another version in the place of the one that it was compiled for.
    printf 'unsigned cos_slice_abi_version(void) { return 99; }\nconst char *cos_slice_version(void) { return "9.9.9"; }\n' |
        cc -shared -fPIC -x c - -o "$work/other.so"
    local version
    version=$(sed -n 's/^Version: //p' "$stage/lib/pkgconfig/cos_slice.pc")
    must_say "compiled for cos_slice $version (ABI version 0), and runs with cos_slice 9.9.9 (ABI version 99)" \
        env LD_PRELOAD="$work/other.so" "$folder/program" http://127.0.0.1:1 bucket path file
}

fuzz() {
    local target
    for target in FuzzUploadArguments FuzzConfig FuzzSign; do
        go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzz_inputs" .
    done
}

says formatting and lints
lints
says "tests, with the race detector and cgo's checks"
GODEBUG=cgocheck=1 go test -count=1 -race ./...
says "tests, with the checks of cgo that cost more"
GOEXPERIMENT=cgocheck2 go test -count=1 .
says tests, under AddressSanitizer and LeakSanitizer
go test -count=1 -asan .
says linked with the archive
static
says without cgo
must_say 'cosslice needs cgo' env CGO_ENABLED=0 go build .
says first upload, as the README has it
first_upload
says vendored, under another path, and with another library
vendored
says fuzzing
fuzz
