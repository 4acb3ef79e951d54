#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Scenario benchmarks: ./dev bench [NAME…]; run.py says which there are. They run in mount and
# process namespaces of their own: whatever happens, what they mounted and started ends with them.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
((EUID == 0)) || { echo 'bench: needs root (fanotify, mount)' >&2; exit 1; }

work=$(mktemp -d "${TMPDIR:-/tmp}/vigia-bench-XXXXXX")
# Audit is given to the first process namespace only.
VIGIA_BENCH_AUDIT=$(mktemp -d "${TMPDIR:-/tmp}/vigia-audit-XXXXXX")
export VIGIA_BENCH_AUDIT
python3 -B "$here/lib/audit_outside.py" "$VIGIA_BENCH_AUDIT" </dev/null &
outside=$!
# storm makes it short; killed in the middle of it, python could not put it back.
queue=/proc/sys/fs/fanotify/max_queued_events
length=$(<"$queue")
# Also where something else fails.
put_back() {
    echo "$length" >"$queue"
    kill "$outside" 2>/dev/null || true
    wait "$outside" || true
    rm -rf -- "$VIGIA_BENCH_AUDIT"
    rmdir -- "$work"
}
trap put_back EXIT
unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
    python3 -B "$here/run.py" "$work" "$@" &
inside=$!
# unshare itself takes no notice of the gentle signals; when it is gone, all inside are.
trap 'kill -KILL "$inside"' INT TERM HUP
wait "$inside"
