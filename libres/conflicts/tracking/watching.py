"""Keeps claims by events of SQLAlchemy's sessions, where what is claimed is Python.

Such events know of objects that are flushed and of bulk statements of the ORM, and of
nothing else: the database itself does not call Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event, inspect, select, tuple_
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction

from libres.conflicts import statements, writing
from libres.conflicts.claim import Claim, Proposal
from libres.conflicts.differences import Difference, difference
from libres.conflicts.errors import NotTrackable
from libres.conflicts.models import ConflictClaim
from libres.conflicts.tracking import keeping
from libres.conflicts.tracking.mapping import Derive, Target, Tracking
from libres.context.core import Context

if TYPE_CHECKING:
    from collections.abc import Callable

BLIND_TO: Final = (
    "statements on tables instead of mapped classes (Core)",
    "raw SQL and COPY",
    "bulk_save_objects() and other legacy bulk methods",
    "cascades and triggers of the database",
    "processes that have not called track()",
)

BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Watch:
    """A model whose claims are derived by Python."""

    context: Context
    target: Target
    derive: Derive

    def proposals(self, thing: Any) -> list[Proposal]:
        """Derive what an object claims. Raises NotTrackable for anything else."""
        made = self.derive(thing)
        listed = [made] if isinstance(made, Proposal) else list(made or ())
        if not all(isinstance(each, Proposal) for each in listed):
            message = (
                f"The function for {self.target.source} gave {made!r:.80}: it gives a "
                f"Proposal, several of them, or None."
            )
            raise NotTrackable(message)
        own = self.target.source, self.id_of(thing)
        return [each.belonging_to(*own) for each in listed]

    def id_of(self, thing: Any) -> str:
        """Return the id of an object: its primary key, parts joined by a comma."""
        return ",".join(map(str, self.target.mapper.primary_key_from_instance(thing)))

    def write(
        self, session: Session, things: Iterable[Any], gone: Iterable[str] = ()
    ) -> None:
        """Make the claims of objects anew, delete those of objects that are gone."""
        source = self.target.source
        kept = {self.id_of(thing): thing for thing in things}
        records = [(source, number) for number in {*kept, *gone}]
        rows = [row for thing in kept.values() for row in self.proposals(thing)]
        # The session may be flushing, so it is one beside it that writes, in the same
        # transaction.
        connection = session.connection(bind_arguments=statements.BIND)
        with Session(connection, join_transaction_mode="create_savepoint") as beside:
            writing.drop_many(self.context, beside, records)
            writing.put_many(self.context, beside, rows)
            beside.commit()


_watches: dict[tuple[str, str], Watch] = {}
"""What this process derives, by context and source."""


def watch(context: Context, session: Session, target: Target, derive: Any) -> Tracking:
    """Watch a model in this process; derive the claims of what is there."""
    made = Watch(context, target, derive)
    _watches[context.name, target.source] = made
    _listen()
    keeping.note(
        session,
        {
            "context": context.name,
            "source": target.source,
            "relation": target.table.fullname,
            "mode": "session",
            "derivation": "",
            "watched": [],
            "digest": "",
        },
    )
    rebuild(context, session, target.source)
    return Tracking(target.source, "session", BLIND_TO)


def forget(context: Context, source: str) -> None:
    """Watch it no longer, in this process."""
    _watches.pop((context.name, source), None)


def watch_of(context: Context, source: str) -> Watch:
    """Return what derives the claims. Raises NotTrackable in another process."""
    found = _watches.get((context.name, source))
    if found is None:
        message = (
            f"{source!r} is derived by Python, and this process has not called track() "
            f"for it."
        )
        raise NotTrackable(message)
    return found


# Keeping ------------------------------------------------------------------------------


def rebuild(context: Context, session: Session, source: str) -> int:
    """Derive all claims anew; return how many there are."""
    made = watch_of(context, source)
    values = {"context": context.name, "source": source}
    statements.fetch(session, keeping.DROPPING, values)
    count = 0
    for things in _all(session, made.target.model):
        rows = [row for thing in things for row in made.proposals(thing)]
        count += len(writing.put_many(context, session, rows).results)
    return count


def verify(
    context: Context, session: Session, source: str, repair: bool
) -> list[Difference]:
    """Compare claims with what the objects claim."""
    made = watch_of(context, source)
    things = [thing for some in _all(session, made.target.model) for thing in some]
    wanted = {made.id_of(thing): made.proposals(thing) for thing in things}
    found = _stored(context, session, source)
    kinds = {
        number: _kind(wanted.get(number, []), found.get(number, []), context)
        for number in sorted({*wanted, *found})
    }
    findings = [
        difference(kind, source, number)
        for number, kind in kinds.items()
        if kind is not None
    ]
    if repair and findings:
        wrong = {each.source_id for each in findings}
        kept = [thing for thing in things if made.id_of(thing) in wrong]
        made.write(session, kept, [number for number in wrong if number is not None])
    return findings


def _stored(context: Context, session: Session, source: str) -> dict[str, list[Claim]]:
    query = (
        select(*statements.COLUMNS)
        .where(
            ConflictClaim.context == context.name,
            ConflictClaim.source == source,
            ConflictClaim.of_part.is_(None),
        )
        .order_by(ConflictClaim.part)
    )
    found: dict[str, list[Claim]] = {}
    for row in statements.fetch(session, query, {}):
        found.setdefault(row.source_id, []).append(statements.claim_of(row))
    return found


def _kind(wanted: list[Proposal], found: list[Claim], context: Context) -> Any:
    if not wanted and not found:
        return None
    if not found:
        return "missing"
    if not wanted:
        return "orphaned"
    made = [writing.stored(context, each, 0) for each in wanted]
    known = [_without_id(each) for each in found]
    return None if sorted(made, key=_part) == known else "stale"


def _without_id(claim: Claim) -> Claim:
    values = {name: getattr(claim, name) for name in claim.__dataclass_fields__}
    return Claim(**{**values, "id": 0})


def _part(claim: Claim) -> int:
    return claim.part


def _all(session: Session, model: Any) -> Iterator[list[Any]]:
    things = session.scalars(select(model)).all()
    for first in range(0, len(things), BATCH):
        yield list(things[first : first + BATCH])


# Events -------------------------------------------------------------------------------


@dataclass(slots=True)
class _Changed:
    """What a flush has changed of one model."""

    written: list[Any] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


_CHANGED: Final = "libres.conflicts.changed"


def _listen() -> None:
    for name, listener in _LISTENERS.items():
        if not event.contains(Session, name, listener):
            event.listen(Session, name, listener)


def _after_flush(session: Session, _context: UOWTransaction) -> None:
    """Note what was written; now the primary keys are known."""
    for key, watched in _watches.items():
        model = watched.target.model
        written = [
            thing
            for thing in (*session.new, *session.dirty)
            if isinstance(thing, model)
        ]
        gone = [
            watched.id_of(thing)
            for thing in session.deleted
            if isinstance(thing, model)
        ]
        if written or gone:
            changed = session.info.setdefault(_CHANGED, {}).setdefault(key, _Changed())
            changed.written += written
            changed.gone += gone


def _after_flush_postexec(session: Session, _context: UOWTransaction) -> None:
    """Write the claims, in the transaction of the flush."""
    for key, changed in session.info.pop(_CHANGED, {}).items():
        if key in _watches:
            kept = [thing for thing in changed.written if not inspect(thing).deleted]
            _watches[key].write(session, kept, changed.gone)


def _do_orm_execute(state: ORMExecuteState) -> Any:
    """Follow bulk statements of the ORM: look which rows they touch, then derive."""
    watched = _watched_by(state)
    if watched is None or _IN_BULK in state.session.info:
        return None
    state.session.info[_IN_BULK] = True
    try:
        return _bulk(state, watched)
    finally:
        del state.session.info[_IN_BULK]


_IN_BULK: Final = "libres.conflicts.in_bulk"


def _watched_by(state: ORMExecuteState) -> Watch | None:
    if not (state.is_insert or state.is_update or state.is_delete):
        return None
    mapper = state.bind_mapper
    for watched in _watches.values():
        if mapper is not None and watched.target.mapper is mapper:
            return watched
    return None


def _bulk(state: ORMExecuteState, watched: Watch) -> Any:
    session, target = state.session, watched.target
    keys = [] if state.is_insert else _touched(state, target)
    result = state.invoke_statement()
    if state.is_insert:
        things = _unclaimed(session, watched)
    else:
        things = _loaded(session, target, keys)
    kept = {watched.id_of(thing) for thing in things}
    gone = [",".join(map(str, key)) for key in keys]
    watched.write(session, things, [number for number in gone if number not in kept])
    return result


def _touched(state: ORMExecuteState, target: Target) -> list[tuple[Any, ...]]:
    statement: Any = state.statement
    if isinstance(state.parameters, list):  # an update by primary key
        names = [column.key for column in target.key]
        return [tuple(row[name] for name in names) for row in state.parameters]
    query: Any = select(*target.key)
    if statement.whereclause is not None:
        query = query.where(statement.whereclause)
    parameters = state.parameters if isinstance(state.parameters, dict) else {}
    return [tuple(row) for row in state.session.execute(query, parameters)]


def _loaded(session: Session, target: Target, keys: list[tuple[Any, ...]]) -> list[Any]:
    if not keys:
        return []
    query: Any = select(target.model).where(tuple_(*target.key).in_(keys))
    fresh = session.scalars(query, execution_options={"populate_existing": True})
    return list(fresh)


def _unclaimed(session: Session, watched: Watch) -> list[Any]:
    """Return the objects that have no claim, as those that were just inserted."""
    found = _stored(watched.context, session, watched.target.source)
    things = [thing for some in _all(session, watched.target.model) for thing in some]
    return [thing for thing in things if watched.id_of(thing) not in found]


_LISTENERS: Final[dict[str, Callable[..., Any]]] = {
    "after_flush": _after_flush,
    "after_flush_postexec": _after_flush_postexec,
    "do_orm_execute": _do_orm_execute,
}
