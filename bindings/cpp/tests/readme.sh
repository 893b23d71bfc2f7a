#!/usr/bin/env bash
# readme.sh FOLDER: does what the README says, to the letter, and finds its other programs in the examples, and compiles the one in the
# head of the header.
#
# pkg-config finds the library, and ENDPOINT is an emulator that has nothing yet.
set -euo pipefail

folder=${1:?usage: readme.sh FOLDER}/readme
here=$(cd "$(dirname "$0")" && pwd)
readme=$here/../README.md
header=$here/../../../include/cos_slice.hpp
mkdir "$folder"
cd "$folder"

blocks() { # blocks LANGUAGE: one file for each, LANGUAGE.1 and so on
    awk -v language="$1" '
        /^```/ { if (inside) { inside = 0; close(file); next } }
        $0 == "```" language { inside = 1; file = language "." ++count; next }
        inside { print > file }' "$readme"
}
blocks cpp
blocks sh
if ! [ -s cpp.4 ] || ! [ -s sh.1 ]; then
    echo "readme.sh: the README has not the programs that it had" >&2
    exit 1
fi

# The quickstart.
cp cpp.1 upload.cpp
cmp upload.cpp "$here/../examples/upload.cpp"
head -c 3000000 /dev/urandom >big.mp4
if ! said=$(bash -euo pipefail ./sh.1 2>progress) || [[ $said != "$ENDPOINT"/*/2026/big.mp4 ]] ||
    ! grep -q '3000000 of 3000000 bytes' progress; then
    echo "readme.sh: the quickstart said: $said" >&2
    cat progress >&2
    exit 1
fi

# The others are parts of examples.
for block in cpp.*; do
    found=
    for example in "$here"/../examples/*.cpp; do
        [[ $(<"$example") != *"$(<"$block")"* ]] || found=$example
    done
    if [ -z "$found" ]; then
        echo "readme.sh: no example has this:" >&2
        cat "$block" >&2
        exit 1
    fi
done

# The program of the header's head.
{
    echo '#include <cos_slice.hpp>
void head(const char *app_id, const char *secret_id, const char *secret_key);
void head(const char *app_id, const char *secret_id, const char *secret_key) {'
    awk '/^ \*   / { sub(/^ \* */, ""); print; found = 1; next } found { exit }' "$header"
    echo '}'
} >head.cpp
[ "$(grep -c cos_slice head.cpp)" = 3 ]
read -ra flags < <(pkg-config --cflags cos_slice)
c++ -std=c++17 -fsyntax-only "${flags[@]}" head.cpp
