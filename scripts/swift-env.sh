#!/usr/bin/env bash
# swift-env.sh: runs a command with Swift 6.0 or later at hand.
#
#   swift-env.sh setup              makes sure that there is such a Swift, and says where
#   swift-env.sh run COMMAND…       runs the command with it, in the current directory
#   swift-env.sh remove             removes what setup made
#
# A Swift that is new enough on PATH is used as it is. Otherwise, on Debian and as root, setup unpacks a Debian 13,
# which has Swift, into COS_SLICE_SWIFT_ROOT (default /var/cache/cos-slice/swift), once: 2.75 GB and a minute or two. The
# command then runs in there (chroot). It sees the repository and the folders in COS_SLICE_SWIFT_BIND (with ":" between
# them) where they are outside; they are mounted for that command alone, so nothing stays mounted, whatever ends it.
#
# NO_INSTALL=1 forbids to make it. Without a Swift everything fails.
set -euo pipefail

root=${COS_SLICE_SWIFT_ROOT:-/var/cache/cos-slice/swift}
oldest=6.0
suite=trixie
packages=(swiftlang libstdc++-14-dev pkg-config git ca-certificates)
# What a root is made of; one that was made of anything else is made anew.
recipe="1 $suite ${packages[*]}"
needed_mb=4500
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

here=$(cd "$(dirname "$0")/.." && pwd)

say() { printf 'swift-env.sh: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

version_of() { # version_of COMMAND…: what "swift --version" says, run by the command
    "$@" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1
}

new_enough() { # new_enough VERSION
    [ -n "$1" ] && [ "$(printf '%s\n' "$oldest" "$1" | sort -V | head -n 1)" = "$oldest" ]
}

# In a mount namespace of its own, so that mounts go with the process, also when it is killed.
inside() { # inside ROOT FOLDERS DIRECTORY COMMAND…: FOLDERS with ":" between them; replaces this process
    # shellcheck disable=SC2016 # it is the other shell that expands it
    exec unshare --mount --propagation private -- bash -c '
        set -euo pipefail
        root=$1 folders=$2 directory=$3
        shift 3
        mount --rbind /proc "$root/proc"
        mount --rbind /dev "$root/dev"
        if [ -e /etc/resolv.conf ]; then cat /etc/resolv.conf >"$root/etc/resolv.conf"; fi
        IFS=:
        for folder in $folders; do
            [ -n "$folder" ] || continue
            mkdir -p "$root$folder"
            mount --rbind "$folder" "$root$folder"
        done
        unset IFS
        exec chroot "$root" env -u TMPDIR PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
            bash -c "cd -- \"\$1\" && shift && exec \"\$@\"" bash "$directory" "$@"
    ' bash "$@"
}

is_made() { [ -x "$root/usr/bin/swiftc" ] && [ "$(cat "$root/.cos-slice-recipe" 2>/dev/null)" = "$recipe" ]; }

mirror() { # the Debian archive that this machine uses; nothing where it uses none
    # The text is apt's own format.
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
        { grep -v security || true; } | head -n 1
}

make_root() { # in a mount namespace, since debootstrap mounts too
    local part=$root.part archive
    rm -rf --one-file-system "$root" "$part"
    archive=$(mirror)
    [ -n "$archive" ] || fail "apt knows no Debian archive; run: apt-get update"
    say "unpacking Debian $suite into $root"
    debootstrap --variant=minbase --keyring="$keyring" "$suite" "$part" "$archive" >"$root.log" 2>&1
    printf '%s\n' 'Acquire::Retries "5";' 'Acquire::Languages "none";' 'APT::Install-Recommends "false";' \
        >"$part/etc/apt/apt.conf.d/10cos-slice"
    # Nothing is to be started by an installation.
    printf '#!/bin/sh\nexit 101\n' >"$part/usr/sbin/policy-rc.d"
    chmod 755 "$part/usr/sbin/policy-rc.d"
    say "installing ${packages[*]}"
    (inside "$part" '' / sh -c 'export DEBIAN_FRONTEND=noninteractive
        apt-get update -q && apt-get install -qy "$@" && apt-get clean' sh "${packages[@]}") >>"$root.log" 2>&1 </dev/null
    try_out "$part"
    printf '%s\n' "$recipe" >"$part/.cos-slice-recipe"
    # From here on it counts as made: whatever ended before leaves only a part, which the next run throws away.
    mv "$part" "$root"
}

try_out() { # try_out ROOT: it compiles, and what it compiled runs
    local version
    version=$( (inside "$1" '' / swift --version) 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)
    new_enough "$version" || fail "Debian $suite has Swift ${version:-none}, $oldest or later is needed"
    mkdir -p "$1/tmp/hello"
    printf 'import Foundation\nprint("hello", Date() > .distantPast)\n' >"$1/tmp/hello/main.swift"
    [ "$( (inside "$1" '' /tmp/hello sh -c 'swiftc main.swift -o hello && ./hello') 2>>"$root.log")" = 'hello true' ]
    rm -rf "$1/tmp/hello"
}

setup() {
    if is_made; then return; fi
    if [ "$(id -u)" != 0 ] || [ -n "${NO_INSTALL:-}" ] || ! command -v apt-get >/dev/null; then
        fail "no Swift $oldest or later on PATH; install one from https://www.swift.org/install (on Debian this" \
            "script makes one when run as root without NO_INSTALL)"
    fi
    [[ $root = /* && $root != *[[:space:]:]* ]] ||
        fail "COS_SLICE_SWIFT_ROOT must be an absolute path without a space or colon, since debootstrap takes no other: $root"
    mkdir -p "$(dirname "$root")"
    local free_mb
    free_mb=$(($(df --output=avail -k "$(dirname "$root")" | tail -n 1) / 1024))
    [ "$free_mb" -ge "$needed_mb" ] || fail "$needed_mb MB are needed beside $root, $free_mb MB are free"
    exec 9>"$root.lock"
    flock 9
    if is_made; then return; fi # by another, while this one waited
    if ! command -v debootstrap >/dev/null || [ ! -e "$keyring" ]; then
        say "installing debootstrap"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends debootstrap debian-archive-keyring >/dev/null
    fi
    # It has the lock too: what goes on when this script is killed must not meet the next one's attempt.
    if ! unshare --mount --propagation private -- "$0" make-root; then
        if [ -e "$root.log" ]; then tail -n 20 "$root.log" >&2; fi
        fail "could not make a Swift in $root; the end of $root.log is above"
    fi
    exec 9>&-
    say "made: $root"
}

run() {
    if new_enough "$(version_of swift)"; then exec "$@"; fi
    setup
    inside "$root" "$here:${COS_SLICE_SWIFT_BIND:-}" "$PWD" "$@"
}

case ${1:-} in
    setup)
        if new_enough "$(version_of swift)"; then
            say "Swift $(version_of swift) at $(command -v swift)"
        else
            setup
            say "Swift in $root"
        fi
        ;;
    run)
        [ $# -gt 1 ] || fail 'run what?'
        shift
        run "$@"
        ;;
    remove) rm -rf --one-file-system "$root" "$root.part" "$root.log" "$root.lock" ;;
    make-root) make_root ;;
    *)
        sed -n '2,/^set -/{s/^# \{0,1\}//p}' "$0" >&2
        exit 2
        ;;
esac
