#!/usr/bin/env bash
# abi.sh [baseline]: whether programs that were built against the baseline of this soname, abi/N, work with today's header and
# library; with "baseline", renews that baseline, which is what a release does.
#
# What C sees of the library is its header, so that is what is compared: a library of the header's functions, without what
# they do, has the description of their types that abidw reads. That the header is what the library has is tested elsewhere
# (the stage "header", tests/abi.rs). Then a program that was built against the baseline runs with the library of STAGE.
set -euo pipefail
cd "$(dirname "$0")/.."

stage=${STAGE:-build/stage}
number=$(sed -n 's/^#define COS_SLICE_ABI_VERSION //p' include/cos_slice.h)
soname=libcos_slice.so.$number
baseline=abi/$number
lists='exports.txt status.txt constants.txt'
folder=$(mktemp -d)
emulator_pid=
finish() {
    if [ -n "$emulator_pid" ]; then
        kill "$emulator_pid" 2>/dev/null || true
        wait "$emulator_pid" || true
    fi
    rm -rf "$folder"
}
trap finish EXIT

hollow() { # hollow HEADER FOLDER: a library of the header's functions, which do nothing, and the description of their types
    mkdir -p "$2"
    cp "$1" "$2/cos_slice.h"
    awk '/^COS_SLICE_API/ { inside = 1 }
        inside && /\);$/ { sub(/\);$/, ") { __builtin_trap(); }"); inside = 0 }
        { print }' "$2/cos_slice.h" >"$2/hollow.c"
    (
        # Without a path, so that the description is the same on every machine.
        cd "$2"
        echo "COS_SLICE_$number { global: cos_slice_*; local: *; };" >symbols
        cc -std=c99 -g -O0 -shared -fPIC -Wl,-soname,"$soname" -Wl,--version-script=symbols hollow.c -o "$soname"
        abidw --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed --no-architecture \
            --out-file cos_slice.abi "$soname"
    )
}

# The fields of a structure, one a line, without comments.
fields() { # fields HEADER STRUCTURE
    awk -v end="} $2;" '/^typedef struct {/ { found = "" } { found = found $0 "\n" } $0 == end { printf "%s", found; exit }' "$1" |
        sed -n 's/^ *\([^ /*{}][^{}]*;\)$/\1/p'
}

# Fails, and says why, unless the second header only adds to the first, each a folder of hollow's. abidiff has no word for a
# structure that grows at its end and changes in nothing else, so fields are compared as they are written.
differences() { # differences FOLDER FOLDER
    local structure count
    abidiff --harmless --no-added-syms --no-show-locs --suppressions "$folder/structures" \
        "$1/cos_slice.abi" "$2/cos_slice.abi" >"$folder/report" || {
        cat "$folder/report"
        return 1
    }
    sed -n 's/^} \(cos_slice_[a-z_]*\);$/\1/p' "$1/cos_slice.h" >"$folder/names"
    while read -r structure; do
        fields "$1/cos_slice.h" "$structure" >"$folder/fields"
        count=$(wc -l <"$folder/fields")
        fields "$2/cos_slice.h" "$structure" | head -n "$count" | diff "$folder/fields" - || {
            echo "$structure does not begin with the fields that it had"
            return 1
        }
    done <"$folder/names"
}

# The comparison is only worth something if it finds what breaks programs.
must_find() { # must_find WHAT SED_SCRIPT
    sed -z "$2" include/cos_slice.h >"$folder/changed.h"
    if cmp -s include/cos_slice.h "$folder/changed.h"; then
        echo "abi.sh: the header can't be changed so: $1" >&2
        exit 1
    fi
    hollow "$folder/changed.h" "$folder/changed"
    if differences "$folder/now" "$folder/changed" >"$folder/found"; then
        echo "abi.sh: what breaks programs was not found: $1" >&2
        exit 1
    fi
}

must_pass() { # must_pass WHAT SED_SCRIPT
    sed -z "$2" include/cos_slice.h >"$folder/changed.h"
    hollow "$folder/changed.h" "$folder/changed"
    if cmp -s "$folder/now/cos_slice.abi" "$folder/changed/cos_slice.abi"; then
        echo "abi.sh: the header can't be changed so: $1" >&2
        exit 1
    fi
    differences "$folder/now" "$folder/changed" || {
        echo "abi.sh: what harms no program is refused: $1" >&2
        exit 1
    }
}

