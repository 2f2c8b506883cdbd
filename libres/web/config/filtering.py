"""Reads filter forms: what they ask for, and what is wrong with it, field by field.

What is wrong is told beside its field, and nothing is shown: a typo must not widen a
search. Days and moments are those of UTC, as on all these pages.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from flask import request
from marshmallow import ValidationError

from libres.domain.days import UTC
from libres.web.errors import InvalidRequest
from libres.web.fields import FIRST, LAST, check_text

if TYPE_CHECKING:
    from libres.sync.values import Organization
    from libres.web.config.visiting import Visit

DAY: Final = timedelta(days=1)
LONGEST: Final = 500
"""Characters of what somebody looks for."""

LARGEST: Final = 2**63 - 1

A_TIME: Final = "Write a day as 2026-11-27, or a moment as 2026-11-27 09:00."
A_YEAR: Final = "The year must be from 1970 to 2999."
REVERSED: Final = "It must be after the first one."
TOO_LONG: Final = f"More than {LONGEST} characters are too many."
A_NUMBER: Final = "Write a whole number."
A_CHOICE: Final = "Choose one of the list."


class Filters:
    """A filter form that was sent in an address. What is empty is not asked for."""

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        """Read what was *given*; None: what is in the address of the request."""
        told: Mapping[str, str] = request.args if given is None else given
        self.values = {name: each.strip() for name, each in told.items()}
        """As they were sent, to be shown once more."""

        self.errors: dict[str, str] = {}
        """What is wrong, by the name of the field."""

    @property
    def status(self) -> int:
        """What a page with this form answers: 422, if anything is wrong."""
        return 422 if self.errors else 200

    def insist(self) -> None:
        """Refuse what is no page, if anything is wrong. Raises InvalidRequest."""
        if self.errors:
            told = {name: [each] for name, each in self.errors.items()}
            raise InvalidRequest(errors=told)

    def kept(self, *names: str) -> dict[str, Any]:
        """Return some of what was sent, for the address of another page."""
        return {each: self.values[each] for each in names if self.values.get(each)}

    # Fields ---------------------------------------------------------------------------

    def text(self, name: str) -> str | None:
        """Return a text; None: none is asked for."""
        value = self.values.get(name) or None
        try:
            check_text(value or "")
        except ValidationError as error:
            self.errors[name] = str(error.messages[0])
        if value is not None and len(value) > LONGEST:
            self.errors[name] = TOO_LONG
        return None if name in self.errors else value

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """Return one of some words; None: none is asked for."""
        value = self.values.get(name) or None
        if value is None or value in allowed:
            return value
        self.errors[name] = A_CHOICE
        return None

    def whole(self, name: str, least: int = 0, most: int = LARGEST) -> int | None:
        """Return a whole number; None: none is asked for."""
        value = self.values.get(name)
        if not value:
            return None
        is_number = value.isascii() and value.isdecimal() and len(value) < 20
        if is_number and least <= int(value) <= most:
            return int(value)
        self.errors[name] = A_NUMBER
        return None

    def span(
        self, first: str = "from", last: str = "to"
    ) -> tuple[datetime | None, datetime | None]:
        """Return from when on, and until before which moment, in UTC; None: open.

        Of two days the last one is still in it.
        """
        since, until = self._moment(first), self._moment(last, ends=True)
        if since is not None and until is not None and since >= until:
            self.errors[last] = REVERSED
        return since, until

    def _moment(self, name: str, *, ends: bool = False) -> datetime | None:
        value = self.values.get(name)
        if not value:
            return None
        found = _read(value, ends=ends)
        if found is not None and FIRST <= found <= LAST:
            return found
        self.errors[name] = A_TIME if found is None else A_YEAR
        return None


def asked_of(here: Visit, filters: Filters) -> list[Organization] | None:
    """Return the organisations that are asked for, of those that a visitor may see;
    None: all there are, and what belongs to none."""
    known = {each.slug: each for each in here.organizations}
    chosen = filters.choice("organization", known)
    if chosen is not None:
        return [known[chosen]]
    return None if here.is_staff else here.organizations


def _read(value: str, *, ends: bool) -> datetime | None:
    """Read a day, or a moment that is of UTC unless it says otherwise."""
    with suppress(ValueError, OverflowError):
        day = datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC)
        return day + DAY if ends else day
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(value)
        aware = found.replace(tzinfo=UTC) if found.tzinfo is None else found
        return aware.astimezone(UTC)
    return None
