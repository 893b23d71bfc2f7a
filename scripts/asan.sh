#!/usr/bin/env bash
# asan.sh EMULATOR: the C programs and the library under AddressSanitizer and LeakSanitizer, and the C programs under
# UndefinedBehaviorSanitizer too, which Rust has no use for.
#
# The Rust side is instrumented too, and served by the C compiler's runtime. Programs with defects show first that they
# are found.
set -euo pipefail
cd "$(dirname "$0")/.."

emulator=${1:?usage: asan.sh EMULATOR}
triple=x86_64-unknown-linux-gnu
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/asan
if [ "$(rustc -vV | sed -n 's/^host: //p')" != "$triple" ]; then
    echo "asan.sh: only $triple is arranged for" >&2
    exit 1
fi

# The sanitizer is not part of stable Rust; the variable lets the stable compiler use it nonetheless. A target that is
# named keeps it out of build scripts and macros.
RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo build --locked --package cos-slice --lib \
    --target "$triple" --target-dir "$target"

library=$target/$triple/debug

export CFLAGS='-g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$library/libcos_slice.so" "$folder/libcos_slice.so.0"

must_find() { # must_find REPORT STATEMENTS: a program of these statements ends with that report
    # In a thread that ends: what is left of pointers on a stack that is still in use would hide a leak.
    echo "#include <cos_slice.h>
#include <pthread.h>
static void *run(void *unused) { (void)unused; $2 return NULL; }
int main(void) {
    pthread_t thread;
    return pthread_create(&thread, NULL, run, NULL) != 0 || pthread_join(thread, NULL) != 0;
}" >"$folder/defect.c"
    # The flags are meant to be split.
    # shellcheck disable=SC2086
    cc $CFLAGS -pthread -Iinclude "$folder/defect.c" "$library/libcos_slice.so" -Wl,-rpath,"$folder" -o "$folder/defect"
    if "$folder/defect" >"$folder/report" 2>&1 || ! grep -q "$1" "$folder/report"; then
        echo "asan.sh: a defect was not found: $1" >&2
        exit 1
    fi
}
must_find 'detected memory leaks' \
    'int i; for (i = 0; i < 10; i++) cos_slice_client_new();'
must_find 'heap-use-after-free' \
    'cos_slice_client *client = cos_slice_client_new(); cos_slice_client_free(client); cos_slice_client_free(client);'
must_find 'signed integer overflow' \
    'volatile int32_t status = cos_slice_status_name(0) != 0 ? INT32_MAX : 0; status++;'

for link in shared static; do
    echo "asan.sh: $link"
    LINK=$link tests/capi/run.sh "$library" "$emulator"
done