check_comparison() {
    must_find 'a function is gone' 's/COS_SLICE_API\nint32_t cos_slice_upload_verified([^;]*;//'
    must_find 'a parameter has another type' 's/\(cos_slice_client_set_connections([^;]*\)int32_t connections/\1int64_t connections/'
    must_find 'a parameter more' 's/\(cos_slice_upload_set_hash([^;]*int32_t on\)/\1, int32_t not_there_yet/'
    must_find 'another result' 's/int32_t cos_slice_upload_verified/int64_t cos_slice_upload_verified/'
    must_find 'fields in another order' \
        's/uint64_t total;/uint64_t first;/; s/uint64_t acknowledged;/uint64_t total;/; s/uint64_t first;/uint64_t acknowledged;/'
    must_find 'a field before others' 's/uint64_t total;/uint64_t not_there_yet;\n    &/'
    must_find 'a field less' 's/uint64_t retries;//'
    must_find 'a callback with another parameter' 's/\(cos_slice_read_at_fn)(\)uint64_t offset/\1uint32_t offset/'
    must_find 'fields in another order, and one more' \
        's/uint64_t total;/int64_t total;/; s/\n} cos_slice_progress;/\n    uint64_t not_there_yet;&/'
    must_pass 'a function more' 's/COS_SLICE_API\nint32_t cos_slice_upload_verified/COS_SLICE_API\nint32_t cos_slice_not_there_yet(void);\n&/'
    must_pass 'a field at the end' 's/\n} cos_slice_progress;/\n    uint64_t not_there_yet;&/'
}

check_types() {
    if ! differences "$baseline" "$folder/now"; then
        echo "abi.sh: programs that were built against $baseline/cos_slice.h would break" >&2
        exit 1
    fi
}

tables() { # C tables of what the lists of the baseline name
    echo '#include <stddef.h>'
    echo '#include "cos_slice.h"'
    echo 'typedef void (*function)(void);'
    echo 'extern const function functions[]; extern const size_t function_count;'
    echo 'struct status { int32_t number; const char *name; };'
    echo 'extern const struct status statuses[]; extern const size_t status_count;'
    echo 'const function functions[] = {'
    sed -n 's/^cos_slice_.*/    (function)&,/p' "$baseline/exports.txt"
    printf '%s\n' '};' 'const struct status statuses[] = {'
    sed -n 's/^\(-*[0-9]*\) \(COS_SLICE_.*\)$/    { \1, "\2" },/p' "$baseline/status.txt"
    echo '};'
    echo 'const size_t function_count = sizeof functions / sizeof *functions;'
    echo 'const size_t status_count = sizeof statuses / sizeof *statuses;'
}

# A program that never saw today's header or library, until it runs.
check_program() {
    local endpoint
    hollow "$baseline/cos_slice.h" "$folder/then"
    tables >"$folder/tables.c"
    cc -std=c99 -Wall -Wextra -pedantic -Werror "-I$baseline" "$baseline/program.c" "$folder/tables.c" \
        "$folder/then/$soname" -o "$folder/program"
    mkfifo "$folder/says"
    "$stage/bin/cos-emulator" --dir "$folder/store" --listen 127.0.0.1:0 --app-id 1251668577 --secret-id AKIDtest \
        --secret-key secret >"$folder/says" &
    emulator_pid=$!
    read -r _ _ _ endpoint <"$folder/says"
    head -c 3000000 /dev/urandom >"$folder/content"
    LD_BIND_NOW=1 LD_LIBRARY_PATH=$stage/lib timeout 60 "$folder/program" "$endpoint" "$folder/content"
    cmp "$folder/content" "$folder/store/objects/then/2026/program.bin"
}

renew() {
    if [ -e "$baseline/cos_slice.abi" ]; then
        check_types
    fi
    mkdir -p "$baseline"
    cp include/cos_slice.h "$folder/now/cos_slice.abi" "$baseline"
    for list in $lists; do
        cp "abi/$list" "$baseline"
    done
    echo "abi.sh: $baseline is what the header and the lists say now"
}

if [ $# -gt 0 ] && [ "$1" != baseline ]; then
    echo "usage: abi.sh [baseline]" >&2
    exit 2
fi
printf '%s\n' '[suppress_type]' 'type_kind = struct' 'name_regexp = ^cos_slice_' >"$folder/structures"
hollow include/cos_slice.h "$folder/now"
if [ $# -gt 0 ]; then
    renew
    exit
fi
check_comparison
check_types
check_program
