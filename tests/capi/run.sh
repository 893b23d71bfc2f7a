#!/bin/bash
# Runs the C programs against a built library and a built emulator, and compares the object with the file.
#
#   run.sh DIR_OF_LIBRARY EMULATOR_BINARY [WRAPPER…]
#
# The library there is linked as LINK says, shared unless set. See programs.sh for wrappers, CC, CFLAGS and LDFLAGS.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: $0 DIR_OF_LIBRARY EMULATOR_BINARY [WRAPPER...]" >&2
    exit 2
fi
library=$1 emulator=$2 link=${LINK:-shared}
shift 2
here=$(cd "$(dirname "$0")" && pwd)
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

mkfifo "$work/says"
"$emulator" --dir "$work/store" --listen 127.0.0.1:0 --app-id 1251668577 --secret-id AKIDtest --secret-key secret \
    >"$work/says" &
emulator_pid=$!
# Its only line; the end of the file, and so an error, if it could not start.
read -r _ _ _ endpoint <"$work/says"

"$here/programs.sh" "$link" "$library" "$endpoint" "$work/programs" "$@"
cmp "$work/programs/content" "$work/store/objects/printed/2026/$link.bin"
