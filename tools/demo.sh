#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ./dev run --demo: the whole chain on a private file system, in a mount namespace of its own.
#   tools/demo.sh PREFIX BIN_DIR
# Ends with status 0 only if every step did what it says.
set -euo pipefail

prefix=${1:?usage: tools/demo.sh PREFIX BIN_DIR}
bin=${2:?usage: tools/demo.sh PREFIX BIN_DIR}
if [[ -z ${VIGIA_DEMO_INSIDE:-} ]]; then
    ((EUID == 0)) || { echo 'demo: needs root (fanotify, mount)' >&2; exit 1; }
    VIGIA_DEMO_INSIDE=1 exec unshare --mount --propagation private "$0" "$@"
fi

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
fail() {
    printf 'demo: %s\n' "$*" >&2
    tail -n 20 "$prefix/daemon.log" >&2 || true
    exit 1
}

# until_true SECONDS WHAT COMMAND…
until_true() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || fail "did not happen in time: $what"
        sleep 0.05
    done
}

vigia() { "$bin/vigia" --prefix "$prefix" "$@"; }
status_is() { [[ $(vigia status --json | jq -r "$1") == "$2" ]]; }
policy_says() { [[ $(vigia policy show --json | jq -r "$1") == "$2" ]]; }
# `vigia faults` ends with 1 when there are any: only what it prints counts here.
fault_is_raised() {
    [[ $(vigia faults --json | jq --argjson id "$1" 'any(.faults[]; .id == $id)') == true ]]
}
fault_is_cleared() {
    [[ $(vigia faults history --json | jq -r --argjson id "$1" \
        '[.episodes[] | select(.id == $id)] | last | .cleared_because') == "$2" ]]
}
worker_pid() { pgrep -P "$(pgrep -P "$daemon" -x vigia-scand | head -n 1)" | head -n 1; }

daemon=''
finish() {
    local code=$?
    trap - EXIT
    if [[ -n $daemon ]] && kill -0 "$daemon" 2>/dev/null; then
        kill -TERM "$daemon"
        wait "$daemon" || true
    fi
    umount "$prefix/disk" 2>/dev/null || umount -l "$prefix/disk" 2>/dev/null || true
    exit "$code"
}
trap finish EXIT

rm -rf -- "${prefix:?}"
mkdir -p "$prefix/etc/vigia" "$prefix/disk"
mount -t tmpfs -o size=64m,mode=0755 vigia-demo "$prefix/disk"
mkdir "$prefix/disk/watched"
cat >"$prefix/etc/vigia/policy.toml" <<POLICY
[policy]
name = "Demo"
serial = 1

[files]
mode = "quarantine"
watch = ["$prefix/disk/watched"]

[processes]
events = []

[network]
events = []

[faults]
self_heal = true
POLICY

say 'start'
"$bin/vigiad" --prefix "$prefix" --foreground >"$prefix/daemon.log" 2>&1 &
daemon=$!
until_true 30 'the daemon answers' vigia status
until_true 30 'the first self-test passes' status_is .state protected
vigia status

say 'an infected file appears'
# shellcheck disable=SC2016 # nothing in it is to be expanded
# EICAR, put together here so that this script is no detection itself.
eicar='X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR'
# shellcheck disable=SC2016
eicar+='-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'
printf '%s' "$eicar" >"$prefix/disk/watched/invoice.com"
printf 'minutes of the meeting\n' >"$prefix/disk/watched/minutes.txt"
until_true 20 'it is quarantined' test ! -e "$prefix/disk/watched/invoice.com"
until_true 20 'it is in the vault' bash -c \
    "[[ \$('$bin/vigia' --prefix '$prefix' quarantine list --json | jq '.items | length') == 1 ]]"
[[ -e $prefix/disk/watched/minutes.txt ]] || fail 'a clean file was touched'
vigia quarantine list

say 'a scan worker is lost'
lost=$(worker_pid)
[[ -n $lost ]] || fail 'there is no scan worker'
printf 'kill -SEGV %s\n' "$lost"
kill -SEGV "$lost"
printf '%s' "$eicar" >"$prefix/disk/watched/second.com"
until_true 20 'the second one is quarantined' test ! -e "$prefix/disk/watched/second.com"
until_true 20 'the lost worker is counted' bash -c \
    "(( \$('$bin/vigia' --prefix '$prefix' status --json | jq .scan.workers_lost) >= 1 ))"
printf 'scanning went on; the lost worker was replaced\n'

say 'a fault is raised and cleared'
# The repair comes within milliseconds; the demo wants to show the fault first.
sed -i 's/^self_heal = .*/self_heal = false/' "$prefix/etc/vigia/policy.toml"
until_true 10 'the policy is in force' policy_says .faults.self_heal false
printf 'chmod 0777 %s\n' "$prefix/var/lib/vigia"
chmod 0777 "$prefix/var/lib/vigia"
until_true 20 'fault 5 is raised' fault_is_raised 5
vigia faults || (($? == 1)) || fail 'the faults cannot be shown'
printf 'self_heal = true\n'
sed -i 's/^self_heal = .*/self_heal = true/' "$prefix/etc/vigia/policy.toml"
until_true 20 'it is cleared' fault_is_cleared 5 healed
[[ $(stat -c %a "$prefix/var/lib/vigia") == 755 ]] || fail 'the mode was not restored'
vigia faults history

say 'the chain proves itself'
vigia selftest

say 'what happened'
vigia events --limit 20

say 'status at the end'
until_true 20 'it is protected' status_is .state protected
vigia status
say 'demo: all of it worked'
