"""Writes to the terminal: the console, and text that is safe and short to print."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from rich.console import Console

if TYPE_CHECKING:
    from datetime import date, datetime

TO = "\N{EN DASH}"
STRANGE = "\N{REPLACEMENT CHARACTER}"

NOTHING, EVERYTHING = 1e-6, 100 - 1e-6
"""Percentages; beyond them is nothing but an error of rounding."""


def console(*, stderr: bool = False) -> Console:
    """Make a console that never fails on what the terminal cannot encode."""
    stream = sys.stderr if stderr else sys.stdout
    _forgiving(stream)
    return Console(stderr=stderr, highlight=False)


def _forgiving(stream: TextIO) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")


def printable(text: str) -> str:
    """Replace what would steer the terminal instead of being read."""
    spaced = " ".join(text.split())
    return "".join(letter if letter.isprintable() else STRANGE for letter in spaced)


def shortened(text: str, length: int) -> str:
    """Cut *text* to *length* letters, with an ellipsis if something is missing."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def day_of(day: date) -> str:
    """Say the day, as in ``Mon 23 Nov``."""
    return f"{day:%a} {day.day:2} {day:%b}"


def times_of(start: datetime, end: datetime) -> str:
    """Say day and times, as in ``Mon 23 Nov 09:00-10:30``."""
    return f"{day_of(start)} {start:%H:%M}{TO}{end:%H:%M}"


def rounded(percent: float) -> int:
    """Round a percentage so that 0 and 100 mean nothing and everything."""
    if NOTHING < percent < EVERYTHING:
        return min(max(round(percent), 1), 99)
    return round(percent)
