#!/usr/bin/env bash
# cpp.sh: cos_slice.hpp: both compilers and standards without a warning, its tests under AddressSanitizer and
# UndefinedBehaviorSanitizer and without exceptions, its examples, its README to the letter, and nothing of C left out.
#
# STAGE is where everything was installed; unless set, it is installed in build/stage. JOBS compilers run at once, 2 unless set.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
[ -n "${STAGE:-}" ] || make --no-print-directory install PREFIX="$root/build/stage" >/dev/null
stage=$(realpath "${STAGE:-build/stage}")
cpp=$root/bindings/cpp
work=$(mktemp -d)
emulators=()
finish() {
    local emulator
    for emulator in "${emulators[@]}"; do
        kill "$emulator" 2>/dev/null || true
        wait "$emulator" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT
export PKG_CONFIG_PATH=$stage/lib/pkgconfig LD_LIBRARY_PATH=$stage/lib

die() { echo "cpp.sh: $*" >&2; exit 1; }

cmp -s include/cos_slice.hpp "$stage/include/cos_slice.hpp" || die "$stage has not the cos_slice.hpp of this tree"

warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor
    -Woverloaded-virtual -Werror)
includes=(-I "$stage/include")
sanitize=(-g -fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
link=(-L "$stage/lib" -lcos_slice -pthread)

# Commands to be run, several at once; each is a line of words that the shell quotes.
commands=$work/commands
: >"$commands"
compile() { printf '%q ' "$@" >>"$commands" && echo >>"$commands"; }
compile_all() {
    xargs --arg-file="$commands" --delimiter='\n' --max-args=1 --max-procs="${JOBS:-2}" nice bash -c
    : >"$commands"
}

### Nothing of C is left out

# used NAME: the header has it, in code.
code=$work/code
sed 's@//.*$@@' include/cos_slice.hpp | awk '/\/\*/ { comment = 1 } !comment { print } /\*\// { comment = 0 }' >"$code"
: >"$work/missing"
left_out=$cpp/tests/left_out.txt
check_used() {
    local name=$1
    if grep -qw -- "$name" "$code"; then
        ! grep -qw "^$name" "$left_out" || echo "$name is used, and yet in left_out.txt" >>"$work/missing"
    else
        grep -qw "^$name" "$left_out" || echo "$name is nowhere in cos_slice.hpp" >>"$work/missing"
    fi
}
constants=$(grep -hv '^#' abi/status.txt abi/constants.txt | cut -d' ' -f2)
functions=$(grep -v '^#' abi/exports.txt)
while read -r name; do check_used "$name"; done <<<"$constants"$'\n'"$functions"
[ "$(wc -w <<<"$constants $functions")" -gt 190 ] || die "only $(wc -w <<<"$constants $functions") names were found to look for"
[ ! -s "$work/missing" ] || die "$(cat "$work/missing")"

### The header, the examples and the tests compile

for compiler in g++ clang++; do
    for standard in c++17 c++20; do
        compile "$compiler" "-std=$standard" "${warnings[@]}" "${includes[@]}" -fsyntax-only "$cpp/tests/options.cpp"
        compile "$compiler" "-std=$standard" "${warnings[@]}" "${includes[@]}" -fsyntax-only -fno-exceptions -fno-rtti \
            "$cpp/tests/no_exceptions.cpp"
    done
done
cc -g -std=c99 -D_POSIX_C_SOURCE=200809L -I "$stage/include" -c tests/capi/check.c -o "$work/check.o"
tests=(uploads sources exceptions lifecycle errors options operations)
for test in "${tests[@]}"; do
    compile g++ -std=c++17 "${warnings[@]}" "${sanitize[@]}" "${includes[@]}" "$cpp/tests/$test.cpp" "$work/check.o" \
        "${link[@]}" -o "$work/$test"
done
# What counts allocations, and what stands in for functions of the library, is left alone by the sanitizers.
for test in allocations versions; do
    compile g++ -std=c++17 "${warnings[@]}" "${includes[@]}" "$cpp/tests/$test.cpp" "$work/check.o" "${link[@]}" -o "$work/$test"
done
compile g++ -std=c++17 "${warnings[@]}" "${includes[@]}" -c "$cpp/tests/mixed.cpp" -o "$work/mixed.o"
compile g++ -std=c++17 "${warnings[@]}" "${includes[@]}" -fno-exceptions -fno-rtti -c "$cpp/tests/no_exceptions.cpp" \
    -o "$work/no_exceptions.o"
for example in "$cpp"/examples/*.cpp; do
    compile g++ -std=c++17 "${warnings[@]}" "${sanitize[@]}" "${includes[@]}" "$example" "${link[@]}" \
        -o "$work/example_$(basename "$example" .cpp)"
done
compile_all
g++ "$work/no_exceptions.o" "$work/mixed.o" "$work/check.o" "${link[@]}" -o "$work/no_exceptions"

# The tests call every function that the header uses.
for test in "${tests[@]}"; do
    nm --undefined-only --format=posix "$work/$test"
done | sed -n 's/^\(cos_slice_[a-z0-9_]*\).*/\1/p' | sort -u >"$work/called"
while read -r name; do
    grep -qx "$name" "$work/called" || grep -qw "^$name" "$left_out" || die "no test calls $name"
done <<<"$functions"

### They run

# serve OPTION…: an emulator; sets address, and folder, which it has for itself.
serve() {
    folder=$(mktemp -d --tmpdir="$work")
    mkfifo "$folder/says"
    "$stage/bin/cos-emulator" --dir "$folder/store" --listen 127.0.0.1:0 --app-id 1251668577 --secret-id AKIDtest \
        --secret-key secret "$@" >"$folder/says" &
    emulators+=("$!")
    read -r _ _ _ address <"$folder/says" || die "the emulator did not start"
}
serve --tls
export TLS_ENDPOINT=$address TLS_AUTHORITY=$folder/store/state/tls/ca.pem
serve
endpoint=$address
export STORE=$folder/store
for test in "${tests[@]}" allocations versions no_exceptions; do
    mkdir "$work/$test.files"
    "$work/$test" "$endpoint" "$work/$test.files" || die "$test failed"
done
bindings/cpp/examples/run.sh "$work/example_" "$endpoint" "$work"

### The README says what is so

serve
ENDPOINT=$address bindings/cpp/tests/readme.sh "$work"

echo "cpp.sh: $(wc -l <"$work/called") functions called by ${#tests[@]} programs of tests"
