"""Fields of requests: what is not strictly what is meant is refused, and said why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from apiflask import Schema as _Schema
from marshmallow import RAISE, ValidationError, fields, pre_load, validate

from libres.domain.days import UTC

FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = datetime(3000, 1, 1, tzinfo=UTC)
"""Of the moments that make sense here."""

LARGEST: Final = 2**31 - 1
"""The largest whole number that PostgreSQL's integer holds."""

DEEPEST: Final = 20
"""Levels of a JSON document that callers keep with a record."""


class Schema(_Schema):
    """A document; what it does not know is refused."""

    class Meta:
        """Refuse what is not known."""

        unknown = RAISE


class Query(_Schema):
    """Query parameters; unknown ones are refused: a typo must not widen a search."""

    class Meta:
        """Refuse what is not known."""

        unknown = RAISE

    @pre_load
    def _know(self, data: Any, **_more: Any) -> Any:
        """Refuse what is not known: webargs leaves it out of queries before."""
        names = {each.data_key or name for name, each in self.load_fields.items()}
        unknown = {name: ["Unknown field."] for name in data if name not in names}
        if unknown:
            raise ValidationError(unknown)
        return data


def check_text(text: str) -> None:
    """Refuse what PostgreSQL cannot store. Raises ValidationError."""
    if "\0" in text or any("\ud800" <= each <= "\udfff" for each in text):
        message = "NUL and halves of surrogate pairs are no text."
        raise ValidationError(message)


class Text(fields.String):
    """A text that can be stored."""

    def __init__(self, *, longest: int = 200, shortest: int = 0, **more: Any) -> None:
        length = validate.Length(min=shortest or None, max=longest)
        super().__init__(validate=[length, check_text], **more)


class Whole(fields.Integer):
    """A whole number; in JSON 1.0, true and "1" are none."""

    def __init__(self, *, least: int = 0, most: int = LARGEST, **more: Any) -> None:
        strict = more.pop("strict", True)
        super().__init__(
            strict=strict, validate=validate.Range(min=least, max=most), **more
        )


class Flag(fields.Boolean):
    """True or false; a word in a query, and only the JSON words in a document."""


class Identifier(fields.UUID):
    """A UUID."""


class Email(fields.String):
    """An e-mail address, roughly: the service of the context decides."""

    def __init__(self, **more: Any) -> None:
        super().__init__(validate=[validate.Length(min=3, max=254), check_text], **more)


def _describe(options: dict[str, Any], **said: str) -> None:
    """Say in the document what a field of ours is in JSON."""
    options["metadata"] = {**said, **options.get("metadata", {})}


_SPACED_OFFSET: Final = re.compile(r"(.*T.*) (\d\d:?\d\d)", re.DOTALL)
"""A + that was not escaped in a query arrives as a blank."""


class Moment(fields.Field[datetime]):
    """A moment as ISO 8601 with its offset from UTC; those without zone are refused."""

    def __init__(self, **more: Any) -> None:
        _describe(more, type="string", format="date-time")
        super().__init__(**more)

    def _serialize(
        self, value: datetime | None, *_args: Any, **_more: Any
    ) -> str | None:
        return None if value is None else value.isoformat()

    def _deserialize(self, value: object, *_args: Any, **_more: Any) -> datetime:
        return moment_of(value)


def moment_of(value: object) -> datetime:
    """Read a moment, into UTC. Raises ValidationError."""
    if not isinstance(value, str) or len(value) > 40:
        raise ValidationError(A_MOMENT)
    spaced = _SPACED_OFFSET.fullmatch(value)
    text = f"{spaced[1]}+{spaced[2]}" if spaced else value
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValidationError(A_MOMENT) from error
    if found.tzinfo is None:
        message = "It has no offset from UTC: end it with Z, or with one like +02:00."
        raise ValidationError(message)
    try:
        moment = found.astimezone(UTC)
    except OverflowError as error:
        raise ValidationError(A_YEAR) from error
    if not FIRST <= moment < LAST:
        raise ValidationError(A_YEAR)
    return moment


A_MOMENT: Final = "A moment is ISO 8601 with offset, as 2026-11-27T09:00:00+01:00."
A_YEAR: Final = "The year must be from 1970 to 2999."


class Day(fields.Field[date]):
    """A day as ISO 8601: 2026-11-27."""

    def __init__(self, **more: Any) -> None:
        _describe(more, type="string", format="date")
        super().__init__(**more)

    def _serialize(self, value: date | None, *_args: Any, **_more: Any) -> str | None:
        return None if value is None else value.isoformat()

    def _deserialize(self, value: object, *_args: Any, **_more: Any) -> date:
        try:
            found = date.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            found = None
        if found is None or not FIRST.year <= found.year < LAST.year:
            message = "A day is ISO 8601, as 2026-11-27."
            raise ValidationError(message)
        return found


class Data(fields.Field[dict[str, Any]]):
    """A JSON object that is kept with a record, as the caller likes."""

    def __init__(self, **more: Any) -> None:
        _describe(more, type="object")
        super().__init__(**more)

    def _deserialize(self, value: object, *_args: Any, **_more: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            message = "An object is expected."
            raise ValidationError(message)
        _check_json(value, DEEPEST)
        return value


def _check_json(value: object, levels: int) -> None:
    """Refuse what jsonb cannot hold: NaN, infinite numbers, NUL, too deep a nesting."""
    if levels == 0:
        message = f"More than {DEEPEST} levels are too deep."
        raise ValidationError(message)
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, float) and not -1e300 < value < 1e300:
        message = "A number must be finite."
        raise ValidationError(message)
    elif isinstance(value, int) and abs(value) > 10**100:
        message = "A number has too many digits."
        raise ValidationError(message)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            check_text(key)
            _check_json(each, levels - 1)
    elif isinstance(value, list):
        for each in value:
            _check_json(each, levels - 1)


def check_range(start: datetime, end: datetime, days: int, names: str = "to") -> None:
    """Refuse a time that is empty, reversed or too long. Raises ValidationError."""
    if start >= end:
        message = "It must end after it starts."
        raise ValidationError(message, names)
    if end - start > timedelta(days=days):
        message = f"It spans more than {days} days: ask for less at once."
        raise ValidationError(message, names)


def uuid_of(text: str) -> UUID | None:
    """Read a UUID of a path; None: it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


# What many documents have in common ---------------------------------------------------


class Problem(_Schema):
    """What went wrong (RFC 9457)."""

    type = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    title = fields.String()
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))
    alternatives = fields.String(
        metadata={"description": "Where to ask what is free instead of what is taken."}
    )


class Page(Query):
    """Which page of a list."""

    cursor = Text(longest=500, metadata={"description": "'next' of the page before."})
    limit = Whole(least=1, most=500, strict=False)


class Span(Schema):
    """A time, half-open."""

    start = Moment(required=True, metadata={"format": "date-time"})
    end = Moment(required=True, metadata={"format": "date-time"})


class Paged(Schema):
    """A page of a list, and where the next one begins."""

    next = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The cursor of the next page; null: it was the last."},
    )
