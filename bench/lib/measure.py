# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures: a ratio within one round; median with the least and the greatest of all rounds."""
import statistics
import time


class Series:
    """The values of one thing over the rounds."""

    def __init__(self, values=()):
        self.values = list(values)

    def add(self, value: float) -> None:
        self.values.append(value)

    def __truediv__(self, other: "Series") -> "Series":
        """Round by round."""
        return Series(a / b for a, b in zip(self.values, other.values, strict=True))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def text(self, digits: int = 2, unit: str = "") -> str:
        low, middle, high = min(self.values), self.median, max(self.values)
        if not unit:
            return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
        return f"{middle:.{digits}f} {unit} ({low:.{digits}f}–{high:.{digits}f})"


def percentile(values, share: float) -> float:
    """The smallest value that so large a share of all does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, int(share * len(ordered) + 0.999999) - 1))]


def timed(action) -> float:
    """Seconds that action() takes."""
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def met(value: float, limit: float) -> str:
    return "yes" if value <= limit else "**no**"
