#!/usr/bin/env bash
# dist.sh RELEASE: packs what was built into build/cos-slice-VERSION-OS-ARCH.tar.gz, which works wherever it is unpacked.
#
# The same build gives the same file, byte for byte: times are SOURCE_DATE_EPOCH, else that of the last commit, else
# that of the changelog.
set -euo pipefail
cd "$(dirname "$0")/.."

release=${1:?usage: dist.sh RELEASE}
version=$(sed -n '/^\[workspace.package\]/,/^version/s/^version = "\(.*\)"/\1/p' Cargo.toml)
name=cos-slice-$version-$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)
time=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
mkdir -p build
work=$(mktemp -d build/dist.XXXXXX)
trap 'rm -rf "$work"' EXIT

root=/$name
DESTDIR=$PWD/$work RELOCATABLE=1 PREFIX=$root BINDIR=$root/bin LIBDIR=$root/lib INCLUDEDIR=$root/include DATADIR=$root/share \
    MANDIR=$root/share/man DOCDIR=$root scripts/install.sh install "$release"
# It tells where things were installed, which whoever unpacks decides.
rm "$work$root/installed"
tar --create --directory "$work" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mode=u+w,go-w \
    --mtime="@$time" "$name" | gzip --no-name --best >"$work/archive"
mv "$work/archive" "build/$name.tar.gz"
echo "build/$name.tar.gz"
