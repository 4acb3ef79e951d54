#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What package_systemd.sh has systemd run in the small Debian: one line "ok" or "FAILED" a check.
exec >/root/result 2>&1
trap 'systemctl poweroff -ff >/dev/null 2>&1' EXIT

# check WHAT COMMAND...
check() {
    local what=$1 output
    shift
    if output=$("$@" 2>&1); then
        printf 'ok      %s\n' "$what"
    else
        printf 'FAILED  %s: %s\n' "$what" "$output"
    fi
}

# within SECONDS COMMAND...: asks until it is true.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || { "$@"; return 1; }
        sleep 0.05
    done
}

property() { systemctl show vigiad -p "$1" --value; }
is_protected() { vigia status --json | grep -q '"state":"protected"'; }
quarantined() { [[ ! -e /srv/test/e ]] && vigia quarantine list | grep -q /srv/test/e; }
stopped_in_time() {
    local begun
    begun=$(date +%s%N)
    systemctl stop vigiad && (($(date +%s%N) - begun < 2000000000)) &&
        [[ $(property Result) == success && $(property ExecMainStatus) == 0 ]]
}
# What the journal holds of the unit beyond plain information, but for the detection of the test.
quiet() { ! journalctl -u vigiad -o cat | grep -E ' (warning|error) ' | grep -v 'detected in\|Fault 110 \|All faults are cleared'; }
restarted() {
    local now
    now=$(property MainPID)
    [[ $now != 0 && $now != "$frozen" && $(systemctl is-active vigiad) == active ]]
}
modified() { vigia faults list --json | grep -q '"id":110'; }
not_modified() { vigia faults list --json | grep -q '"faults"' && ! modified; }
foreseen() { vigia doctor --json | grep -q installation-modified; }
explained() { journalctl --list-catalog | grep -q 'Vig'; }
nothing_left() {
    ! ls -d /etc/vigia /var/lib/vigia /var/log/vigia /run/vigia /usr/lib/vigia \
        /usr/share/doc/vigia /etc/systemd/system/*/vigiad* 2>/dev/null &&
        ! getent passwd vigia-scan && ! pgrep_vigia
}
pgrep_vigia() { grep -l '^vigia' /proc/[0-9]*/comm; }

check "installs" dpkg -i /root/vigia.deb
check "the scan user exists" getent passwd vigia-scan
check "starts" systemctl start vigiad
check "is of type notify and watched" [ "$(property Type) $(property WatchdogUSec)" = "notify 30s" ]
check "answers when it is started" vigia status
check "is protected" within 60 is_protected
mkdir /srv/test
# shellcheck disable=SC2016 # the dollar signs belong to it
eicar='X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR'
# shellcheck disable=SC2016
printf '%s-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*' "$eicar" >/srv/test/e
check "takes the test file away" within 30 quarantined
check "the manual is there" test -s /usr/share/man/man1/vigia.1
check "is what the package says" sha256sum --check --quiet /usr/lib/vigia/manifest.sha256
check "no file of it differs" not_modified
echo >>/lib/systemd/system/vigiad.service
check "a changed unit is foreseen by the doctor" foreseen
check "and told by the daemon" within 60 modified
sed -i '$d' /lib/systemd/system/vigiad.service
check "until it is as it was" within 60 not_modified
check "the catalogue explains faults" explained
check "stops within two seconds, well" stopped_in_time
check "has nothing to warn of" quiet
mkdir -p /run/systemd/system/vigiad.service.d
printf '[Service]\nWatchdogSec=2s\n' >/run/systemd/system/vigiad.service.d/watchdog.conf
systemctl daemon-reload
check "starts again" systemctl start vigiad
frozen=$(property MainPID)
kill -STOP "$frozen"
check "the watchdog restarts a frozen one" within 60 restarted
rm -r /run/systemd/system/vigiad.service.d
check "can be removed" dpkg --remove vigia
check "removing keeps the quarantine" test -d /var/lib/vigia/quarantine
check "can be purged" dpkg --purge vigia
check "purging leaves nothing" nothing_left
echo end
