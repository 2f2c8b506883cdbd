"""Reads who waits: entries as values, with their positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from libres.db.models.timestamp import TimestampMixin
from libres.db.passing import WINDOWS, fetch
from libres.domain.days import to_zone
from libres.waiting import statements
from libres.waiting.errors import UnknownEntry

if TYPE_CHECKING:
    from sqlalchemy import Executable
    from sqlalchemy.orm import Session

    from libres.context.core import Context
    from libres.domain.spans import Span

Status = Literal["waiting", "served", "expired"]


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody who waits for a time of a resource, or has been served."""

    id: UUID
    """Whoever knows it may leave for them: it cannot be guessed."""

    turn: int
    """Who has a lower one came first."""

    resource: UUID
    name: str
    """That of the scheduler they joined with."""

    timezone: str
    email: str
    start: datetime
    end: datetime
    """In the zone of the scheduler, as are all moments here."""

    places: int
    data: Mapping[str, Any]
    until: datetime
    """From then on they do not wait any more."""

    created: datetime
    token: UUID | None
    """Of what was reserved for them; None: they have not been served."""

    position: int | None
    """Among those who wait for a part of the same time, from 1; None: they do not
    wait."""

    @property
    def status(self) -> Status:
        """Tell whether they wait, were served, or waited in vain."""
        if self.token is not None:
            return "served"
        return "expired" if self.position is None else "waiting"


MOMENTS = ("start", "end", "until", "created")


def _entry(row: Any) -> Entry:
    values = row._asdict()
    del values["context"]
    zone = values["timezone"]
    shown = {name: to_zone(values[name], zone) for name in MOMENTS}
    return Entry(**{**values, **shown})


def read(
    context: Context, session: Session, statement: Executable, **values: Any
) -> list[Entry]:
    """Run a statement that reads entries, each of them once, by turn."""
    known = {"context": context.name, "now": TimestampMixin.timestamp(), **values}
    rows = fetch(session, statement, known)
    return list({row.id: _entry(row) for row in rows}.values())


def entry_of(
    context: Context,
    session: Session,
    id: object,  # noqa: A002 - as in the table
    *,
    lock: bool = False,
) -> Entry:
    """Return an entry. Raises UnknownEntry."""
    statement = statements.locking() if lock else statements.by_id()
    found = read(context, session, statement, entry=id) if isinstance(id, UUID) else []
    if not found:
        raise UnknownEntry(id=id)
    return found[0]


def waiting(
    context: Context,
    session: Session,
    resource: UUID,
    start: datetime | None,
    end: datetime | None,
    after: int = 0,
    most: int | None = None,
) -> list[Entry]:
    """Return who waits for a time of a resource, by turn. One statement."""
    values = {"resource": resource, "start": start, "end": end}
    statement = statements.waiting()
    return read(context, session, statement, **values, after=after, most=most)


def waiting_for(
    context: Context, session: Session, spans: Iterable[tuple[UUID, Span]]
) -> list[Entry]:
    """Return who waits for any of these times of resources, by turn. One statement."""
    windows = WINDOWS.of((each, span.start, span.end) for each, span in spans)
    return read(context, session, statements.waiting_in_windows(), **windows)
