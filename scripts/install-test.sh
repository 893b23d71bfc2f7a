#!/usr/bin/env bash
# install-test.sh: what `make install`, `make dist` and `make uninstall` leave is what users need.
#
# Programs are built outside the tree, against nothing but what was installed, in the ways that users build them, and run
# against the emulator that was installed. The folder has a space in its name.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
emulator=
finish() {
    if [ -n "$emulator" ]; then
        kill "$emulator" 2>/dev/null || true
        wait "$emulator" || true
    fi
    rm -rf "$work"
}
trap finish EXIT

fail() {
    echo "install-test.sh: $*" >&2
    exit 1
}
same() { # same WHAT EXPECTED FOUND
    if [ "$2" != "$3" ]; then
        diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") >&2 || true
        fail "$1 (expected: <, found: >)"
    fi
}

outside="$work/a user folder"
prefix="$outside/prefix"
version=$(sed -n '/^\[workspace.package\]/,/^version/s/^version = "\(.*\)"/\1/p' Cargo.toml)
abi=$(sed -n 's/^#define COS_SLICE_ABI_VERSION //p' include/cos_slice.h)
# What rustc says that an empty library wants: so ours may want nothing besides.
system=$(rustc --crate-type staticlib --crate-name empty --print native-static-libs -o "$work/empty.a" - </dev/null 2>&1 |
    sed -n 's/^note: native-static-libs: //p')
# The most bytes that the shared library may have, TLS and all: it also goes where there is little room.
largest_library=2500000
mkdir -p "$outside"
head -c 1500000 /dev/urandom >"$outside/content"
unset CPATH LIBRARY_PATH LD_LIBRARY_PATH PKG_CONFIG_PATH PKG_CONFIG_LIBDIR CMAKE_PREFIX_PATH

make_install() { # without building: what was built is what is installed
    make --no-print-directory CARGO=false "$@" PREFIX="$prefix" >"$work/make.log" || { cat "$work/make.log"; return 1; }
}

start_emulator() { # start_emulator PREFIX
    mkfifo "$work/says"
    "$1/bin/cos-emulator" --dir "$work/store" --listen 127.0.0.1:0 --app-id 1251668577 --secret-id AKIDtest --secret-key secret \
        >"$work/says" &
    emulator=$!
    # Its only line; the end of the file, and so an error, if it could not start.
    read -r _ _ _ endpoint <"$work/says"
    rm "$work/says"
}

names=0
uploads() { # uploads PROGRAM…: it uploads the file that is its last argument; what the service then has is that file
    names=$((names + 1))
    "$@" "$endpoint" bucket "/$names.bin" "$outside/content" >"$work/url" 2>"$work/stderr" || {
        cat "$work/stderr" >&2
        fail "$* did not upload"
    }
    cmp "$outside/content" "$work/store/objects/bucket/$names.bin"
}

needs_shared() { # needs_shared yes|no PROGRAM
    local found=no
    ! readelf -d "$2" | grep -qF "[libcos_slice.so.$abi]" || found=yes
    same "whether $2 needs the shared library" "$1" "$found"
}

check_shared_library() { # check_shared_library FILE
    local dynamic symbols
    dynamic=$(readelf -dW "$1")
    [[ $dynamic == *"soname: [libcos_slice.so.$abi]"* ]] || fail "the soname is wrong: $dynamic"
    [[ $dynamic == *NODELETE* ]] || fail "the library would be unloaded: $dynamic"
    [[ $dynamic != *TEXTREL* && $dynamic != *RUNPATH* && $dynamic != *RPATH* ]] || fail "code that is relocated, or a path: $dynamic"
    [[ $(readelf -SW "$1") != *' .symtab '* ]] || fail 'the library has symbols for nobody but debuggers'
    [ "$(stat -c %s "$1")" -le "$largest_library" ] || fail "the library has $(stat -c %s "$1") bytes, more than $largest_library"
    # The version is a symbol too.
    symbols=$(nm -D --defined-only "$1" | awk '$3 != "COS_SLICE_'"$abi"'" { print $3 }' | LC_ALL=C sort)
    same 'the symbols that the library defines' \
        "$(grep '^cos_slice_' abi/exports.txt | sed "s/\$/@@COS_SLICE_$abi/" | LC_ALL=C sort)" "$symbols"
}

