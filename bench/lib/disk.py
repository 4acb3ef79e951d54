# SPDX-License-Identifier: GPL-2.0-or-later
"""File systems of our own, in our mount namespace; they end with it."""
import pathlib

from lib.processes import run

# What the reports say about them.
EXT4 = "ext4 of its own in a loop image that lies on a tmpfs (no disk of the machine is involved)"


def mount_work(folder: pathlib.Path) -> None:
    """Everything of a run lies on this tmpfs: it is gone with the namespace."""
    run(["mount", "-t", "tmpfs", "-o", "size=75%,mode=0755", "vigia-bench", folder])


def make_ext4(folder: pathlib.Path, mebibytes: int) -> pathlib.Path:
    """Makes and mounts a file system at `folder`."""
    folder.mkdir()
    image = folder.with_suffix(".img")
    with open(image, "wb") as file:
        file.truncate(mebibytes << 20)
    run(["mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", image])
    run(["mount", "-o", "loop", image, folder])
    return folder
