"""Writes claims: one statement per thousand, under the guard, all or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from uuid import uuid4

from libres.conflicts import statements
from libres.conflicts.claim import Claim, Proposal
from libres.conflicts.errors import ConflictError, IncompleteQuestion, InvalidClaim
from libres.conflicts.keys import resource_key
from libres.conflicts.locking import MOST_LOCKS, locking_bulk
from libres.conflicts.passing import batches, parameters, read_proposal
from libres.conflicts.refusing import translated
from libres.conflicts.values import id_of, name_of
from libres.conflicts.writing_statements import (
    DEFERRED,
    IMMEDIATE,
    dropping,
    dropping_expired,
    finding,
    making_room,
    writing,
)
from libres.db.models.timestamp import TimestampMixin

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

OWN_SOURCE: Final = "libres.Claim"
"""The source of claims that no record stands behind."""

Status: TypeAlias = Literal["created", "updated", "unchanged", "refused"]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one row."""

    status: Status
    claim: Claim | None
    """The claim as it is stored; None if it was refused."""

    conflicts: list[Claim] = field(default_factory=list)
    """Whom it met, if it was refused."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of many rows, in their order."""

    results: list[Result]

    @property
    def counts(self) -> dict[str, int]:
        """How many were ``created``, ``updated``, ``unchanged`` and ``refused``."""
        found = Counter(each.status for each in self.results)
        return {status: found[status] for status in STATUSES}

    @property
    def created(self) -> int:
        """How many are new."""
        return self.counts["created"]

    @property
    def updated(self) -> int:
        """How many were there, but different."""
        return self.counts["updated"]

    @property
    def unchanged(self) -> int:
        """How many were there just so."""
        return self.counts["unchanged"]

    @property
    def refused(self) -> int:
        """How many met others; always 0 unless ``partial`` was asked for."""
        return self.counts["refused"]


STATUSES: Final[tuple[Status, ...]] = ("created", "updated", "unchanged", "refused")


# The verbs ----------------------------------------------------------------------------


def put(context: Context, session: Session, proposal: Proposal) -> Claim:
    """Write one claim."""
    (result,) = put_many(context, session, [proposal]).results
    assert result.claim is not None  # noqa: S101 - what is refused has raised
    return result.claim


def claim(context: Context, session: Session, proposal: Proposal) -> Claim:
    """Write one claim; one without a source gets an identity of its own."""
    proposal = read_proposal(proposal)
    if proposal.source is None:
        proposal = proposal.belonging_to(OWN_SOURCE, str(uuid4()))
    return put(context, session, proposal)


def put_many(
    context: Context,
    session: Session,
    rows: Iterable[Proposal | Mapping[str, Any]],
    partial: bool = False,
) -> Written:
    """Write many claims, or if *partial* those that are not refused."""
    proposals = [_owned(row) for row in rows]
    _check_identities(proposals)
    now = TimestampMixin.timestamp()
    if partial:
        return Written(list(_some(context, session, proposals, now)))
    return Written(_all(context, session, proposals, now))


def drop_many(
    context: Context, session: Session, records: Iterable[tuple[str, object]]
) -> int:
    """Delete all claims of records; return how many parts they had."""
    known = [(name_of(source, "source"), id_of(number)) for source, number in records]
    dropped = 0
    for some in batches(known):
        sources, ids = zip(*some, strict=True)
        values = {"source": list(sources), "source_id": list(ids)}
        rows = _run(session, dropping(), {"context": context.name, **values})
        dropped += rows[0][0]
    return dropped


def drop_expired(context: Context, session: Session) -> int:
    """Delete what has expired; return how many rows that were."""
    values = {"context": context.name, "now": TimestampMixin.timestamp()}
    return int(_run(session, dropping_expired(), values)[0][0])


@contextmanager
def guarded(context: Context, session: Session, wait: bool) -> Iterator[None]:
    """Translate what the guard refuses within a block; it may *wait* until the end."""
    look = deferred(session) if wait else nullcontext()
    with translated(session, context.name, TimestampMixin.timestamp()), look:
        yield
        session.flush()


# Reading what is passed ---------------------------------------------------------------


def _owned(row: object) -> Proposal:
    proposal = read_proposal(row)
    if proposal.source is None:
        message = "A claim belongs to a record: give its source and source_id."
        raise IncompleteQuestion(message)
    return proposal


