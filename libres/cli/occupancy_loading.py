"""Records a file of events: shows how far it is, and says what became of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from os import SEEK_END
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Final

import click
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn

from libres.cli.terminal import bar, printable
from libres.occupancy import UnreadableFile
from libres.occupancy.ingesting import BATCH

if TYPE_CHECKING:
    from collections.abc import Callable

    from libres.occupancy import Loaded, Occupancy

LISTED: Final = 20
"""Refused rows; the others are counted."""

BEFORE: Final = (
    f"What came before is recorded, as far as it fills batches of {BATCH:,} rows: "
    "mend the file and load it again, that records nothing twice."
)


@contextmanager
def repeatable(file: IO[bytes], atomic: bool) -> Iterator[IO[bytes]]:
    """Copy what can be read only once, if it may have to be read again."""
    if file.seekable() or not atomic:
        yield file
        return
    with TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield copy


class Lines:
    """The lines of a file, which can be read again, and how far that is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._start = file.tell() if file.seekable() else None
        self.length = 0
        """Bytes that have been read."""

    def __iter__(self) -> Iterator[bytes]:
        if self._start is not None:
            self._file.seek(self._start)
        self.length = 0
        for line in self._file:
            self.length += len(line)
            yield line

    @property
    def size(self) -> int | None:
        """How many bytes there are; None: nobody knows."""
        if self._start is None:
            return None
        return self._file.seek(0, SEEK_END) - self._start


def loaded(house: Occupancy, lines: Lines, source: str, *, atomic: bool) -> Loaded:
    """Record a file and show how far it is; with *atomic* all of it, or nothing.

    Raises ClickException if it cannot be read, UnreadableFile if it is none of events.
    """
    with progress(lines.size) as tell:

        def act() -> Loaded:
            return house.load_csv(
                lines,
                source=source,
                atomic=atomic,
                progress=lambda rows: tell(rows, lines.length),
            )

        try:
            return house.context.transaction(act) if atomic else act()
        except UnreadableFile as error:
            if atomic or error.line <= BATCH:
                raise
            message = f"{error} {BEFORE}"
            raise click.ClickException(message) from error
        except OSError as error:
            message = f"The file cannot be read: {error}"
            raise click.ClickException(message) from error


@contextmanager
def progress(size: int | None) -> Iterator[Callable[[int, int], None]]:
    """Show how many rows and bytes have been read."""
    columns = (
        TextColumn("loads"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
    )
    with bar(*columns) as shown:
        task = shown.add_task("", total=size, rows=0)
        yield lambda rows, length: shown.update(task, completed=length, rows=rows)


def told(made: Loaded, *, atomic: bool) -> Iterator[str]:
    """Say in lines what became of a file."""
    yield (
        f"Read {made.read}: inserted {made.inserted}, duplicates {made.duplicates}, "
        f"unknown {made.unknown}, invalid {made.invalid}."
    )
    if made.quarantined or made.unassigned:
        yield (
            f"Of the inserted, these are not counted: quarantined {made.quarantined}, "
            f"unassigned {made.unassigned}."
        )
    for each in made.refused[:LISTED]:
        yield f"line {each.line}: {printable(each.reason)}"
    refused = made.invalid + made.unknown
    if refused > LISTED:
        yield f"… and {refused - LISTED} more."
    if refused and atomic:
        yield "Nothing is recorded: correct these rows, or omit --atomic."
