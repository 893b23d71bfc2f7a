#!/usr/bin/env bash
# run.sh PREFIX ENDPOINT FOLDER: runs the examples, compiled to PREFIXname, against an emulator, and looks at what they say.
set -euo pipefail

prefix=${1:?usage: run.sh PREFIX ENDPOINT FOLDER} endpoint=$2 folder=$3/examples
mkdir "$folder"
head -c 3000000 /dev/urandom >"$folder/content"
head -c 2000000 /dev/urandom >"$folder/other"

wants() { # wants PATTERN COMMAND…: the command succeeds and says on stdout what the pattern describes
    local pattern=$1 said
    shift
    said=$("$@" 2>"$folder/stderr") || { cat "$folder/stderr" >&2; echo "run.sh: $1 failed: $said" >&2; exit 1; }
    # The pattern is one.
    # shellcheck disable=SC2053
    [[ $said == $pattern ]] || { echo "run.sh: $1 said: $said" >&2; exit 1; }
}

wants "$endpoint/*/2026/big.mp4" "${prefix}upload" "$endpoint" cpp /2026/big.mp4 "$folder/content"
grep -q '3000000 of 3000000 bytes' "$folder/stderr"
wants $'memory: 3 bytes\nrange: 100 bytes\nread_at: 3000000 bytes\nstream: 5 bytes' \
    "${prefix}sources" "$endpoint" cpp "$folder/content" <<<'pipe'
wants $'refused: mallory may not upload to signed\nalice: http*/signed' \
    "${prefix}signer" "$endpoint" cpp /signed "$folder/content"
wants '*http*/*http*/*' "${prefix}many" "$endpoint" cpp "$folder/content" "$folder/other"
wants 'http*/errors' "${prefix}errors" "$endpoint" cpp /errors "$folder/content"
if said=$("${prefix}errors" "$endpoint" cpp /errors "$folder/other" 2>"$folder/stderr"); then
    echo "run.sh: errors replaced an object" >&2
    exit 1
fi
[ "$said" = COS_SLICE_ERR_OBJECT_EXISTS ]
grep -q "the service's code -177" "$folder/stderr"
grep -q 'choose another path' "$folder/stderr"
