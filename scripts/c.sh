#!/usr/bin/env bash
# c.sh: the README for C to the letter, and the examples built as it says, with what is installed.
#
# STAGE is where everything was installed; unless set, it is installed in build/stage.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
[ -n "${STAGE:-}" ] || make --no-print-directory install PREFIX="$root/build/stage" >/dev/null
stage=$(realpath "${STAGE:-build/stage}")
readme=$root/bindings/c/README.md
work=$(mktemp -d)
emulator_pid=
finish() {
    if [ -n "$emulator_pid" ]; then
        kill "$emulator_pid" 2>/dev/null || true
        wait "$emulator_pid" || true
    fi
    rm -rf "$work"
}
trap finish EXIT
export PKG_CONFIG_PATH=$stage/lib/pkgconfig LD_LIBRARY_PATH=$stage/lib

die() { echo "c.sh: $*" >&2; exit 1; }

block() { # block LANGUAGE NUMBER: that block of the README
    awk -v fence="\`\`\`$1" -v number="$2" '
        $0 == "```" { inside = 0 }
        inside { print }
        $0 == fence { inside = ++count == number }' "$readme"
}

mkfifo "$work/says"
"$stage/bin/cos-emulator" --dir "$work/store" --listen 127.0.0.1:0 --app-id 1251668577 --secret-id AKIDtest --secret-key secret \
    >"$work/says" &
emulator_pid=$!
read -r _ _ _ ENDPOINT <"$work/says" || die "the emulator did not start"
export ENDPOINT

# A first upload, as a newcomer does it.
mkdir "$work/first"
cd "$work/first"
block c 1 >upload.c
cmp "$root/bindings/c/examples/upload.c" upload.c
head -c 3000000 /dev/urandom >big.mp4
block sh 1 >commands.sh
[ -s commands.sh ] || die "the README has no commands"
url=$(bash -euo pipefail commands.sh 2>progress)
[[ $url = "$ENDPOINT"/*/2026/big.mp4 ]] || die "the first upload printed \"$url\""
cmp big.mp4 "$work/store/objects/videos/2026/big.mp4"
block sh 2 | bash -euo pipefail
env -u LD_LIBRARY_PATH ./upload-static "$ENDPOINT" videos /2026/static.mp4 big.mp4 >/dev/null 2>&1 || die "the static program failed"
cmp big.mp4 "$work/store/objects/videos/2026/static.mp4"

# Every example, by the command that the README has for one of them.
cp -r "$root/bindings/c/examples" .
pattern=$(block sh 3)
[[ $pattern = *examples/cancel.c*-o\ cancel ]] || die "the README does not say how an example is built"
for example in examples/*.c; do
    name=$(basename "$example" .c)
    grep -qF "[\`$name.c\`](examples/$name.c)" "$readme" || die "the README does not name $name.c"
    bash -euo pipefail -c "${pattern//cancel/"$name"}"
    status=0
    "./$name" >/dev/null 2>usage || status=$?
    if [ "$status" != 2 ] || ! grep -q usage usage; then die "$name does not tell how it is used"; fi
done
