#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The first process of the guest that kernels.sh boots. Each line it writes after "@@" is a result:
# "@@ RUNG|WHAT|ok" or "@@ RUNG|WHAT|FAILED: why".
export PATH=/usr/bin:/usr/sbin:/bin:/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t securityfs security /sys/kernel/security 2>/dev/null
ip link set lo up
ip addr add 203.0.113.10/24 dev lo
ip addr add 198.51.100.10/24 dev lo
# shellcheck source=/dev/null
. /inside/settings # BIN, RUNGS, TESTS
prefix=/srv/v
vigia() { "$BIN/vigia" --prefix "$prefix" "$@"; }

say() { printf '@@ %s|%s|%s\n' "$rung" "$1" "$2"; }

# check WHAT COMMAND...
check() {
    local what=$1 output
    shift
    if output=$("$@" 2>&1); then
        say "$what" ok
    else
        say "$what" "FAILED: $(tail -n 3 <<<"$output" | tr '\n' ' ' | cut -c 1-300)"
    fi
}

# within SECONDS COMMAND...: asks until it is true.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/tmp/last 2>&1; do
        ((SECONDS < end)) || { cat /tmp/last && return 1; }
        sleep 0.5
    done
}

# event CLASS FILTER: the journal has such an event.
event() { vigia --json events --class "$1" --limit 5000 | jq -se "any(.[]; $2)" >/dev/null; }

backend() {
    local all
    all=$(vigia --json status | jq -c '[.monitors[] | select(.name=="processes" or .name=="network")]')
    printf '%s\n' "$all"
    jq -e "length == 2 and all(.[]; .backend==\"$1\")" <<<"$all" | grep -q true
}
state_of() { vigia --json status | jq -r '.monitors[]|select(.name=="network")|.state + " " + .detail'; }
launched() { /srv/told && event process '.vigia.event=="process-launched" and .process.file.path=="/srv/told"'; }
balanced() {
    vigia --json status | jq -e '[.accounting[] | select(.class | IN("exec","fork","exit","connect",
        "accept","close","udp","block")) | (.offered - .delivered - .lost - ([.filtered[]]|add // 0))]
        | all(. == 0)'
}
none_lost() { vigia --json status | jq -e '[.accounting[].lost // 0] | add == 0'; }
quarantined() { [[ ! -e /srv/watched/e ]] && vigia --json quarantine list | grep -q /srv/watched/e; }
listens() { grep -q ":$(printf '%04X' "$1") [0-9A-F:]* 0A" /proc/net/tcp /proc/net/tcp6; }
blocked() { ! (exec 3<>/dev/tcp/203.0.113.10/7777) 2>/tmp/refused && grep -q 'not permitted' /tmp/refused; }
flow() { # PHASE PORT PROGRAM DIRECTION PROTOCOL
    event network ".vigia.event==\"connection-$1\" and (.dst_endpoint.port==$2 or .src_endpoint.port==$2)
        and .connection_info.protocol_name==\"$5\" and .connection_info.direction==\"$4\"
        and (.actor.process.file.path // \"\" | endswith(\"$3\"))"
}

daemon_checks() { # BACKEND
    local daemon
    rm -rf "$prefix" /srv/watched
    mkdir -p "$prefix/etc/vigia" /srv/watched
    cp /bin/true /srv/told
    cat >"$prefix/etc/vigia/policy.toml" <<'TOML'
[policy]
name = "Kernels"
serial = 1
[files]
watch = ["/srv/watched"]
[network]
mode = "block"
block = ["203.0.113.0/24"]
TOML
    "$BIN/vigiad" --prefix "$prefix" --foreground >/tmp/daemon.log 2>&1 &
    daemon=$!
    if ! within 900 backend "$1" >/tmp/why; then
        say "loads: $1" "FAILED: $(tr '|\n' '  ' </tmp/why | cut -c 1-300)"
        sed 's/^/## /' /tmp/daemon.log
        kill "$daemon"
        wait "$daemon"
        return
    fi
    say "loads: $1" ok
    say "network" "$(state_of 2>&1 | tr '|\n' '  ' | cut -c 1-300)"
    check "exec with its file" within 90 launched
    check "exit with its status" within 30 event process \
        '.vigia.event=="process-terminated" and .process.file.path=="/srv/told" and .exit_code==0'
    busybox nc -l -p 4444 </dev/null >/dev/null 2>&1 &
    check "somebody listens" within 120 listens 4444
    (exec 3<>/dev/tcp/198.51.100.10/4444 && echo hello >&3)
    check "TCP connect with its process" within 60 flow opened 4444 bash Outbound tcp
    check "TCP accept with its process" within 60 flow opened 4444 busybox Inbound tcp
    check "TCP close with bytes" within 60 event network \
        '.vigia.event=="connection-closed" and .dst_endpoint.port==4444 and .traffic.bytes_out==6'
    (exec 3<>/dev/udp/198.51.100.10/4445 && echo hello >&3)
    check "UDP flow with its process" within 60 flow opened 4445 bash Outbound udp
    check "blocked connect is refused" within 60 blocked
    check "and told with its process" within 60 event detection \
        '.vigia.event=="flow-blocked" and (.actor.process.file.path | endswith("bash"))'
    # shellcheck disable=SC2016 # the dollar signs belong to it
    printf '%s%s' 'X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR' '-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*' \
        >/srv/watched/e
    check "fanotify: the test file is taken away" within 180 quarantined
    check "the detection names who wrote it" within 60 event detection \
        '.vigia.event=="threat-detected" and
            ([.evidences[]?.process.file.path // ""] | any(endswith("bash")))'
    say "evidence" "$(vigia --json events --class detection --limit 100 |
        jq -c 'select(.vigia.event=="threat-detected") | [.evidences, .message]' | tail -n 1 | tr '|' ' ' | cut -c 1-600)"
    check "the books balance" within 60 balanced
    check "nothing lost" none_lost
    kill "$daemon"
    wait "$daemon"
    say "daemon ended with" "$?"
}

# tests RUNG PROGRAM FILTER
tests() {
    local line
    while read -r line; do
        case $line in
            '[       OK ]'*) say "${line:13}" ok ;;
            '[  FAILED  ]'*ms\)) say "${line:13}" FAILED ;;
            '[  SKIPPED ]'*ms\)) say "${line:13}" skipped ;;
            *Failure* | *error* | *Expected* | *actual* | *Which* | *refused* | *prog*) printf '## %s\n' "$line" ;;
        esac
    done < <(timeout 900 "$BIN/$1" --gtest_filter="$2" 2>&1)
}

uname -r
for rung in $RUNGS; do
    unset VIGIA_TEST_HIDE_BTF VIGIA_TEST_PERF_BUFFER VIGIA_TEST_SLOW
    case $rung in
        btf) daemon_checks ebpf-btf ;;
        perf)
            export VIGIA_TEST_PERF_BUFFER=/etc/passwd
            daemon_checks ebpf-btf
            ;;
        derived)
            # The switches are files that exist.
            export VIGIA_TEST_HIDE_BTF=/etc/passwd VIGIA_TEST_SLOW=/etc/passwd
            daemon_checks ebpf-derived
            ;;
        tests)
            tests system_ebpf_process_test '-*Storm*:*EndAtOnce*'
            tests system_ebpf_network_test '-*FiftyThousand*:*AMillion*'
            ;;
    esac
    [[ -z ${DEBUG:-} ]] || tail -n 40 /tmp/daemon.log
done
echo '@@ end|end|ok'
sync
busybox poweroff -f
