"""Reads spans of many subjects from a CSV file: name, start, end, timezone, tags."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

NEEDED = ("name", "start", "end")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file."""

    name: str
    start: datetime
    end: datetime
    timezone: str | None
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file says: who there is, and when each is open."""

    subjects: dict[str, tuple[str | None, tuple[str, ...]]]
    """Names, with the timezone, or None, and tags of the first line."""

    spans: dict[tuple[tuple[datetime, datetime], ...], list[str]]
    """Those who have the same spans, by those."""


def loaded(path: Path) -> Loaded:
    """Read a file. Raises ClickException that names the line if one is wrong."""
    subjects: dict[str, tuple[str | None, tuple[str, ...]]] = {}
    spans: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for row in _rows(path):
        subjects.setdefault(row.name, (row.timezone, row.tags))
        spans[row.name].append((row.start, row.end))
    together: dict[tuple[tuple[datetime, datetime], ...], list[str]] = defaultdict(list)
    for name, some in spans.items():
        together[tuple(some)].append(name)
    return Loaded(subjects, together)


def _rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := [each for each in NEEDED if each not in _names(reader)]:
                message = (
                    f"{path} has no column {', '.join(missing)}: {NEEDED} are needed."
                )
                raise click.ClickException(message)
            for values in reader:
                yield _row(values, f"{path}, line {reader.line_num}")
    except (OSError, UnicodeError, csv.Error) as error:
        message = f"{path} cannot be read: {error}"
        raise click.ClickException(message) from error


def _names(reader: csv.DictReader[str]) -> list[str]:
    return list(reader.fieldnames or [])


def _row(values: dict[str, str | None], place: str) -> Row:
    name = (values.get("name") or "").strip()
    if not name:
        message = f"{place}: the name is missing."
        raise click.ClickException(message)
    return Row(
        name,
        _moment(values.get("start"), place),
        _moment(values.get("end"), place),
        (values.get("timezone") or "").strip() or None,
        tuple((values.get("tags") or "").split()),
    )


def _moment(value: str | None, place: str) -> datetime:
    try:
        return datetime.fromisoformat((value or "").strip())
    except ValueError as error:
        message = f"{place}: {value!r} is not a time, as 2030-01-07T09:00+01:00."
        raise click.ClickException(message) from error
