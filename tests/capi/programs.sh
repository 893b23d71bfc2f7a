#!/bin/sh
# Compiles the C programs against a built library and runs them against a running emulator.
#
#   programs.sh shared|static DIR_OF_LIBRARY ENDPOINT WORK_FOLDER [WRAPPER…]
#
# A wrapper is put before each program, such as: valgrind --error-exitcode=9. CC, CFLAGS and LDFLAGS are taken from the
# environment; CFLAGS=-fsanitize=address for example. PROGRAMS are those to run, in place of all.
set -eu

if [ $# -lt 4 ]; then
    echo "usage: $0 shared|static DIR_OF_LIBRARY ENDPOINT WORK_FOLDER [WRAPPER...]" >&2
    exit 2
fi
link=$1 library=$(cd "$2" && pwd) endpoint=$3 work=$4
shift 4
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
compile="${CC:-cc} -Wall -Wextra -pedantic -Werror -I$root/include ${CFLAGS:-}"
programs=${PROGRAMS:-misuse callbacks completions reach signers threads rates frees many signals getters dialect operations sources apis log nullability}
# What checks for leaks from outside checks the children of a fork too, where what the threads held that they don't have is lost.
[ -n "${PROGRAMS:-}" ] || [ $# -gt 0 ] || programs="$programs fork"
mkdir -p "$work"

case $link in
shared)
    # Programs ask for the library by its soname.
    ln -sf "$library/libcos_slice.so" "$work/libcos_slice.so.0"
    libraries="$library/libcos_slice.so -Wl,-rpath,$work"
    ;;
static)
    # What the Rust standard library wants of the system: rustc --print native-static-libs.
    libraries="$library/libcos_slice.a -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc"
    ;;
*)
    echo "$0: \"$link\" is neither shared nor static" >&2
    exit 2
    ;;
esac

# The program of the documentation, as it is printed there. In each call the words of flags are meant to be split.
# shellcheck disable=SC2086
{
    for example in upload resume; do
        $compile -std=c99 "$root/bindings/c/examples/$example.c" $libraries ${LDFLAGS:-} -o "$work/$example"
    done
    for program in $programs; do
        $compile -std=c99 -D_POSIX_C_SOURCE=200809L -pthread "$here/$program.c" "$here/check.c" $libraries ${LDFLAGS:-} \
            -o "$work/$program"
    done
}

# Runs one program with what it says of failures in a file beside it, which is shown with its exit status where it fails.
run() {
    name=$1
    shift
    status=0
    "$@" 2>"$work/$name.err" || status=$?
    [ $status -ne 0 ] || return 0
    cat "$work/$name.err" >&2
    echo "$0: $name failed with exit status $status" >&2
    exit 1
}

head -c 3000000 /dev/urandom >"$work/content"
url=$(run upload "$@" "$work/upload" "$endpoint" printed "/2026/$link.bin" "$work/content")
case $url in
"$endpoint"/*"/2026/$link.bin") ;;
*)
    echo "$0: upload printed \"$url\", not the object's URL" >&2
    exit 1
    ;;
esac
grep -q "3000000 of 3000000 bytes" "$work/upload.err" || {
    echo "$0: upload did not tell its progress to the end" >&2
    exit 1
}
resumed=$(run resume "$@" "$work/resume" "$endpoint" printed "/2026/$link.resumed.bin" "$work/content" "$work/state")
case $resumed in
"$endpoint"/*"0 bytes were there already") ;;
*)
    echo "$0: resume printed \"$resumed\"" >&2
    exit 1
    ;;
esac
rmdir "$work/state" # which must be there, and empty
for program in $programs; do
    mkdir "$work/$program.files"
    run "$program" "$@" "$work/$program" "$endpoint" "$work/$program.files"
done
