"""Pushes: reads, judges, writes and answers, in one transaction that is tried again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from libres.context.transactions import plain_session
from libres.db.passing import BIND
from libres.modules.errors import TooManyConflicts
from libres.sync.acting import Act, acting
from libres.sync.counting import counting
from libres.sync.errors import RequestError, Unavailable
from libres.sync.handlers import Item, Op, Outcome, Refused, Work
from libres.sync.plain_statements import Table
from libres.sync.pushing import applied, judging, reading, recording
from libres.sync.pushing.answers import (
    PushAnswer,
    Result,
    answer,
    is_done,
    refusal_of,
    result_of,
    rolled_back,
)
from libres.sync.pushing.applying import apply, handler_of
from libres.sync.pushing.limiting import limits_of
from libres.sync.pushing.ordering import Batch, Step, batches_of
from libres.sync.pushing.reading import Asked, Entry, Temporary
from libres.sync.pushing.relations import references_of
from libres.sync.registry import registry_of
from libres.sync.row_versions import versions_of
from libres.sync.transacting import READ_COMMITTED

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.sync.registry import SyncModel
    from libres.sync.values import Member

IMMEDIATE: Final = text("SET CONSTRAINTS ALL IMMEDIATE")
"""What a constraint refuses at the commit would refuse the whole push."""

CHUNK: Final = 1000

OTHER_OPERATION: Final = Refused(
    "invalid", "was used for another operation: draw another one", "_op_id"
)

NOT_STORED: Final = "refers to an item of this push that is not there, or not stored"

TWICE: Final = Refused("invalid", "is used for two rows", "id")


def push(
    context: Context, member: Member, body: object, request: str | None = None
) -> PushAnswer:
    """Write what a device has changed, and answer; see `libres.sync.Sync.push`."""
    began = perf_counter()
    try:
        with counting():
            asked = reading.read(registry_of(context), body, limits_of(context))
            return _in_transaction(context, member, asked, request, began)
    except RequestError as error:
        seconds = perf_counter() - began
        recording.record_refused(context, member, request, error, seconds)
        raise


def _in_transaction(
    context: Context, member: Member, asked: Asked, request: str | None, began: float
) -> PushAnswer:
    session = plain_session(context.get_service("session_provider").session())
    work = Work(context, session, member)
    act = Act(
        member.user.username, request or "", organization=member.organization.reference
    )

    def pushed() -> PushAnswer:
        _begin(work, asked)
        results = (
            _atomic(work, asked) if asked.mode == "atomic" else _write(work, asked)
        )
        seconds = perf_counter() - began
        told = answer(asked.mode, results, asked.names, seconds)
        models = sorted({each.model.name for each in asked.entries})
        recording.record(work, told, models, request)
        return told

    with acting(session, act):
        try:
            return context.transaction(pushed)
        except TooManyConflicts as error:
            raise Unavailable from error


def _begin(work: Work, asked: Asked) -> None:
    """Begin the transaction: locks are enough for plain rows, and get less in the way
    of others than SERIALIZABLE."""
    session = work.session
    is_plain = not any(handler_of(each.model).serializable for each in asked.entries)
    if is_plain and not session.in_transaction():
        options = {"isolation_level": READ_COMMITTED}
        session.connection(bind_arguments=BIND, execution_options=options)
    session.execute(IMMEDIATE, bind_arguments=BIND)


class _Refusal(Exception):
    """Something was refused, and so is all of it."""

    def __init__(self, results: Sequence[Result]) -> None:
        super().__init__("refused as a whole")
        self.results = results


def _atomic(work: Work, asked: Asked) -> Sequence[Result]:
    try:
        with work.session.begin_nested():
            results = _write(work, asked)
            if not all(map(is_done, results)):
                raise _Refusal(results)
    except _Refusal as refusal:
        return rolled_back(refusal.results, _ids(asked))
    return results


def _ids(asked: Asked) -> list[Any]:
    found: list[Any] = [None] * asked.count
    for each in asked.entries:
        found[each.index] = _sent_id(each)
    return found


def _sent_id(entry: Entry) -> Any:
    if entry.temporary is not None:
        return entry.temporary
    return None if entry.key is None else entry.model.wire_id(entry.key)


# Writing ------------------------------------------------------------------------------


@dataclass
class Run:
    """What has become of the items so far."""

    work: Work
    results: dict[int, Result]
    temporaries: dict[str, tuple[SyncModel, tuple[Any, ...]]] = field(
        default_factory=dict
    )
    """The keys of the rows that were made."""

    def tell(self, entry: Entry, outcome: Outcome) -> None:
        """Note what became of an item."""
        self.results[entry.index] = result_of(entry.model, outcome, _sent_id(entry))
        key = None if isinstance(outcome, Refused) else outcome.key
        if entry.temporary is not None and key is not None:
            self.temporaries.setdefault(entry.temporary, (entry.model, key))

    def repeat(self, entry: Entry, result: Result) -> None:
        """Tell again what became of an item before."""
        self.results[entry.index] = result
        if entry.temporary is not None:
            key = entry.model.read_id(result["id"])
            self.temporaries[entry.temporary] = entry.model, key


def _write(work: Work, asked: Asked) -> Sequence[Result]:
    refused = {index: refusal_of(each) for index, each in asked.refused.items()}
    run = Run(work, refused)
    fresh, twins = _not_applied(run, asked.entries)
    steps = _judged(run, fresh)
    for batch in batches_of(registry_of(work.context), steps):
        _write_batch(run, batch)
    for entry, first in twins:
        run.results[entry.index] = run.results[first.index]
    _remember(run, fresh)
    return [run.results[index] for index in range(asked.count)]


def _not_applied(
    run: Run, entries: Sequence[Entry]
) -> tuple[list[Entry], list[tuple[Entry, Entry]]]:
    """Tell again what was done before; return what is new, and what is there twice
    in this push, with the first of it."""
    ids = (each.op_id for each in entries if each.op_id is not None)
    known = applied.find(run.work.session, run.work.member, ids)
    firsts: dict[str, Entry] = {}
    fresh: list[Entry] = []
    twins: list[tuple[Entry, Entry]] = []
    for entry in entries:
        done = None if entry.op_id is None else known.get(entry.op_id)
        first = entry if entry.op_id is None else firsts.setdefault(entry.op_id, entry)
        same = done or first
        if same.fingerprint != entry.fingerprint:
            run.tell(entry, OTHER_OPERATION)
        elif done is not None:
            run.repeat(entry, done.result)
        elif first is not entry:
            twins.append((entry, first))
        else:
            fresh.append(entry)
    return fresh, twins


def _judged(run: Run, entries: Sequence[Entry]) -> list[Step]:
    """Decide what each item does, and refuse what may not be done or cannot be."""
    there = _there(run.work, entries)
    made: dict[str, Entry] = {}
    steps: list[Step] = []
    for entry in entries:
        is_made = entry.temporary in made or entry.temporary in run.temporaries
        is_there = is_made or not judging.is_to_be_found(entry) or entry.index in there
        op = judging.operation(
            entry.wanted, has_id=entry.key is not None or is_made, is_there=is_there
        )
        wrong = _wrong(run.work.member, entry, op, is_made=is_made)
        if wrong is not None:
            run.tell(entry, wrong)
            continue
        if entry.temporary is not None:
            made.setdefault(entry.temporary, entry)
        steps.append(Step(entry, op))
    return steps


def _wrong(member: Member, entry: Entry, op: Op, *, is_made: bool) -> Refused | None:
    model = entry.model
    key = entry.key or (entry.temporary if is_made else None)
    return (
        judging.refused_right(member.flags_of(model.name), op)
        or (TWICE if op == "create" and is_made else None)
        or judging.refused_id(model, op, key)
        or (judging.missing_field(model, entry.values) if op == "create" else None)
    )


def _there(work: Work, entries: Iterable[Entry]) -> set[int]:
    """Return the indexes of the items whose row is there, or was; of those of which
    one has to know. Two statements per model and 1,000 items."""
    wanted: dict[SyncModel, list[Entry]] = {}
    for each in entries:
        if judging.is_to_be_found(each):
            wanted.setdefault(each.model, []).append(each)
    found: set[int] = set()
    for model, those in wanted.items():
        for start in range(0, len(those), CHUNK):
            found |= _there_of(work, model, those[start : start + CHUNK])
    return found


def _there_of(work: Work, model: SyncModel, entries: Sequence[Entry]) -> set[int]:
    keys = {each.index: each.key for each in entries if each.key is not None}
    rows = Table(work, model).existing(list(keys.values()))
    texts = {index: model.key_text(key) for index, key in keys.items()}
    known = versions_of(work.context, work.session, model, texts.values())
    return {i for i, key in keys.items() if key in rows or texts[i] in known}


def _write_batch(run: Run, batch: Batch) -> None:
    entries: dict[int, Entry] = {}
    items: list[Item] = []
    for step in batch.steps:
        item = _item(run, step)
        if isinstance(item, Refused):
            run.tell(step.entry, item)
            continue
        entries[item.index] = step.entry
        items.append(item)
    for index, outcome in apply(run.work, items).items():
        run.tell(entries[index], outcome)


def _item(run: Run, step: Step) -> Item | Refused:
    """Put keys in place of temporary ids."""
    entry, values = step.entry, dict(step.entry.values)
    for name, value in values.items():
        if isinstance(value, Temporary):
            target, key = run.temporaries.get(value.name, (None, ()))
            if target is not _target(run.work.context, entry.model, name):
                return Refused("invalid", NOT_STORED, name)
            values[name] = key[0]
    key_of_row = entry.key
    if entry.temporary is not None and step.op != "create":
        made, key_of_row = run.temporaries.get(entry.temporary, (None, None))
        if made is not entry.model:
            return Refused("invalid", NOT_STORED, "id")
    return Item(
        index=entry.index,
        model=entry.model,
        op=step.op,
        key=key_of_row,
        values=values,
        version=entry.version,
        op_id=entry.op_id,
        temporary=entry.temporary,
    )


def _target(context: Context, model: SyncModel, name: str) -> SyncModel:
    found = references_of(registry_of(context), model).fields[name]
    return found.target


def _remember(run: Run, entries: Iterable[Entry]) -> None:
    done = [
        (each.op_id, each.fingerprint, json.dumps(run.results[each.index]))
        for each in entries
        if each.op_id is not None and is_done(run.results[each.index])
    ]
    applied.note(run.work, done)