check_with_pkg_config() { # check_with_pkg_config PREFIX
    local program="$work/by pkg-config" library
    export PKG_CONFIG_PATH="$1/lib/pkgconfig"
    same 'what the static library wants of the system' "$system" \
        "$(sed -n 's/^Libs.private: //p' "$1/lib/pkgconfig/cos_slice.pc")"
    for library in cos_slice cos_slice-static; do
        same "the version of $library" "$version" "$(pkg-config --modversion "$library")"
        # With eval, because pkg-config writes a backslash before a space.
        (cd "$outside" && eval "cc -std=c99 -Wall -Werror upload.c $(pkg-config --cflags --libs "$library") -o '$program'")
        case $library in
        cos_slice)
            needs_shared yes "$program"
            uploads env LD_LIBRARY_PATH="$1/lib" "$program"
            ;;
        *)
            needs_shared no "$program"
            uploads "$program"
            ;;
        esac
    done
    # Where there is only the archive, as for programs that are linked statically altogether.
    mkdir "$work/archive only"
    cp "$1/lib/libcos_slice.a" "$work/archive only"
    (cd "$outside" && eval "cc upload.c $(pkg-config --cflags cos_slice) '-L$work/archive only' \
        $(pkg-config --static --libs-only-l cos_slice) -o '$program'")
    needs_shared no "$program"
    uploads "$program"
    rm -r "$work/archive only"
    unset PKG_CONFIG_PATH
}

check_with_cmake() { # check_with_cmake PREFIX
    local build="$work/by cmake" major=${version%%.*} minor program
    minor=$(cut -d. -f2 <<<"$version")
    cmake -S "$outside/project" -B "$build" -DCMAKE_PREFIX_PATH="$1" -DCMAKE_BUILD_TYPE=Release \
        -DEXACT_VERSION="$version" -DTAKEN_VERSIONS="$major;$major.$minor;$version;$major.$minor...<$major.$((minor + 1))" \
        -DREFUSED_VERSIONS="$major.$((minor + 1));$((major + 1));$version.1;99...100" >"$work/cmake.log" ||
        { cat "$work/cmake.log"; return 1; }
    cmake --build "$build" --parallel 2 >"$work/cmake.log" || { cat "$work/cmake.log"; return 1; }
    for program in shared shared_cpp; do needs_shared yes "$build/$program"; done
    for program in static static_cpp; do needs_shared no "$build/$program"; done
    for program in shared shared_cpp static static_cpp; do uploads "$build/$program"; done
    rm -r "$build"
}

check_two_rust_libraries() { # check_two_rust_libraries PREFIX
    local flags=(-std=c99 -Wall -Wextra -pedantic -Werror "-I$1/include" tests/install/two_libraries.c) libraries link
    read -ra libraries <<<"$system"
    rustc --edition 2024 -O --crate-type staticlib --crate-name other -o "$work/libother.a" tests/install/other.rs
    for link in "$1/lib/libcos_slice.a" "$1/lib/libcos_slice.so"; do
        cc "${flags[@]}" "$link" "$work/libother.a" "${libraries[@]}" "-Wl,-rpath,$1/lib" -o "$work/two"
        "$work/two" "$endpoint" >"$work/two.log" 2>&1 || { cat "$work/two.log"; fail "with $link"; }
    done
}

check_man_pages() { # check_man_pages PREFIX
    local name text said heading option
    for name in cos-slice cos-slice-upload cos-slice-status cos-emulator; do
        said=$(groff -k -man -ww -Tutf8 -P-cbou "$1/share/man/man1/$name.1" 2>&1 >"$work/page")
        [ -z "$said" ] || fail "$name.1: $said"
        text=$(sed 's/\xe2\x80\x90/-/g' "$work/page")
        [[ $text == *"cos-slice $version  "* ]] || fail "$name.1 does not tell the version"
        for heading in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
            grep -qx "$heading" <<<"$text" || fail "$name.1 has no $heading"
        done
        # cos-slice-upload is the page of: cos-slice upload
        for option in $("$1/bin/"${name/slice-/slice } --help | grep -oE '^ *(-., )?--[a-z0-9-]+' | grep -oE -e '--.*'); do
            grep -q -e "$option\b" <<<"$text" || fail "$name.1 does not tell of $option"
        done
    done
}

