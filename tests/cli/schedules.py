"""Makes schedules for tests: rows, files, and a congress of the usual shape."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from libres.cli.schedule.reading import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

BERLIN = ZoneInfo("Europe/Berlin")
HEADER = "room,start,end,title,event_id"


@dataclass(frozen=True, slots=True)
class Session:
    """A session of a congress, in minutes after the midnight its day begins with."""

    room: str
    day: int
    begin: int
    length: int
    title: str

    @property
    def line(self) -> str:
        """The session as a line of a file."""
        start = datetime(2014, 12, 27 + self.day, tzinfo=BERLIN) + timedelta(
            minutes=self.begin
        )
        end = start + timedelta(minutes=self.length)
        return f"{self.room},{start.isoformat()},{end.isoformat()},{self.title},7"


def congress(rooms: int = 2, days: int = 2) -> Iterator[Session]:
    """Yield four sessions a room and day; the last one ends after two at night."""
    for room in range(1, rooms + 1):
        for day in range(days):
            for begin, length in ((690, 60), (765, 60), (1200, 135), (1500, 75)):
                yield Session(f"Saal {room}", day, begin, length, f"Talk at {begin}")


def write(path: Path, sessions: Iterable[Session | str]) -> Path:
    """Write a file of sessions, or of lines as they are."""
    lines = [each if isinstance(each, str) else each.line for each in sessions]
    path.write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")
    return path


def row(start: str, end: str, room: str = "Hall", line: int = 2) -> Row:
    """Make a row from two ISO times; without an offset they are in UTC."""
    return Row(line, room, _aware(start), _aware(end), {"title": "x"})


def _aware(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