def _check_identities(proposals: Sequence[Proposal]) -> None:
    found = Counter(_identity(each) for each in proposals)
    for identity, number in found.items():
        if number > 1:
            message = f"{identity} is claimed {number} times in one call: use parts."
            raise InvalidClaim(message)


def _identity(row: Any) -> tuple[str, str, int]:
    """Return whose it is, of a proposal or of a row."""
    return row.source, row.source_id, row.part


# Writing ------------------------------------------------------------------------------


def _all(
    context: Context, session: Session, proposals: Sequence[Proposal], now: Any
) -> list[Result]:
    """Write all or none, over what has expired if need be. Raises ConflictError."""
    if not proposals:
        return []
    parts = [
        _Batch(session, some, _values(context, some, now))
        for some in batches(proposals)
    ]
    try:
        with translated(session, context.name, now), _together(session, parts):
            return _written(context, parts)
    except ConflictError as error:
        refused = error
    with translated(session, context.name, now), _together(session, parts):
        if not sum(batch.make_room() for batch in parts):
            raise refused
        return _written(context, parts)


def _values(
    context: Context, proposals: Sequence[Proposal], now: Any
) -> dict[str, Any]:
    values = parameters(context, proposals)
    is_small = len(set(values["resource"])) <= MOST_LOCKS
    return {**values, "now": now, "locking": is_small}


def _written(context: Context, parts: Sequence[_Batch]) -> list[Result]:
    return [result for batch in parts for result in batch.write(context)]


def _some(
    context: Context, session: Session, proposals: Sequence[Proposal], now: Any
) -> Iterator[Result]:
    """Write those that are not refused, as if one after the other."""
    try:
        yield from _all(context, session, proposals, now)
    except ConflictError as error:
        if len(proposals) == 1:
            yield Result("refused", None, error.conflicts)
            return
        middle = len(proposals) // 2
        yield from _some(context, session, proposals[:middle], now)
        yield from _some(context, session, proposals[middle:], now)


@contextmanager
def _together(session: Session, parts: Sequence[object]) -> Iterator[None]:
    """Let the guard look at the end, if rows of several statements swap their times."""
    if len(parts) == 1:
        yield
        return
    with deferred(session):
        yield


@contextmanager
def deferred(session: Session) -> Iterator[None]:
    """Let the guard look at the end of a block instead of after each statement."""
    statements.run(session, DEFERRED)
    yield
    session.flush()
    statements.run(session, IMMEDIATE)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Rows that are written by one statement, and what it takes."""

    session: Session
    proposals: Sequence[Proposal]
    values: dict[str, Any]

    def make_room(self) -> int:
        """Delete what gives way; return the number of rows."""
        return int(self._run(making_room())[0][0])

    def write(self, context: Context) -> list[Result]:
        """Write the rows; return what became of them, in their order."""
        if not self.values["locking"]:
            self._run(locking_bulk())
        rows = self._run(writing())
        return list(self._results(context, {_identity(row): row for row in rows}))

    def _results(
        self, context: Context, written: Mapping[Any, Any]
    ) -> Iterator[Result]:
        known = written
        if len(written) < len(self.proposals):
            known = {_identity(row): row for row in self._run(finding())}
        for proposal in self.proposals:
            identity = _identity(proposal)
            claim = stored(context, proposal, known[identity].id)
            yield Result(_status(written.get(identity)), claim)

    def _run(self, statement: Any) -> list[Any]:
        return statements.fetch(self.session, statement, self.values)


def _status(row: Any) -> Status:
    if row is None:
        return "unchanged"
    return "created" if row.inserted else "updated"


def stored(context: Context, proposal: Proposal, number: int) -> Claim:
    """Make the claim that a proposal becomes, under an id."""
    return Claim(
        id=number,
        source=proposal.source or "",
        source_id=proposal.source_id or "",
        part=proposal.part,
        resource=resource_key(context, proposal.resource),
        blocked=proposal.blocked,
        **{name: getattr(proposal, name) for name in _ALIKE},
    )


_ALIKE: Final = (
    "span",
    "dims",
    "exclusive",
    "capacity",
    "places",
    "tentative",
    "expires",
    "before",
    "after",
    "label",
    "url",
)


def _run(session: Session, statement: Any, values: Mapping[str, Any]) -> list[Any]:
    return statements.fetch(session, statement, values)
