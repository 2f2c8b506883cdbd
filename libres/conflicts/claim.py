"""A claim as it is proposed, and as it is stored: plain values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from libres.conflicts.errors import IncompleteQuestion, InvalidClaim
from libres.conflicts.values import (
    Bounds,
    Doubtful,
    During,
    Numbers,
    NumericSpan,
    Period,
    buffer_of,
    dims_of,
    id_of,
    name_of,
    period_of,
    span_of,
    text_of,
    whole_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

NO_TIME: Final = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What somebody wants to have: a resource for a time, and what else matters.

    Whatever is passed is checked and brought into one form.

    Raises IncompleteQuestion for a missing resource or end, InvalidClaim and
    NotTimezoneAware for values that make no sense, in words.
    """

    resource: str
    """The key of the host, or the uuid of a resource of the core, as text."""

    during: Period
    """Half-open; also a Span or a tuple of two ends, OPEN for one without end. Naive
    ends need *timezone*."""

    span: NumericSpan | None = None
    """Numbers, as altitudes; also a tuple of two ends with *bounds*. None: all."""

    dims: dict[str, Any] | None = None
    """Further pairs to ask for; the guard does not look at them."""

    source: str | None = None
    """Whose record it is: ``app.Model``."""

    source_id: str | None = None
    """Which record of the source: its primary key. In a question: what to leave out."""

    part: int = 0
    """Which of several resources or times of the record."""

    exclusive: bool = True
    """Whether it keeps others out; else it only shows up in answers."""

    capacity: int | None = None
    """How many places the resource has; None: it can be had only alone."""

    places: int = 1
    """How many of them are wanted."""

    tentative: bool = False
    """Whether it is not certain yet."""

    expires: datetime | None = None
    """When it stops to count by itself; None: never."""

    before: timedelta = NO_TIME
    after: timedelta = NO_TIME
    """Time that is needed around it, to travel or to clean."""

    label: str | None = None
    url: str | None = None
    """For people."""

    timezone: str | None = field(default=None, repr=False, compare=False)
    doubtful: Doubtful = field(default="refuse", repr=False, compare=False)
    bounds: Bounds = field(default="[]", repr=False, compare=False)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            resource: str | UUID,
            during: During,
            span: Numbers | None = None,
            dims: Mapping[str, Any] | None = None,
            source: str | None = None,
            source_id: str | int | UUID | None = None,
            part: int = 0,
            exclusive: bool = True,
            capacity: int | None = None,
            places: int = 1,
            tentative: bool = False,
            expires: datetime | None = None,
            before: timedelta = NO_TIME,
            after: timedelta = NO_TIME,
            label: str | None = None,
            url: str | None = None,
            timezone: str | None = None,
            doubtful: Doubtful = "refuse",
            bounds: Bounds = "[]",
        ) -> None: ...

    def __post_init__(self) -> None:
        read = object.__setattr__
        read(self, "resource", name_of(self.resource, "resource"))
        during = period_of(self.during, self.timezone, self.doubtful)
        read(self, "during", during)
        read(self, "span", span_of(self.span, self.bounds))
        read(self, "dims", dims_of(self.dims))
        read(self, "part", whole_of(self.part, "part"))
        read(self, "before", buffer_of(self.before, "before"))
        read(self, "after", buffer_of(self.after, "after"))
        read(self, "label", text_of(self.label, "label"))
        read(self, "url", text_of(self.url, "url"))
        read(self, "expires", _expiry(self.expires))
        self._check_identity()
        self._check_places()
        self.during.widened(self.before, self.after)

    def _check_identity(self) -> None:
        if (self.source is None) != (self.source_id is None):
            message = "source and source_id belong together: give both or none of them."
            raise IncompleteQuestion(message)
        if self.source is not None:
            object.__setattr__(self, "source", name_of(self.source, "source"))
            object.__setattr__(self, "source_id", id_of(self.source_id))

    def _check_places(self) -> None:
        whole_of(self.places, "number of places", least=1)
        if self.capacity is None:
            if self.places != 1:
                message = f"{self.places} places need a capacity to be taken from."
                raise InvalidClaim(message)
            return
        whole_of(self.capacity, "capacity", least=1)
        if self.places > self.capacity:
            message = (
                f"{self.places} places of a resource with {self.capacity} can never be "
                f"had."
            )
            raise InvalidClaim(message)

    @property
    def blocked(self) -> Period:
        """The time with what is needed around it."""
        return self.during.widened(self.before, self.after)

    @property
    def dims_as_text(self) -> str | None:
        """The pairs as JSON."""
        return None if self.dims is None else json.dumps(self.dims)

    def belonging_to(self, source: str, source_id: str) -> Proposal:
        """Return the same for a record of a source."""
        return replace(self, source=source, source_id=source_id)


def _expiry(expires: object) -> datetime | None:
    if expires is None:
        return None
    return Period(start=expires).start  # type: ignore[arg-type]  # checked there


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim that is stored, or what the scheduler has given away, read as one."""

    id: int
    """Below zero if it is not stored."""

    source: str
    source_id: str
    part: int
    resource: str
    blocked: Period
    """The time it takes, with what is needed around it."""

    span: NumericSpan | None = None
    dims: dict[str, Any] | None = None
    exclusive: bool = True
    capacity: int | None = None
    places: int = 1
    tentative: bool = False
    expires: datetime | None = None
    before: timedelta = NO_TIME
    after: timedelta = NO_TIME
    label: str | None = None
    url: str | None = None
    named: str | None = None
    """The resource that was claimed, if this one is only a part of it; else None."""

    of_part: int | None = None
    """The part of the record that claimed it, in that case; else None."""

    @property
    def during(self) -> Period:
        """The time itself, without what is needed around it."""
        return self.blocked.widened(-self.before, -self.after)

    @property
    def identity(self) -> tuple[str, str, int]:
        """The source, the id there, and the part."""
        return self.source, self.source_id, self.part

    def as_json(self) -> dict[str, Any]:
        """Return what JSON shows of it; times with an offset, open ends as None.

        ``tentative`` is there only if it is true.
        """
        shown = {
            "id": self.id,
            "resource_id": self.resource,
            "temporal_range": _times(self.during),
            "integer_range": _numbers(self.span),
            "arbitrary_dims": self.dims,
            "source_app": self.source,
            "source_object_id": self.source_id,
        }
        return {**shown, "tentative": True} if self.tentative else shown

    def as_busy(self) -> dict[str, Any]:
        """Return what JSON shows of it to those who may only know that it is busy."""
        return {"busy": True, "temporal_range": _times(self.during)}

    def __str__(self) -> str:
        name = self.label or f"{self.source} {self.source_id}"
        return f"{self.resource}, {self.during}: {name}"


def _times(during: Period) -> dict[str, Any] | None:
    if during.is_always:
        return None
    return {
        "lower": None if during.start is None else during.start.isoformat(),
        "upper": None if during.end is None else during.end.isoformat(),
        "bounds": _bounds(during.start is not None, upper_inclusive=False),
    }


def _numbers(span: NumericSpan | None) -> dict[str, Any] | None:
    if span is None:
        return None
    return {
        "lower": _plain(span.lower),
        "upper": _plain(span.upper),
        "bounds": _bounds(span.lower_inclusive, span.upper_inclusive),
    }


def _bounds(lower_inclusive: bool, upper_inclusive: bool) -> dict[str, bool]:
    return {"lower_inclusive": lower_inclusive, "upper_inclusive": upper_inclusive}


def _plain(number: Any) -> int | float | None:
    if number is None:
        return None
    return int(number) if number == number.to_integral_value() else float(number)
