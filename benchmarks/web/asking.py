"""Makes requests: pages of a calendar, searches and bookings, as bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle
from random import Random
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode
from uuid import UUID

if TYPE_CHECKING:
    from datetime import datetime

    from benchmarks.web.driving import Answer
    from benchmarks.web.filling import Filled

HOST: Final = "libres"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request: what it expects, and how to make the next one."""

    name: str
    status: int
    requests: Callable[[], Iterator[bytes]]


def message(verb: str, path: str, key: str, body: Any = None, **headers: str) -> bytes:
    """Write a request."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{verb} {path} HTTP/1.1", f"Host: {HOST}"]
    lines.append(f"Authorization: Bearer {key}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append("Content-Type: application/json")
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode() + content


def _calendar(room: str, start: datetime, end: datetime) -> str:
    span = {"from": start.isoformat(), "to": end.isoformat()}
    return f"/resources/{room}/calendar?{urlencode(span)}"


def calendars(filled: Filled) -> Iterator[bytes]:
    """Ask for a week of a room, each time another one."""
    for week in filled.weeks(Random(1)):  # noqa: S311 - nothing is secret
        yield message("GET", _calendar(*week), filled.key)


def unchanged(filled: Filled, ask: Callable[[bytes], Answer]) -> Iterator[bytes]:
    """Make requests for weeks that the caller has already, as many as rooms."""
    weeks = filled.weeks(Random(2))  # noqa: S311 - nothing is secret
    for _ in range(filled.rooms):
        path = _calendar(*next(weeks))
        tag = ask(message("GET", path, filled.key)).header(b"etag")
        yield message("GET", path, filled.key, If_None_Match=tag)


def again(requests: list[bytes]) -> Iterator[bytes]:
    """Ask for the same, without end."""
    return cycle(requests)


def searches(filled: Filled) -> Iterator[bytes]:
    """Ask for the first hour in an afternoon of a week, in any room."""
    for _room, start, end in filled.weeks(Random(3)):  # noqa: S311 - nothing is secret
        wanted = {
            "start": start.isoformat(),
            "end": end.isoformat(),
            "duration": 60,
            "from_time": "12:00",
            "to_time": "18:00",
        }
        yield message("POST", "/search", filled.key, wanted)


def bookings(
    free: Iterable[tuple[str, datetime, datetime]], key: str
) -> Iterator[bytes]:
    """Book what is free, each step once, with an idempotency key."""
    choose = Random(4)  # noqa: S311 - nothing is secret
    for room, start, end in free:
        wanted = {
            "email": "ben@example.org",
            "dates": [{"start": start.isoformat(), "end": end.isoformat()}],
        }
        word = str(UUID(int=choose.getrandbits(128)))
        path = f"/resources/{room}/bookings"
        yield message("POST", path, key, wanted, Idempotency_Key=word)
