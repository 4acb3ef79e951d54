# SPDX-License-Identifier: GPL-2.0-or-later
"""The peer: clamd, clamonacc and clamdscan with configurations, sockets and folders of ours. clamd
gives up root for the user that Debian's package makes, as it does there."""
import pathlib
import re

from lib.processes import Late, Program, run, wait_until

CLAMD, CLAMONACC, CLAMDSCAN = "/usr/sbin/clamd", "/usr/sbin/clamonacc", "/usr/bin/clamdscan"
USER = "clamav"


def version() -> str:
    return run([CLAMD, "--version"]).stdout.decode().split()[1].split("/")[0]


class Clamd:
    """One clamd with the definitions of a folder; `watch` is for a clamonacc beside it."""

    def __init__(self, folder: pathlib.Path, definitions: pathlib.Path, watch=None):
        self.folder = folder
        self.config = folder / "clamd.conf"
        self.socket = folder / "clamd.sock"
        self.program = None
        temporary = folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        for place in (folder, temporary):
            run(["chown", USER, place])
        lines = [
            f"LocalSocket {self.socket}",
            f"DatabaseDirectory {definitions}",
            f"TemporaryDirectory {temporary}",
            f"User {USER}",
            "Foreground yes",
            "LogTime yes",
            "SelfCheck 0",
            "MaxQueue 200",
        ]
        if watch:
            lines += [
                f"OnAccessIncludePath {watch}",
                "OnAccessPrevention no",
                "OnAccessExtraScanning yes",
                f"OnAccessExcludeUname {USER}",
                "OnAccessMaxThreads 5",
            ]
        self.config.write_text("\n".join(lines) + "\n", encoding="ascii")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, seconds: float = 300) -> None:
        """Returns when it answers: the definitions are loaded."""
        self.socket.unlink(missing_ok=True)
        self.program = Program([CLAMD, "-c", self.config], self.folder / "clamd.log")

        def answers():
            self.program.check()
            return self.socket.exists() and self.scan([self.config], good=None) == 0

        wait_until("clamd answers", seconds, answers, interval=0.05)

    def stop(self) -> None:
        if self.program:
            self.program.stop()
            self.program = None

    def scan(self, paths, good=(0,), seconds: float = 300) -> int:
        """clamdscan, all threads, descriptors passed; its exit status: 1 is a detection."""
        options = [f"--config-file={self.config}", "--multiscan", "--fdpass", "--no-summary"]
        return run([CLAMDSCAN, *options, *paths], seconds, good).returncode


class Clamonacc:
    """Watches what the configuration of `clamd` says, in the foreground, without prevention."""

    FOUND = re.compile(r"(/.*): .* FOUND\s*$")

    def __init__(self, clamd: Clamd):
        self.log = clamd.folder / "clamonacc.log"
        self.clamd = clamd
        self.program = None

    def __enter__(self):
        self.log.unlink(missing_ok=True)
        self.program = Program(
            [CLAMONACC, "-F", "--fdpass", "-c", self.clamd.config, f"--log={self.log}"],
            self.clamd.folder / "clamonacc.out",
        )
        return self

    def __exit__(self, *_):
        if self.program:
            self.program.stop()

    def wait_watching(self, proof: pathlib.Path, content: bytes) -> None:
        """It says nothing of use when its watch stands: until a detection comes back, write one."""
        def seen():
            self.program.check()
            proof.write_bytes(content)
            try:
                wait_until("seen", 0.5, lambda: str(proof) in self.found())
            except Late:
                return False
            return True

        wait_until("clamonacc watches", 30, seen)
        proof.unlink()

    def found(self) -> set[str]:
        if not self.log.exists():
            return set()
        lines = self.log.read_text(errors="replace").splitlines()
        return {hit.group(1) for line in lines if (hit := self.FOUND.match(line))}

    def error_lines(self) -> int:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return sum(line.startswith("ERROR") for line in text.splitlines())
