#!/usr/bin/env bash
# demo.sh: a C program uploads a file, is killed in the middle, runs again, and only sends what is missing.
#
# Wants what `make build` makes. Leaves no process and no file behind.
set -euo pipefail
cd "$(dirname "$0")/.."

size=$((256 * 1024 * 1024))
slices=256
kill_after=110 # slices acknowledged: between a third and two thirds
hold_after=150 # the emulator answers no more slices than this before the kill, however late that comes
bucket=videos
path=/2026/big.bin

say() { printf '\n== %s\n' "$*"; }
die() { echo "demo.sh: $*" >&2; exit 1; }

built=$(realpath "${CARGO_TARGET_DIR:-target}/release")
folder=$(mktemp -d)
emulator='' client='' waiter=''
finish() {
    local process
    for process in $client $waiter $emulator; do
        kill -KILL "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# control METHOD TARGET [BODY]: asks the emulator's control API; prints the answer's body.
control() {
    local connection body=${3:-} head status
    exec {connection}<>"/dev/tcp/127.0.0.1/$port"
    printf '%s /_emulator/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' \
        "$1" "$2" "${#body}" "$body" >&"$connection"
    read -r _ status _ <&"$connection"
    while read -r head <&"$connection" && [ "$head" != $'\r' ]; do :; done
    cat <&"$connection"
    exec {connection}>&-
    [ "$status" = 200 ] || die "the emulator's control API answered $status to $1 $2"
}

# slices_acknowledged: how many slices the emulator has taken since it started, by its request log.
slices_acknowledged() {
    control GET 'wait?operation=upload_slice_data&outcome_code=0&count=0' | tr -cd 0-9
}

start_emulator() {
    coproc SERVICE { exec "$built/cos-emulator" --dir "$folder/cos-data" --listen 127.0.0.1:0 \
        --app-id 1251668577 --secret-id AKIDtest --secret-key secret; }
    emulator=$SERVICE_PID
    read -r greeting <&"${SERVICE[0]}" || die "the emulator did not start"
    echo "$greeting"
    endpoint=${greeting##* }
    port=${endpoint##*:}
}

stop_emulator() {
    kill -TERM "$emulator"
    wait "$emulator" || die "the emulator did not end well"
    emulator=
}

say "The service: cos-emulator on a folder"
start_emulator

say "The program: bindings/c/examples/upload.c"
compile=(cc -std=c99 -Wall -Wextra -pedantic -Werror -Iinclude -o "$folder/upload" bindings/c/examples/upload.c
    "-L$built/lib" -lcos_slice "-Wl,-rpath,$built/lib")
echo "${compile[*]}"
"${compile[@]}"

say "The file: 256 MiB of random bytes"
head -c "$size" /dev/urandom >"$folder/big.bin"
wanted=$(sha1sum <"$folder/big.bin")
echo "SHA-1 ${wanted%% *}"

say "First run, over a network with 50 ms of delay; killed with SIGKILL after $kill_after of $slices slices"
control POST faults "[
    {\"operation\":\"upload_slice_data\",\"nth\":$((hold_after + 1)),\"times\":0,\"action\":{\"hang\":\"before\"}},
    {\"operation\":\"upload_slice_data\",\"times\":0,\"action\":{\"delay_ms\":50}}]" >/dev/null
"$folder/upload" "$endpoint" "$bucket" "$path" "$folder/big.bin" &
client=$!
control GET "wait?operation=upload_slice_data&outcome_code=0&count=$kill_after&timeout_ms=120000" >/dev/null &
waiter=$!
status=0
wait -n -p ended "$client" "$waiter" || status=$?
[ "$ended $status" = "$waiter 0" ] || die "there was nothing to kill: process $ended ended with status $status"
waiter=
kill -KILL "$client"
wait "$client" 2>/dev/null || true
client=
echo
echo "killed; the service acknowledged $(slices_acknowledged) of $slices slices"
[ ! -e "$folder/cos-data/objects/$bucket$path" ] || die "there is an object already"

say "Second run, after the service was restarted too"
stop_emulator
start_emulator
url=$("$folder/upload" "$endpoint" "$bucket" "$path" "$folder/big.bin") || die "the second run failed"
sent=$(slices_acknowledged)
echo
echo "sent $sent slices; skipped $((slices - sent)) of $slices that the service had"
if [ "$sent" -le 0 ] || [ "$sent" -gt $((slices - kill_after)) ]; then die "that is not what resuming means"; fi

say "The object"
found=$(sha1sum <"$folder/cos-data/objects/$bucket$path")
echo "SHA-1 ${found%% *}"
[ "$found" = "$wanted" ] || die "the object is not the file"
echo "identical to the file, at $url"
stop_emulator
