#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Scenario benchmarks: ./dev bench [NAME]. Each compares within one run and prints a ratio; absolute
# times of a shared machine mean nothing. On a private tmpfs, in a mount namespace of its own.
#   foreground   untar-like copy of 3,000 small files, watched against not watched
#   scan         vigia scan of 1,000 files: the second time against the first
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
bin=$here/build/release/bin
if [[ -z ${VIGIA_BENCH_INSIDE:-} ]]; then
    ((EUID == 0)) || { echo 'bench: needs root' >&2; exit 1; }
    VIGIA_BENCH_INSIDE=1 exec unshare --mount --propagation private "$0" "$@"
fi

readonly rounds=5
work=$(mktemp -d /tmp/vigia-bench-XXXXXX)
daemon=''
finish() {
    if [[ -n $daemon ]]; then
        kill -TERM "$daemon" || true
        wait "$daemon" || true
    fi
    umount "$work/disk" 2>/dev/null || umount -l "$work/disk" || true
    rm -rf -- "${work:?}"
}
trap finish EXIT

mkdir -p "$work/disk" "$work/etc/vigia"
mount -t tmpfs -o size=1g vigia-bench "$work/disk"
mkdir "$work/disk/watched" "$work/disk/source"
printf '[policy]\nname = "Bench"\nserial = 1\n[files]\nwatch = ["%s"]\n' \
    "$work/disk/watched" >"$work/etc/vigia/policy.toml"

vigia() { "$bin/vigia" --prefix "$work" "$@"; }

start_daemon() {
    "$bin/vigiad" --prefix "$work" 2>"$work/daemon.err" &
    daemon=$!
    local deadline=$((SECONDS + 30))
    until [[ $(vigia status --json 2>/dev/null | jq -r .state) == protected ]]; do
        ((SECONDS < deadline)) || { echo 'bench: the daemon did not come up' >&2; exit 1; }
        sleep 0.1
    done
}

stop_daemon() {
    kill -TERM "$daemon"
    wait "$daemon" || true
    daemon=''
}

# Milliseconds that a command takes.
elapsed() {
    local begun
    begun=$(date +%s%N)
    "$@" >/dev/null 2>&1 || true
    echo $((($(date +%s%N) - begun) / 1000000))
}

# min, median and max of its arguments.
spread() {
    printf '%s\n' "$@" | sort -n | awk '{v[NR] = $1} END {print v[1], v[int((NR + 1) / 2)], v[NR]}'
}

report() {
    local name=$1 base=$2 other=$3
    read -r _ a _ <<<"$base"
    read -r _ b _ <<<"$other"
    printf '%-12s base ms (min median max): %-18s other: %-18s ratio of medians: %s\n' "$name" \
        "$base" "$other" "$(awk -v a="$a" -v b="$b" 'BEGIN {printf "%.2f", b / (a ? a : 1)}')"
}

make_files() {
    local count=$1 i
    for ((i = 0; i < count; i++)); do
        mkdir -p "$work/disk/source/$((i / 100))"
        printf 'content of file %d %d\n' "$i" "$RANDOM" >"$work/disk/source/$((i / 100))/$i.txt"
    done
}

copy_once() {
    rm -rf "$work/disk/watched/copy"
    cp -r "$work/disk/source" "$work/disk/watched/copy"
}

settle() {
    until vigia status --json | jq -e '.scan.pending == 0 and .scan.deferred == 0' >/dev/null; do
        sleep 0.1
    done
}

bench_foreground() {
    local without=() with=() i
    make_files 3000
    for ((i = 0; i < rounds; i++)); do
        without+=("$(elapsed copy_once)")
        start_daemon
        with+=("$(elapsed copy_once)")
        settle
        stop_daemon
    done
    report foreground "$(spread "${without[@]}")" "$(spread "${with[@]}")"
}

bench_scan() {
    local cold=() warm=() i
    for ((i = 0; i < rounds; i++)); do
        rm -rf "$work/disk/source"
        mkdir "$work/disk/source"
        make_files 1000
        start_daemon
        cold+=("$(elapsed vigia scan "$work/disk/source")")
        warm+=("$(elapsed vigia scan "$work/disk/source")")
        stop_daemon
    done
    report scan "$(spread "${cold[@]}")" "$(spread "${warm[@]}")"
}

case ${1:-all} in
    foreground) bench_foreground ;;
    scan) bench_scan ;;
    all) bench_foreground && bench_scan ;;
    *)
        echo "bench: no scenario '$1'; there are foreground, scan" >&2
        exit 2
        ;;
esac
