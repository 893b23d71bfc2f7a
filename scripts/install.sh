#!/usr/bin/env bash
# install.sh install|uninstall RELEASE: what `make install` and `make uninstall` do. Builds nothing.
#
# Everything is told by the environment: PREFIX, BINDIR, LIBDIR, INCLUDEDIR, DATADIR, MANDIR, DOCDIR, all absolute, and DESTDIR, which
# is put before each but is in no installed file. With RELOCATABLE=1 the files for pkg-config go by where they are themselves,
# which makes a sysroot or a standard prefix of them harder to see; so it is off unless the whole tree will be moved.
#
# A list of the files and folders that were made is installed too, and uninstalling goes by it.
set -euo pipefail
cd "$(dirname "$0")/.."

action=${1:?usage: install.sh install|uninstall RELEASE}
release=${2:?usage: install.sh install|uninstall RELEASE}
destdir=${DESTDIR:-}
for name in PREFIX BINDIR LIBDIR INCLUDEDIR DATADIR MANDIR DOCDIR; do
    # Two folders named in one make variable, or one that is not absolute, are mistakes that would be found late.
    [[ ${!name:-} = /* ]] || { echo "install.sh: $name must be an absolute path, and is \"${!name:-}\"" >&2; exit 2; }
done
manifest=$DOCDIR/installed

version=$(sed -n '/^\[workspace.package\]/,/^version/s/^version = "\(.*\)"/\1/p' Cargo.toml)
abi=$(sed -n 's/^#define COS_SLICE_ABI_VERSION //p' include/cos_slice.h)
cargo_field() { sed -n "s/^$1 = \"\(.*\)\"/\1/p" Cargo.toml | head -n 1; }

make_folder() { # make_folder PATH: also those above it; those that were not there are ours
    local folder=$1
    [ ! -d "$destdir$folder" ] || return 0
    make_folder "$(dirname "$folder")"
    mkdir -m 755 "$destdir$folder"
    installed+=("$folder/")
}

put() { # put MODE FILE DESTINATION
    make_folder "$(dirname "$3")"
    install -m "$1" "$2" "$destdir$3"
    installed+=("$3")
}

put_link() { # put_link TARGET DESTINATION
    ln -sfn "$1" "$destdir$2"
    installed+=("$2")
}

fill_in() { # fill_in TEMPLATE NAME=VALUE…: prints it with each @NAME@ replaced
    local text pair
    text=$(<"packaging/$1")
    shift
    for pair; do text=${text//"@${pair%%=*}@"/"${pair#*=}"}; done
    if [[ $text =~ @[a-z_]+@ ]]; then
        echo "install.sh: nothing was given for ${BASH_REMATCH[0]}" >&2
        return 1
    fi
    printf '%s\n' "$text"
}

put_filled_in() { # put_filled_in DESTINATION TEMPLATE NAME=VALUE…
    fill_in "${@:2}" >"$work/filled_in"
    put 644 "$work/filled_in" "$1"
}

# As in a shell; sed, because what & means in a substitution of bash depends on its version.
# shellcheck disable=SC2001
for_pkg_config() { sed "s/[[:space:]'\"\\\\]/\\\\&/g" <<<"$1"; }

below_prefix() { # with the variable in it where it can be, so that pkg-config can be told of another prefix
    # shellcheck disable=SC2153 # it comes from the environment
    case $1 in
    "$PREFIX"/*) printf '%s/%s' "\${prefix}" "$(for_pkg_config "${1#"$PREFIX"/}")" ;;
    *) for_pkg_config "$1" ;;
    esac
}

install_pkg_config() {
    local folder=$LIBDIR/pkgconfig prefix values library
    prefix=$(for_pkg_config "$PREFIX")
    # pkg-config replaces the variable by a path that is fit to be written here.
    [ -z "${RELOCATABLE:-}" ] || prefix="\${pcfiledir}/$(realpath -m --relative-to="$folder" "$PREFIX")"
    values=("prefix=$prefix" "libdir=$(below_prefix "$LIBDIR")" "includedir=$(below_prefix "$INCLUDEDIR")"
        "version=$version" "description=$(cargo_field description)" "license=$(sed -n 's/^license = "\(.*\)"/\1/p' Cargo.toml)"
        "system_libraries=$(<"$release/native-static-libs.txt")")
    for library in cos_slice cos_slice-static; do
        put_filled_in "$folder/$library.pc" "$library.pc.in" "${values[@]}"
    done
}

install_cmake() {
    local folder=$LIBDIR/cmake/cos_slice system
    read -ra system <<<"$(<"$release/native-static-libs.txt")"
    put_filled_in "$folder/cos_slice-config.cmake" cos_slice-config.cmake.in "version=$version" "abi=$abi" \
        "cmake_to_libdir=$(realpath -m --relative-to="$folder" "$LIBDIR")" \
        "cmake_to_includedir=$(realpath -m --relative-to="$folder" "$INCLUDEDIR")" \
        "cmake_system_libraries=$(IFS=';' && echo "${system[*]}")"
    put_filled_in "$folder/cos_slice-config-version.cmake" cos_slice-config-version.cmake.in "version=$version" \
        "major=${version%%.*}" "minor=$(cut -d. -f2 <<<"$version")" "pointer_size=$(($(getconf LONG_BIT) / 8))"
}

install_all() {
    local file program
    mkdir -p "$destdir/"
    # What was installed before, by an older version perhaps, is still ours.
    mapfile -t installed < <(cat "$destdir$manifest" 2>/dev/null)
    for program in cos-slice cos-emulator; do put 755 "$release/$program" "$BINDIR/$program"; done
    put 644 "$release/lib/libcos_slice.a" "$LIBDIR/libcos_slice.a"
    put 755 "$release/lib/libcos_slice.so.$version" "$LIBDIR/libcos_slice.so.$version"
    put_link "libcos_slice.so.$version" "$LIBDIR/libcos_slice.so.$abi"
    put_link "libcos_slice.so.$abi" "$LIBDIR/libcos_slice.so"
    for file in include/*; do put 644 "$file" "$INCLUDEDIR/${file##*/}"; done
    install_pkg_config
    install_cmake
    for file in "$release"/share/man/man1/*; do put 644 "$file" "$MANDIR/man1/${file##*/}"; done
    for file in bash-completion/completions zsh/site-functions fish/vendor_completions.d; do
        for program in "$release/share/$file"/*; do put 644 "$program" "$DATADIR/$file/${program##*/}"; done
    done
    for file in README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT; do put 644 "$file" "$DOCDIR/$file"; done
    installed+=("$manifest")
    printf '%s\n' "${installed[@]}" | LC_ALL=C sort -u >"$work/manifest"
    install -m 644 "$work/manifest" "$destdir$manifest"
}

uninstall_all() {
    local path
    if [ ! -f "$destdir$manifest" ]; then
        echo "install.sh: nothing to uninstall: there is no $destdir$manifest" >&2
        exit 1
    fi
    # What is in a folder comes before the folder.
    while IFS= read -r path; do
        case $path in
        */) rmdir --ignore-fail-on-non-empty "$destdir$path" 2>/dev/null || true ;;
        *) rm -f "$destdir$path" ;;
        esac
    done < <(LC_ALL=C sort -r "$destdir$manifest")
}

tell_loader() { # its cache has to be told of a change in the folders where it looks
    if [ -n "$destdir" ] || [ "$(id -u)" != 0 ]; then return; fi
    if ldconfig -N -X -v 2>/dev/null | sed -n 's|^\(/[^:]*\):.*|\1|p' | grep -qFx "$LIBDIR"; then ldconfig; fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case $action in
install) install_all ;;
uninstall) uninstall_all ;;
*) echo "install.sh: \"$action\" is neither install nor uninstall" >&2; exit 2 ;;
esac
tell_loader
