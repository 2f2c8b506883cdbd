"""Keeps the subjects: their names, zones and tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import delete, select, text, update

from libres.db.passing import fetch
from libres.domain.days import check_timezone
from libres.timetable.errors import UnknownSubject
from libres.timetable.models import TimetableSubject
from libres.timetable.windows import name_of, tags_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context, ContextServicesMixin

BATCH = 1000
"""Subjects per statement."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody of whom one asks when it is free."""

    name: str
    resource: UUID
    """That of the scheduler of this name."""

    timezone: str
    tags: tuple[str, ...] = ()
    data: Mapping[str, Any] | None = None
    active: bool = True

    def __str__(self) -> str:
        return self.name


COLUMNS = (
    TimetableSubject.name,
    TimetableSubject.resource,
    TimetableSubject.timezone,
    TimetableSubject.tags,
    TimetableSubject.data,
    TimetableSubject.active,
)


def subject_of(row: Any) -> Subject:
    """Read a row."""
    values = row._asdict()
    return Subject(**{**values, "tags": tuple(values["tags"])})


def known(context: Context, session: Session, names: Sequence[str]) -> list[Subject]:
    """Return subjects by their names, in that order, active or not.

    Raises UnknownSubject for names that are not there.
    """
    rows = fetch(
        session,
        select(*COLUMNS).where(
            TimetableSubject.context == context.name, TimetableSubject.name.in_(names)
        ),
        {},
    )
    found = {row.name: subject_of(row) for row in rows}
    if missing := [name for name in names if name not in found]:
        raise UnknownSubject(missing[:10])
    return [found[name] for name in names]


def listed(
    context: Context, session: Session, tags: Iterable[str] | None, inactive: bool
) -> list[Subject]:
    """Return all subjects that have these tags, by name."""
    query = select(*COLUMNS).where(
        TimetableSubject.context == context.name,
        TimetableSubject.tags.contains(tags_of(tags)),
    )
    if not inactive:
        query = query.where(TimetableSubject.active)
    return list(
        map(subject_of, fetch(session, query.order_by(TimetableSubject.name), {}))
    )


_ADDING = text("""\
INSERT INTO timetable_subjects (context, resource, name, timezone, tags, data, active)
SELECT :context, resource, name, :timezone, CAST(:tags AS text[]),
    CAST(:data AS jsonb), true
FROM unnest(CAST(:resources AS uuid[]), CAST(:names AS text[]))
AS added (resource, name)
ON CONFLICT (context, resource) DO UPDATE SET
    timezone = excluded.timezone, tags = excluded.tags, data = excluded.data,
    active = true""")


def add(
    services: ContextServicesMixin,
    names: Sequence[str],
    timezone: str,
    tags: Iterable[str] | None,
    data: str | None,
) -> None:
    """Add subjects, or change those that are there."""
    values = {
        "context": services.context.name,
        "timezone": check_timezone(timezone),
        "tags": tags_of(tags),
        "data": data,
    }
    for first in range(0, len(names), BATCH):
        some = names[first : first + BATCH]
        resources = [str(services.generate_uuid(name)) for name in some]
        services.session.execute(
            _ADDING, {**values, "names": some, "resources": resources}
        )


def set_active(
    context: Context, session: Session, names: Sequence[str], active: bool
) -> None:
    """List subjects, or do not list them any more."""
    known(context, session, names)
    session.execute(
        update(TimetableSubject)
        .where(
            TimetableSubject.context == context.name, TimetableSubject.name.in_(names)
        )
        .values(active=active)
        .execution_options(synchronize_session=False)
    )


def remove(context: Context, session: Session, name: str) -> bool:
    """Forget a subject with its hours; what is allocated stays."""
    gone = session.execute(
        delete(TimetableSubject)
        .where(
            TimetableSubject.context == context.name,
            TimetableSubject.name == name_of(name),
        )
        .returning(TimetableSubject.name)
        .execution_options(synchronize_session=False)
    )
    return bool(gone.all())