check_completions() { # check_completions PREFIX
    local found
    # shellcheck disable=SC2016 # it is the other shell that expands it
    found=$(bash --norc --noprofile -c '
        source "$1"
        completes=$(complete -p cos-slice | sed "s/.* -F \([^ ]*\) .*/\1/")
        COMP_WORDS=(cos-slice upload --over) COMP_CWORD=2
        "$completes" cos-slice --over upload
        echo "${COMPREPLY[@]}"' bash "$1/share/bash-completion/completions/cos-slice")
    same 'what is completed' --overwrite "$found"
}

readme() { # readme LANGUAGE NUMBER: what stands in the block of that number, of those in that language, under Install
    awk -v fence="\`\`\`$1" -v number="$2" '
        /^## / { inside = $0 == "## Install" }
        /^```$/ { printing = 0 }
        printing
        inside && $0 == fence { printing = ++count == number }' README.md
}

check_readme() { # as somebody would who types it
    local home=$work/home install compile find
    install=$(readme sh 1) compile=$(readme sh 2) find=$(readme cmake 1)
    mkdir "$home"
    HOME=$home CARGO=false bash -euo pipefail -c "$install"
    cp bindings/c/examples/upload.c "$home"
    (cd "$home" && HOME=$home bash -euo pipefail -c "$compile")
    uploads "$home/upload"
    printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(upload C)' 'add_executable(upload upload.c)' "$find" \
        >"$home/CMakeLists.txt"
    cmake -S "$home" -B "$home/build" -DCMAKE_PREFIX_PATH="$home/.local" >"$work/cmake.log" || { cat "$work/cmake.log"; return 1; }
    cmake --build "$home/build" >"$work/cmake.log" || { cat "$work/cmake.log"; return 1; }
    needs_shared yes "$home/build/upload"
    uploads "$home/build/upload"
}

cp bindings/c/examples/upload.c "$outside"
cp -R tests/install/project "$outside/project"
cp bindings/c/examples/upload.c "$outside/project"

echo 'install-test.sh: installed'
make_install install
same 'a second install is the same' "$(cat "$prefix/share/doc/cos-slice/installed")" \
    "$(make_install install && cat "$prefix/share/doc/cos-slice/installed")"
start_emulator "$prefix"
check_shared_library "$prefix/lib/libcos_slice.so.$version"
check_with_pkg_config "$prefix"
check_with_cmake "$prefix"
check_two_rust_libraries "$prefix"
check_man_pages "$prefix"
check_completions "$prefix"
check_readme

echo 'install-test.sh: uninstalled'
touch "$prefix/lib/of somebody else"
make_install uninstall
same 'what is left' "$prefix/lib/of somebody else" "$(find "$prefix" ! -type d)"
rm -r "$prefix"
make_install install
if make_install uninstall DESTDIR=/nowhere >/dev/null 2>&1; then fail 'uninstalled from where nothing was installed'; fi
make_install uninstall
[ ! -e "$prefix" ] || fail "left behind: $(find "$prefix")"

echo 'install-test.sh: unpacked'
archive=$(make --no-print-directory CARGO=false dist)
first=$(sha256sum "$archive")
make --no-print-directory CARGO=false dist >/dev/null
same 'the archive of the same build' "$first" "$(sha256sum "$archive")"
mkdir "$outside/first" "$outside/second"
tar -C "$outside/first" -xf "$archive"
# Moved after it was unpacked.
mv "$outside"/first/* "$outside/second/moved"
unpacked=$outside/second/moved
check_shared_library "$unpacked/lib/libcos_slice.so.$version"
check_with_pkg_config "$unpacked"
check_with_cmake "$unpacked"
kill "$emulator" && wait "$emulator"
start_emulator "$unpacked"
COS_SLICE_ENDPOINT=$endpoint COS_SLICE_APP_ID=1251668577 COS_SLICE_SECRET_ID=AKIDtest COS_SLICE_SECRET_KEY=secret \
    "$unpacked/bin/cos-slice" upload --quiet --no-checkpoint --no-proxy "$outside/content" cos://bucket/command.bin >/dev/null
cmp "$outside/content" "$work/store/objects/bucket/command.bin"
for file in README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT; do cmp "$file" "$unpacked/$file"; done
