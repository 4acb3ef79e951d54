# SPDX-License-Identifier: GPL-2.0-or-later
"""A definition set in the shape of ClamAV's public one, from a seed: mostly hashes of whole files
and of PE sections, some body and logical signatures by target type. Nothing in it matches a real
file, except one signature for EICAR at the start of a file with anything behind it."""
import pathlib
import random

from lib.samples import eicar

# Signatures at scale 1, which is the size of the public set.
HASHES = {
    # file: (how many, bytes of digest, digest first?)
    "sections.mdb": (4_200_000, 16, False),
    "files.hdb": (2_300_000, 16, True),
    "files.hsb": (1_500_000, 32, True),
    "sections.msb": (500_000, 32, False),
}
BODIES = 120_000
LOGICAL = 60_000
SCALES = {"small": 0.001, "mid": 0.1, "large": 1.0}

# Target types of body signatures and their weights: PE, any, HTML, mail, ELF, ASCII, OLE2.
TARGETS = [1] * 60 + [0] * 8 + [3] * 13 + [4] * 3 + [6] * 6 + [7] * 8 + [2] * 2
TEXT_TARGETS = {3, 4, 7}
LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789 ()<>=;./_"
GAPS = ("*", "{4-32}", "????", "{-96}", "(0f|f0)")
OFFSETS = ("EP+0", "0", "S1+8", "EOF-256", "EP+0,64")


def write_hashes(file: pathlib.Path, count: int, size: int, digest_first: bool, dice) -> None:
    with open(file, "w", encoding="ascii", buffering=1 << 20) as out:
        for start in range(0, count, 10_000):
            block = min(10_000, count - start)
            digits = dice.randbytes(block * size).hex()
            lengths = dice.choices(range(64, 3_000_000), k=block)
            for i, length in enumerate(lengths):
                digest = digits[2 * size * i : 2 * size * (i + 1)]
                pair = f"{digest}:{length}" if digest_first else f"{length}:{digest}"
                out.write(f"{pair}:Synthetic.{file.suffix[1:]}-{start + i}\n")


def body(target: int, dice) -> str:
    if target in TEXT_TARGETS:
        return bytes(dice.choices(LETTERS, k=dice.randint(16, 56))).hex()
    return dice.randbytes(dice.randint(12, 64)).hex()


def pattern(target: int, share_with_gap: float, dice) -> str:
    first = body(target, dice)
    if dice.random() >= share_with_gap:
        return first
    return first + dice.choice(GAPS) + body(target, dice)


def write_bodies(file: pathlib.Path, count: int, dice) -> None:
    with open(file, "w", encoding="ascii") as out:
        out.write(f"Bench.Eicar-1:0:0:{eicar().hex()}\n")
        for i in range(count):
            target = dice.choice(TARGETS)
            anchored = target == 1 and dice.random() < 0.3
            offset = dice.choice(OFFSETS) if anchored else "*"
            out.write(f"Synthetic.ndb-{i}:{target}:{offset}:{pattern(target, 0.35, dice)}\n")


def write_logical(file: pathlib.Path, count: int, dice) -> None:
    with open(file, "w", encoding="ascii") as out:
        for i in range(count):
            target = dice.choice(TARGETS)
            parts = dice.randint(2, 4)
            rule = "&".join(map(str, range(parts)))
            patterns = ";".join(pattern(target, 0.15, dice) for _ in range(parts))
            out.write(f"Synthetic.ldb-{i};Engine:81-255,Target:{target};{rule};{patterns}\n")


def make_definitions(folder: pathlib.Path, name: str, seed: int = 20_261_120) -> int:
    """Writes the set `name` of SCALES; how many signatures there are."""
    scale = SCALES[name]
    folder.mkdir()
    dice = random.Random(seed)
    total = 1
    for file, (count, size, digest_first) in HASHES.items():
        write_hashes(folder / file, int(count * scale), size, digest_first, dice)
        total += int(count * scale)
    write_bodies(folder / "bodies.ndb", int(BODIES * scale), dice)
    write_logical(folder / "logical.ldb", int(LOGICAL * scale), dice)
    return total + int(BODIES * scale) + int(LOGICAL * scale)
