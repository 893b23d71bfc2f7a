#!/usr/bin/env bash
# link.sh RELEASE WHOLE: makes RELEASE/lib, the libraries as they are installed: the static one of the archive that cargo left in
# RELEASE, and the shared one of the archive WHOLE, which cargo made with the profile "shared".
#
# cargo's own shared library has no symbol versions, and can't get any: rustc gives the linker a script for symbols, and a
# linker takes only one. So the archive is linked once more, with a script that is made of abi/exports.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

release=${1:?usage: link.sh RELEASE WHOLE}
whole=${2:?usage: link.sh RELEASE WHOLE}
archive=$release/libcos_slice.a
# What the archive wants of the system, as rustc told when it made it.
wanted=$release/native-static-libs.txt
folder=$release/lib

if [ "$(uname -s)" != Linux ]; then
    echo "link.sh: the shared library is arranged for Linux only; cargo-c can make one elsewhere" >&2
    exit 1
fi
for file in "$archive" "$whole" "$wanted"; do
    [ -s "$file" ] || { echo "link.sh: $file is missing; run: make clean build" >&2; exit 1; }
done

abi=$(sed -n 's/^#define COS_SLICE_ABI_VERSION //p' include/cos_slice.h)
version=$(sed -n '/^\[workspace.package\]/,/^version/s/^version = "\(.*\)"/\1/p' Cargo.toml)
mapfile -t exports < <(grep '^cos_slice_' abi/exports.txt)
read -ra system <<<"$(<"$wanted")"

mkdir -p "$folder"
work=$(mktemp -d "$folder/link.XXXXXX")
trap 'rm -rf "$work"' EXIT

{
    printf 'COS_SLICE_%s {\n  global:\n' "$abi"
    printf '    %s;\n' "${exports[@]}"
    printf '  local:\n    *;\n};\n'
} >"$work/symbols"

# Asking for the exports is what gets them, and what they need, out of the archive. The library stays mapped (nodelete): a name
# lookup that the system will not let go may outlive the last client. The rest is what rustc asks of the linker.
cc -shared -o "$work/shared" "${exports[@]/#/-Wl,--undefined=}" "$whole" "${system[@]}" \
    -Wl,-soname,"libcos_slice.so.$abi" -Wl,--version-script="$work/symbols" \
    -Wl,-z,nodelete,-z,defs,-z,relro,-z,now,-z,noexecstack \
    -Wl,--gc-sections,--as-needed,--eh-frame-hdr,--strip-all,-O1
chmod 755 "$work/shared"
cp "$archive" "$work/static"
strip --strip-debug "$work/static"
chmod 644 "$work/static"

# Renamed into place, so that a program that runs with the old one keeps it.
mv -f "$work/static" "$folder/libcos_slice.a"
mv -f "$work/shared" "$folder/libcos_slice.so.$version"
ln -sf "libcos_slice.so.$version" "$folder/libcos_slice.so.$abi"
ln -sf "libcos_slice.so.$abi" "$folder/libcos_slice.so"
