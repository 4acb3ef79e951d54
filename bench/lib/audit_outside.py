# SPDX-License-Identifier: GPL-2.0-or-later
"""audit_outside.py FOLDER: the kernel gives audit to its first process namespace only, and the
scenarios run in one of their own. run.sh starts this outside; it runs auditctl, and one auditd, as
files FOLDER/N.request say, and answers in FOLDER/N.answer. Whatever happens, what it changed is put
back when the folder goes or it is asked to end."""
import json
import pathlib
import re
import signal
import subprocess
import sys
import time

KEY = "vigia-bench"


def auditctl(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["auditctl", *arguments], capture_output=True, text=True, timeout=20, check=False
    )


def state() -> dict:
    return {n: int(v) for n, v in re.findall(r"^(\w+) (\d+)", auditctl("-s").stdout, re.M)}


class Outside:
    def __init__(self):
        self.daemon, self.before = None, {}

    def start(self, config: str, rule: list) -> dict:
        self.before = state()
        if not self.before:
            return {"error": auditctl("-s").stderr.strip()}
        if self.before.get("pid"):
            return {"error": "another audit daemon is at work"}
        self.daemon = subprocess.Popen(
            ["auditd", "-n", "-c", config],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 20
        while not state().get("pid"):
            if self.daemon.poll() is not None or time.monotonic() > end:
                self.stop()
                return {"error": "auditd does not come up"}
            time.sleep(0.1)
        for one in (["-b", "65536"], rule, ["-e", "1"]):
            if (done := auditctl(*one)).returncode:
                self.stop()
                return {"error": f"auditctl {one[0]}: {done.stderr.strip()}"}
        return {"lost": state().get("lost", 0)}

    def stop(self) -> dict:
        if self.daemon:
            lost = state().get("lost", 0)
            auditctl("-D", "-k", KEY)
            auditctl("-e", str(self.before.get("enabled", 0)))
            auditctl("-b", str(self.before.get("backlog_limit", 64)))
            self.daemon.terminate()
            self.daemon.wait(20)
            self.daemon = None
            return {"lost": lost}
        return {}

    def ask(self, request: dict) -> dict:
        if request["do"] == "start":
            return self.start(request["config"], request["rule"])
        if request["do"] == "cpu":
            text = pathlib.Path(f"/proc/{self.daemon.pid}/stat").read_bytes()
            fields = text[text.rindex(b")") + 2 :].split()
            return {"ticks": int(fields[11]) + int(fields[12]), "lost": state().get("lost", 0)}
        return self.stop()


def main(folder: pathlib.Path) -> None:
    outside = Outside()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while folder.is_dir():
            for request in sorted(folder.glob("*.request")):
                answer = outside.ask(json.loads(request.read_text()))
                request.unlink()
                fresh = request.with_suffix(".new")
                fresh.write_text(json.dumps(answer))
                fresh.rename(request.with_suffix(".answer"))
            time.sleep(0.05)
    finally:
        outside.stop()


main(pathlib.Path(sys.argv[1]))
