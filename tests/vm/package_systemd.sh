#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# package_systemd.sh DEB CACHE: boots systemd in a small Debian 12 in namespaces of its own and has it
# install, run, stop and purge the package (inside.sh). Root only. The tree is made once, in CACHE.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)

make_tree() {
    local deb=$1 tree=$2 depends
    depends=$(dpkg-deb -f "$deb" Depends | sed 's/([^)]*)//g; s/|[^,]*//g; s/ //g')
    # Provided by libspdlog1.10, whose virtual name cannot be asked for.
    depends=${depends//libspdlog1.10-fmt9/libspdlog1.10}
    mmdebstrap --quiet --format=tar --variant=minbase --include="systemd,systemd-sysv,$depends" bookworm \
        "$tree.part" 'deb http://deb.debian.org/debian bookworm main' \
        'deb http://deb.debian.org/debian-security bookworm-security main' >&2
    mv -- "$tree.part" "$tree"
}

# In namespaces of its own: everything mounted here is gone with them.
boot() {
    local deb=$1 tree=$2 root=$3 name major minor
    mount -t tmpfs -o size=1g,mode=755 tmpfs "$root"
    tar -C "$root" --exclude='./dev/*' -xf "$tree"
    mount --rbind /sys "$root/sys"
    mount -t tmpfs tmpfs "$root/run"
    mount -t tmpfs tmpfs "$root/tmp"
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    while read -r name major minor; do
        mknod -m 666 "$root/dev/$name" c "$major" "$minor"
    done <<<$'null 1 3\nzero 1 5\nfull 1 7\nrandom 1 8\nurandom 1 9\ntty 5 0'
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts devpts "$root/dev/pts"
    mount -t tmpfs tmpfs "$root/dev/shm"
    cp -- "$deb" "$root/root/vigia.deb"
    install -m 0755 "$here/inside.sh" "$root/root/inside.sh"
    printf '[Unit]\nAfter=multi-user.target\n[Service]\nType=oneshot\nExecStart=/root/inside.sh\n' \
        >"$root/etc/systemd/system/inside.service"
    ln -s ../inside.service "$root/etc/systemd/system/multi-user.target.wants/inside.service"
    # Powering off ends the first process of the namespace by a signal: its status says nothing.
    # shellcheck disable=SC2016 # for the inner shell
    timeout 240 unshare -p -f --kill-child bash -c \
        'mount -t proc proc "$1/proc" && exec env -i container=other PATH="$PATH" chroot "$1" \
            /lib/systemd/systemd --log-target=console --unit=multi-user.target' \
        boot "$root" </dev/null >"$root.console" 2>&1 || true
    cat "$root/root/result" || { cat "$root.console" && return 1; }
}

if [[ ${1:-} == --boot ]]; then
    shift
    boot "$@"
    exit
fi

deb=$1 cache=$2
((EUID == 0)) || { echo 'package_systemd: needs root' >&2 && exit 1; }
mkdir -p "$cache/root"
[[ -e $cache/debian-12.tar ]] || make_tree "$deb" "$cache/debian-12.tar"
result=$(unshare -m -u -i -n --propagation private "$here/package_systemd.sh" --boot "$deb" \
    "$cache/debian-12.tar" "$cache/root")
printf '%s\n' "$result"
# The last line proves that every check was reached.
[[ $result == *$'\nend' && $result != *FAILED* ]]
