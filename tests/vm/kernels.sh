#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kernels.sh BIN CACHE [KERNEL...]: boots Debian's kernels in QEMU, which needs no KVM, and has
# kernel_inside.sh try there what BIN holds; prints a table. Root is not needed.
# A KERNEL is 5.10, 6.1 or 6.12, with the rungs to try after a colon: 6.1:btf,derived
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
bin=$(cd -- "$1" && pwd -P)
mkdir -p "$2"
cache=$(cd -- "$2" && pwd -P)
shift 2
(($#)) || set -- 5.10:btf,perf,tests 6.1:btf,derived 6.12:btf

declare -A suites=([5.10]=bullseye [6.1]=bookworm [6.12]=trixie)
modules=(virtio_pci virtio_blk crc32c_generic crc32c ext4 loop inet_diag tcp_diag udp_diag)
programs=(bash sh env cat cp mv mkdir rm rmdir ls ln id true sleep grep sed awk head tail cut tr sort
    wc date uname stat touch chmod sync mount umount mkfs.ext4 ip ps timeout jq)

# --- kernels, by an apt of their own: the host's sources stay as they are ------------------------
# apt_in SUITE VERB...
apt_in() {
    local folder=$cache/apt/$1 verb=$2
    shift 2
    "apt-$verb" -o "Dir::State=$folder" -o "Dir::State::lists=$folder/lists" \
        -o "Dir::Cache=$folder/cache" -o "Dir::Etc=$folder/etc" \
        -o "Dir::Etc::sourcelist=$folder/etc/sources.list" -o Dir::Etc::sourceparts=/nonexistent \
        -o "Dir::State::status=$folder/status" -o APT::Sandbox::User=root -qq "$@"
}

# The folder with the kernel, and with `headers` those as well, unpacked.
fetch() {
    local suite=$1 folder=$cache/apt/$1 image release unpacked
    unpacked=$cache/kernels/$suite
    if [[ ! -e $unpacked/done ]]; then
        mkdir -p "$folder"/{lists/partial,cache/archives/partial,etc/preferences.d,etc/apt.conf.d} "$unpacked"
        touch "$folder/status"
        printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s main\n' \
            "http://deb.debian.org/debian $suite" \
            "http://deb.debian.org/debian-security $suite-security" >"$folder/etc/sources.list"
        apt_in "$suite" get update >&2
        image=$(apt_in "$suite" cache depends linux-image-amd64 | awk '/Depends: linux-image-[0-9]/ {print $2; exit}')
        release=${image#linux-image-}
        (cd "$folder" && apt_in "$suite" get download "$image" "linux-headers-$release" \
            "linux-headers-${release%-amd64}-common") >&2
        for image in "$folder"/*.deb; do dpkg-deb -x "$image" "$unpacked"; done
        rm -f "$folder"/*.deb
        [[ -e $unpacked/lib ]] || ln -s usr/lib "$unpacked/lib"
        depmod -b "$unpacked" "$release"
        printf '%s\n' "$release" >"$unpacked/done"
    fi
    printf '%s\n' "$unpacked"
}

# --- the guest -----------------------------------------------------------------------------------
initramfs() { # KERNEL-FOLDER RELEASE OUTPUT
    local work=$cache/initramfs module file name
    rm -rf "$work" && mkdir -p "$work"/{bin,dev,proc,newroot,modules}
    cp /bin/busybox "$work/bin/"
    for module in "${modules[@]}"; do
        modprobe -d "$1" -S "$2" --show-depends "$module" 2>/dev/null | awk '$1=="insmod" {print $2}' || true
    done | awk '!seen[$0]++' | while read -r file; do
        name=$(basename "${file%.xz}")
        if [[ $file == *.xz ]]; then xz -dc "$file"; else cat "$file"; fi >"$work/modules/$name"
        printf '%s\n' "$name" >>"$work/modules/order"
    done
    cat >"$work/init" <<'INIT'
#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t devtmpfs dev /dev
while read -r m; do $bb insmod "/modules/$m"; done </modules/order
for i in 1 2 3 4 5 6 7 8 9 10; do [ -b /dev/vda ] && break; $bb sleep 1; done
$bb mount -t ext4 /dev/vda /newroot || $bb poweroff -f
exec $bb switch_root /newroot /inside/init
INIT
    chmod +x "$work/init"
    (cd "$work" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$3"
}

# take TREE FILE...: each with the libraries it is linked to.
take() {
    local tree=$1 file
    shift
    for file in "$@"; do
        printf '%s\n' "$file"
        ldd "$file" 2>/dev/null | grep -o '/[^ ]*' || true
    done | sort -u | while read -r file; do
        mkdir -p "$tree$(dirname "$file")"
        cp -Ln "$file" "$tree$file"
    done
}

root_image() { # KERNEL-FOLDER RELEASE RUNGS OUTPUT
    local tree=$cache/tree name paths=() clang
    rm -rf "$tree" && mkdir -p "$tree"/{usr/{bin,sbin,lib,lib64},etc,proc,sys,dev,run,tmp,root,srv,var,inside}
    for name in bin sbin lib lib64; do ln -s "usr/$name" "$tree/$name"; done
    for name in "${programs[@]}"; do paths+=("$(PATH=$PATH:/usr/sbin:/sbin type -P "$name")"); done
    for name in vigiad vigia-scand vigia-hash vigia-heal vigia system_ebpf_process_test \
        system_ebpf_network_test; do
        paths+=("$bin/$name")
    done
    if [[ $3 == *derived* ]]; then
        clang=$(type -P clang-19 || type -P clang-14)
        paths+=("$clang")
        mkdir -p "$tree/usr/src" "$tree/lib/modules/$2"
        cp -a "$1"/usr/src/linux-headers-* "$tree/usr/src/"
        ln -s "/usr/src/linux-headers-$2" "$tree/lib/modules/$2/build"
    fi
    take "$tree" "${paths[@]}" /bin/busybox
    for name in passwd group nsswitch.conf mke2fs.conf ld.so.cache ld.so.conf; do
        cp "/etc/$name" "$tree/etc/" 2>/dev/null || true
    done
    install -m 0755 "$here/kernel_inside.sh" "$tree/inside/init"
    printf 'BIN=%q\nRUNGS=%q\nDEBUG=%q\n' "$bin" "${3//,/ }" "${VIGIA_VM_DEBUG:-}" >"$tree/inside/settings"
    rm -f "$4"
    mkfs.ext4 -q -d "$tree" "$4" 2G
}

boot() { # KERNEL-FOLDER RELEASE IMAGE LOG
    timeout "${VIGIA_VM_SECONDS:-1500}" nice -n "${VIGIA_VM_NICE:-5}" qemu-system-x86_64 \
        -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -display none -nodefaults -no-reboot -net none \
        -serial stdio -kernel "$1/boot/vmlinuz-$2" -initrd "$cache/initramfs.gz" \
        -append "console=ttyS0 panic=-1 quiet mitigations=off no_timer_check" \
        -drive "file=$3,if=virtio,format=raw,cache=unsafe" </dev/null >"$4" 2>&1 || true
}

failed=0
for one in "$@"; do
    kernel=${one%%:*} rungs=btf
    [[ $one != *:* ]] || rungs=${one#*:}
    folder=$(fetch "${suites[$kernel]:?there are ${!suites[*]}}")
    release=$(cat "$folder/done")
    log=$cache/kernel-$kernel.log
    initramfs "$folder" "$release" "$cache/initramfs.gz"
    root_image "$folder" "$release" "$rungs" "$cache/guest.img"
    boot "$folder" "$release" "$cache/guest.img" "$log"
    rm -f "$cache/guest.img"
    printf '\n%s (%s)\n' "$release" "$rungs"
    tr -d '\r' <"$log" | sed -n 's/^@@ //p' | grep -v '^end|' | column -t -s '|' || true
    if ! grep -q '^@@ end|' "$log" || grep -q '^@@ .*|FAILED' "$log"; then
        printf 'kernels: %s: failed or not finished; see %s\n' "$kernel" "$log"
        failed=1
    fi
done
exit "$failed"
