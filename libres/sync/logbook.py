"""Reads what was asked and answered, for people: filtered, page by page, and summed up.

It is read in transactions of its own, a short one for each page.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import false, func, literal, or_, select, tuple_

from libres.context.core import ContextServicesMixin
from libres.domain.days import UTC
from libres.modules.errors import insist
from libres.sync.errors import UnknownEntity
from libres.sync.models import SyncDevice, SyncLog
from libres.sync.models.columns import MOMENT
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from libres.context.core import Context

PAGE: Final = 1000
"""Records that `Logbook.all` reads at once."""

LARGEST: Final = 2**63 - 1

Mark: TypeAlias = tuple[datetime, int]
"""The moment and the id of a record: records are sorted by them."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which records are sought; None: all."""

    user: str | None = None
    """The id or the name of who has asked."""

    operation: str | None = None
    statuses: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Before this moment."""

    organizations: Collection[UUID] | None = None
    """Of these organisations only; what was done for none is left out then."""


@dataclass(frozen=True, slots=True)
class Record:
    """Something that was asked, and answered."""

    id: int
    at: datetime
    """In UTC."""

    user: str
    """The id of who has asked."""

    username: str
    """What they were called."""

    organization: UUID | None
    """None: it was for none, as jobs are."""

    device: UUID | None
    device_name: str | None
    """None: it came from none, or from one that is not there any more."""

    operation: str
    """``push``, ``pull``, ``login``, ``refresh``, ``job``."""

    models: tuple[str, ...]
    """Of a job, its name."""

    status: str
    succeeded: int
    failed: int
    seconds: float
    request: str | None
    error: str | None

    @property
    def mark(self) -> Mark:
        """What it is sorted by."""
        return self.at, self.id

    @property
    def records(self) -> int:
        """How many rows it was about."""
        return self.succeeded + self.failed


@dataclass(frozen=True, slots=True)
class Totals:
    """What was asked in a time, summed up."""

    requests: int
    errors: int
    """Requests that were answered by an error as a whole."""

    succeeded: int
    """Rows."""

    failed: int
    seconds: float
    """A request took on average."""

    slowest: float
    """Seconds."""


class Logbook(ContextServicesMixin):
    """What was asked and answered in a context."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def latest(
        self, sought: Sought, before: Mark | None = None, limit: int = 100
    ) -> list[Record]:
        """Return records, the latest first, from before a mark on. One statement.

        Raises Misuse for times without timezone, and if *limit* is not positive.
        """
        insist(limit > 0, "limit is at least 1.")
        query = _records().where(*self._criteria(sought))
        if before is not None:
            query = query.where(_mark() < _marked(before))
        query = query.order_by(_C.at.desc(), _C.id.desc()).limit(limit)
        with apart(self.context) as connection:
            return [_record(row) for row in connection.execute(query)]

    def all(self, sought: Sought) -> Iterator[Record]:
        """Yield all records, the latest first, page by page."""
        before: Mark | None = None
        while page := self.latest(sought, before, PAGE):
            yield from page
            before = page[-1].mark

    def one(self, id: int, organizations: Collection[UUID] | None = None) -> Record:  # noqa: A002 - as in the table
        """Return a record, of some organisations only (None: of all). One statement.

        Raises UnknownEntity.
        """
        criteria = self._criteria(Sought(organizations=organizations))
        query = _records().where(*criteria, _C.id == max(0, min(id, LARGEST)))
        with apart(self.context) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise UnknownEntity(kind="record", name=str(id))
        return _record(row)

    def totals(self, sought: Sought) -> Totals:
        """Sum up what was asked. One statement, which reads all that is sought."""
        query = select(*_TOTALS).where(*self._criteria(sought))
        with apart(self.context) as connection:
            found = connection.execute(query).one()
        return Totals(*found)

    def _criteria(self, sought: Sought) -> Iterator[ColumnElement[bool]]:
        yield _C.context == self.context.name
        if sought.user is not None:
            yield or_(_C.user == sought.user, _C.username == sought.user)
        if sought.operation is not None:
            yield _C.operation == sought.operation
        if sought.statuses is not None:
            yield _C.status.in_(list(sought.statuses))
        if sought.organizations is not None:
            yield _among(sought.organizations)
        yield from _times(sought)


# What is asked of the database --------------------------------------------------------

_C: Final[Any] = SyncLog.__table__.c
_DEVICE: Final[Any] = SyncDevice.__table__.c

_TOLD: Final = (
    *("id", "at", "user", "username", "organization", "device", "operation", "models"),
    *("status", "succeeded", "failed", "seconds", "request", "error"),
)

_TOTALS: Final = (
    func.count(),
    func.count().filter(_C.status == "error"),
    func.coalesce(func.sum(_C.succeeded), 0),
    func.coalesce(func.sum(_C.failed), 0),
    func.coalesce(func.avg(_C.seconds), 0.0),
    func.coalesce(func.max(_C.seconds), 0.0),
)


def _records() -> Any:
    name = (
        select(_DEVICE.name).where(_DEVICE.id == _C.device).scalar_subquery()
    )  # asked for what is shown only
    return select(*(_C[each] for each in _TOLD), name.label("device_name"))


def _record(row: Any) -> Record:
    values = {**row._mapping, "at": row.at.astimezone(UTC)}
    return Record(**{**values, "models": tuple(row.models)})


def _mark() -> Any:
    return tuple_(_C.at, _C.id)


def _marked(mark: Mark) -> Any:
    return tuple_(literal(mark[0], MOMENT), literal(mark[1], _C.id.type))


def _among(organizations: Collection[UUID]) -> ColumnElement[bool]:
    """Compare with one as with one: an index has its records in their order."""
    known = list(organizations)
    if not known:
        return false()
    found: ColumnElement[bool] = (
        _C.organization == known[0] if len(known) == 1 else _C.organization.in_(known)
    )
    return found


def _times(sought: Sought) -> Iterator[ColumnElement[bool]]:
    for moment in (sought.since, sought.until):
        aware = moment is None or moment.tzinfo is not None
        insist(aware, "A moment needs a timezone.")
    if sought.since is not None:
        yield _C.at >= sought.since
    if sought.until is not None:
        yield _C.at < sought.until
