"""Writes to the terminal: the console, and text that is safe and short to print."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, ProgressColumn

if TYPE_CHECKING:
    from datetime import date, datetime

STRANGE = "\N{REPLACEMENT CHARACTER}"

SUBSTITUTE = "libres-substitute"
"""The name that Python knows the function of this name by."""

SUBSTITUTES = {
    "\N{EN DASH}": "-",
    "…": "...",
    "▒": "+",
    "█": "#",
    "▌": "#",
    "▐": "#",
    "▚": "o",
    "\N{MIDDLE DOT}": ".",
    "╬": "x",
}

NOTHING, EVERYTHING = 1e-6, 100 - 1e-6
"""Percentages; beyond them is nothing but an error of rounding."""


def console(*, stderr: bool = False) -> Console:
    """Make a console that writes something readable whatever its encoding is."""
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors=SUBSTITUTE)
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


@contextmanager
def bar(*columns: ProgressColumn) -> Iterator[Progress]:
    """Show a bar on stderr, to people: where a file is written, there is none."""
    said = console(stderr=True)
    disable = not said.is_terminal
    with Progress(*columns, console=said, transient=True, disable=disable) as shown:
        yield shown


def substitute(error: UnicodeError) -> tuple[str, int]:
    """Return what to write instead of letters that an encoding does not have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    unknown = error.object[error.start : error.end]
    return "".join(SUBSTITUTES.get(letter, "?") for letter in unknown), error.end


codecs.register_error(SUBSTITUTE, substitute)


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
    return f"{day_of(start)} {start:%H:%M}-{end:%H:%M}"


def rounded(percent: float) -> int:
    """Round a percentage so that 0 and 100 mean nothing and everything."""
    if NOTHING < percent < EVERYTHING:
        return min(max(round(percent), 1), 99)
    return round(percent)
