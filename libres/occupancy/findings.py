"""Compares reservations with what the sensors told, and acts on what is found.

Loads, lets the rules of `libres.occupancy.judging` decide, stores, gives back, tells.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from uuid import UUID

from sqlalchemy import TextClause, select
from sqlalchemy.dialects.postgresql import Range

from libres.context.telling import tell
from libres.db.passing import fetch
from libres.domain.spans import Span
from libres.modules.events import Event
from libres.occupancy import finding_statements as statements
from libres.occupancy.judging import (
    CHECK_IN_EARLY,
    Judged,
    Kind,
    Rule,
    Verdict,
    first_of_each,
    told,
)
from libres.occupancy.models import OccFinding
from libres.occupancy.observing import linked, reserved_from, seen_by_resource
from libres.occupancy.places import spaces
from libres.occupancy.releasing import give_back

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

Action: TypeAlias = Literal["released"]

on_finding = Event()
"""``(context, finding)`` for each new `Finding`, once it is stored and acted upon."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a reservation, or of a space without one."""

    id: int | None
    """None: it is not stored, as it is unknown."""

    kind: Verdict
    """``unknown`` if a sensor was silent, so that nobody can tell."""

    space: UUID
    reservation: int | None
    """None: it does not concern one."""

    email: str | None
    """Of the reservation."""

    during: Span
    """When somebody was waited for, or the space was empty, too full, or used."""

    evidence: Mapping[str, Any]
    """What it is based on: of a no-show the ``grace`` in seconds and the ``counts`` at
    the start by space; of who left early since when, ``left``; of spaces the
    ``highest`` count. What came of it: the time that was ``released``, or why it was
    ``kept``."""

    action: Action | None
    """What was done."""


# Reservations -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """Which reservations are judged, and what is done about them."""

    kind: Kind
    rule: Rule
    since: datetime
    """The first start; what began before is not looked at."""

    until: datetime
    """What is known of later does not matter."""

    is_releasing: bool
    exempt: Collection[str] = ()
    """E-mails of those from whom nothing is taken, in lower case."""

    def is_exempt(self, found: Judged) -> bool:
        """Tell whether the one who has reserved is one of them."""
        reserved = found.reserved
        return reserved is not None and reserved.email.lower() in self.exempt


def compare(context: Context, session: Session, asked: Asked) -> list[Finding]:
    """Judge the reservations of all spaces; return what is new, and what is unknown.

    Four statements and those of each space that is reserved, however many have
    reserved; more only for what is given back.
    """
    known = linked(spaces(context, session))
    starts = Span(asked.since, asked.until)
    reserved = reserved_from(context, session, known, starts, asked.kind)
    seen = seen_by_resource(session, known, reserved, asked.until)
    judged = first_of_each(
        asked.rule(each, seen[each.resource], asked.until) for each in reserved
    )
    new = _store(context, session, asked, judged)
    unknown = [finding_of(each) for each in judged if each.kind == "unknown"]
    return sorted([*new, *unknown], key=lambda each: each.during)


def _store(
    context: Context, session: Session, asked: Asked, judged: Iterable[Judged]
) -> list[Finding]:
    """Store what is known; act on what nobody else has stored meanwhile, and tell."""
    known = {
        each.reserved.id: each
        for each in judged
        if each.reserved and each.kind != "unknown"
    }
    rows = write(context, session, statements.storing(), known.values())
    new = [_acted(context, asked, known[row.reservation], row.id) for row in rows]
    _note(session, new)
    for finding in new:
        tell(context, session, on_finding, finding)
    return new


def _acted(context: Context, asked: Asked, found: Judged, number: int) -> Finding:
    evidence = dict(found.evidence)
    is_exempt = asked.is_exempt(found)
    if is_exempt:
        evidence["exempt"] = True
    if asked.is_releasing:
        evidence |= give_back(context, found, asked.until, is_exempt=is_exempt)
    action: Action | None = "released" if "released" in evidence else None
    return replace(finding_of(found, number), evidence=evidence, action=action)


def _note(session: Session, acted: Iterable[Finding]) -> None:
    names = "id", "action", "evidence"
    rows = [{name: getattr(each, name) for name in names} for each in acted]
    if rows:
        fetch(session, statements.acting(), {"rows": json.dumps(rows)})


def finding_of(found: Judged, number: int | None = None) -> Finding:
    """Return what callers get."""
    reserved = found.reserved
    return Finding(
        id=number,
        kind=found.kind,
        space=found.space,
        reservation=None if reserved is None else reserved.id,
        email=None if reserved is None else reserved.email,
        during=found.during,
        evidence=found.evidence,
        action=None,
    )


def write(
    context: Context, session: Session, storing: TextClause, found: Iterable[Judged]
) -> list[Any]:
    """Store what was found, in one statement; return what it tells of the new rows."""
    rows = [_row(finding_of(each)) for each in found]
    values = {"context": context.name, "rows": json.dumps(rows)}
    return fetch(session, storing, values) if rows else []


def _row(finding: Finding) -> dict[str, Any]:
    names = "reservation", "kind", "email", "evidence"
    start, end = told(finding.during)
    given = {name: getattr(finding, name) for name in names}
    return {**given, "space": str(finding.space), "starts": start, "ends": end}


def check_in(
    context: Context, session: Session, reservation: int, moment: datetime
) -> bool:
    """Note that somebody is there; tell whether a space of ours is reserved by it."""
    values = {"context": context.name, "reservation": reservation, "ts": moment}
    return bool(fetch(session, statements.checking_in(), values))


# Reading ------------------------------------------------------------------------------


def findings(
    context: Context,
    session: Session,
    kind: Kind | None,
    start: datetime | None,
    end: datetime | None,
) -> list[Finding]:
    """Return what is stored and touches a time, by start. One statement."""
    query = (
        select(*_COLUMNS)
        .where(OccFinding.context == context.name)
        .where(OccFinding.during.overlaps(Range(start, end)))
        .order_by(OccFinding.during, OccFinding.id)
    )
    if kind is not None:
        query = query.where(OccFinding.kind == kind)
    return [_read(row) for row in fetch(session, query, {})]


_COLUMNS = tuple(getattr(OccFinding, name) for name in Finding.__slots__)


def _read(row: Any) -> Finding:
    values = row._asdict()
    return Finding(**{**values, "during": span_of_range(values["during"])})


def span_of_range(stored: Range[datetime]) -> Span:
    """Read a time that has both ends."""
    start, end = stored.lower, stored.upper
    assert start is not None and end is not None  # noqa: S101, PT018 - nothing else is stored
    return Span(start.astimezone(UTC), end.astimezone(UTC))


def strikes(
    context: Context, session: Session, since: datetime | None
) -> dict[str, int]:
    """Count who did not come, by e-mail, most first. One statement."""
    values = {"context": context.name, "since": since, "early": CHECK_IN_EARLY}
    rows = fetch(session, statements.strikes(), values)
    return {row.email: row.number for row in rows}
