"""Writes what devices push of plain tables: in sets, and only what the member sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from libres.sync.handlers import NOT_FOUND, Done, Outcome, Refused
from libres.sync.plain_statements import Found, Key, Table
from libres.sync.pushing.judging import Verdict, changed_since, is_stale, judge
from libres.sync.pushing.relations import references_of
from libres.sync.registry import registry_of
from libres.sync.row_versions import UNKNOWN, Version, changes_of, versions_of
from libres.sync.wire import wire_row

if TYPE_CHECKING:
    from sqlalchemy import Column

    from libres.sync.handlers import Item, Work
    from libres.sync.registry import SyncModel

NOTHING_THERE: Final = "refers to a row that is not there"
"""Also if others have it, and if a filter hides it."""

ID_IN_USE: Final = Refused("invalid", "cannot be used: draw another one", "id")
"""Whether it is in use, by whom, or was, is not told."""

OUTSIDE: Final = Refused("forbidden", "The row would not be one that you may see.")

NOT_WRITTEN: Final = Refused("invalid", "The database has not taken this row.")

CHANGED: Final = Refused("conflict", "Others have changed this row meanwhile.")


class Undo(Exception):
    """Some items must not stay written: the savepoint is to be rolled back, and the
    others are to be written again."""

    def __init__(self, refused: Mapping[int, Refused]) -> None:
        super().__init__("some items must not stay written")
        self.refused = refused
        """By the index of the item."""


class PlainRows:
    """The handler of models that have none of their own."""

    batch = 1000
    serializable = False

    def write(self, work: Work, items: Sequence[Item]) -> Sequence[Outcome]:
        """Write items of the same operation; answer for each, in their order."""
        writing = Writing(work, items[0].model)
        writers: dict[str, Callable[[Writing, Sequence[Item]], None]] = {
            "create": _create,
            "update": _update,
            "delete": _delete,
        }
        writers[items[0].op](writing, items)
        writing.tell_versions()
        return [writing.outcomes[each.index] for each in items]


@dataclass
class Writing:
    """What has become of the items so far."""

    work: Work
    model: SyncModel
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        """The table, as the member sees it."""
        return Table(self.work, self.model)

    def left(self, items: Iterable[Item]) -> list[Item]:
        """Return those that nothing is decided about."""
        return [each for each in items if each.index not in self.outcomes]

    def versions(self, keys: Iterable[Key]) -> dict[str, Version]:
        """Return the versions of rows that are locked, or written."""
        texts = [self.model.key_text(each) for each in keys]
        if not texts:
            return {}
        return versions_of(self.work.context, self.work.session, self.model, texts)

    def tell_versions(self) -> None:
        """Look up which versions have been made."""
        open_ = {
            index: each
            for index, each in self.outcomes.items()
            if isinstance(each, Done) and each.version is None
        }
        known = self.versions(each.key for each in open_.values())
        for index, done in open_.items():
            number = known.get(self.model.key_text(done.key), UNKNOWN).number
            self.outcomes[index] = Done(done.did, done.key, number, done.facts)

    def refuse_references(
        self, items: Sequence[Item], rows: Mapping[Key, Found]
    ) -> None:
        """Refuse items that newly refer to what the member does not see.

        One statement per foreign key.
        """
        registry = registry_of(self.work.context)
        for reference in references_of(registry, self.model).all:
            wanted: dict[int, Key] = {}
            for item in self.left(items):
                if not set(reference.fields) & item.values.keys():
                    continue
                found = rows.get(item.key) if item.key is not None else None
                before = _held(reference.fields, self._known(item, found))
                after = _held(
                    reference.fields, {**self._known(item, found), **item.values}
                )
                if None not in after and (found is None or before != after):
                    wanted[item.index] = after
            self._refuse_unseen(reference, wanted)

    def _known(self, item: Item, found: Found | None) -> dict[str, Any]:
        key = item.key or (None,) * len(self.model.key)
        names = (each.name for each in self.model.key)
        return {**dict(zip(names, key, strict=True)), **(found.values if found else {})}

    def _refuse_unseen(self, reference: Any, wanted: Mapping[int, Key]) -> None:
        if not wanted:
            return
        values = list(dict.fromkeys(wanted.values()))
        seen = Table(self.work, reference.target).visible(reference, values)
        for index, value in wanted.items():
            if value not in seen:
                name = reference.fields[0]
                self.outcomes[index] = Refused("invalid", NOTHING_THERE, name)

    def wire(self, found: Found, version: int) -> dict[str, Any]:
        """Return what the member may read of a row, for a conflict."""
        if not self.work.member.flags_of(self.model.name).read:
            return {"_version": version}
        row = wire_row(self.model, found.key, found.values, version)
        return {"row": row, "_version": version}

    def insist_seen(self, written: Mapping[int, Found | None]) -> None:
        """Raise Undo unless all rows were written, and are such that the member sees
        them."""
        refused: dict[int, Refused] = {}
        for index, found in written.items():
            if found is None:
                refused[index] = NOT_WRITTEN
            elif not self.table.sees(found):
                refused[index] = OUTSIDE
        if refused:
            raise Undo(refused)


def _held(names: Sequence[str], values: Mapping[str, Any]) -> Key:
    return tuple(values.get(name) for name in names)


# Rows that are there ------------------------------------------------------------------


def _update(writing: Writing, items: Sequence[Item]) -> None:
    rows = _locked(writing, items)
    facts = _decide(writing, items, rows)
    writing.refuse_references(items, rows)
    for names, group in _grouped(writing.left(items)).items():
        columns = [writing.model.fields[name].column for name in names]
        written = rows
        if names:
            values = [(*_key(i), *(i.values[name] for name in names)) for i in group]
            written = writing.table.update(columns, values)
            writing.insist_seen({each.index: written.get(_key(each)) for each in group})
        for item in group:
            done = Done("updated", _key(item), None, facts.get(item.index, {}))
            writing.outcomes[item.index] = done


def _delete(writing: Writing, items: Sequence[Item]) -> None:
    rows = _locked(writing, items)
    facts = _decide(writing, items, rows)
    group = writing.left(items)
    gone = writing.table.delete([_key(each) for each in group]) if group else set()
    missing = {each.index: NOT_WRITTEN for each in group if _key(each) not in gone}
    if missing:
        raise Undo(missing)
    for item in group:
        done = Done("deleted", _key(item), None, facts.get(item.index, {}))
        writing.outcomes[item.index] = done


def _locked(writing: Writing, items: Sequence[Item]) -> dict[Key, Found]:
    """Lock the rows that the member sees; what others have, they do not find."""
    table = writing.table
    rows = table.lock([_key(each) for each in items])
    seen = {key: found for key, found in rows.items() if table.sees(found)}
    for item in items:
        if _key(item) not in seen:
            writing.outcomes[item.index] = NOT_FOUND
    return seen


def _key(item: Item) -> Key:
    assert item.key is not None  # noqa: S101 - as judging has seen
    return item.key


def _grouped(items: Iterable[Item]) -> dict[tuple[str, ...], list[Item]]:
    """Put items with the same fields together."""
    found: dict[tuple[str, ...], list[Item]] = {}
    for each in items:
        found.setdefault(tuple(sorted(each.values)), []).append(each)
    return found


# Conflicts ----------------------------------------------------------------------------


def _decide(
    writing: Writing, items: Sequence[Item], rows: Mapping[Key, Found]
) -> dict[int, Mapping[str, Any]]:
    """Decide what comes too late; return what is told of what is written all the same.

    Versions are read by a statement after the one that locks: in one and the same,
    they would be those of before the lock was waited for.
    """
    known = writing.versions(rows)
    model = writing.model
    stale = {
        each.index: each
        for each in writing.left(items)
        if is_stale(each.version, known.get(model.key_text(_key(each)), UNKNOWN).number)
    }
    since = _changed(writing, list(stale.values()))
    facts: dict[int, Mapping[str, Any]] = {}
    for index, item in stale.items():
        columns = [model.fields[name].column.name for name in item.values]
        verdict = judge(model.policy, item.op, columns, since.get(index))
        if verdict.does == "write":
            facts[index] = {"resolution": verdict.resolution}
            continue
        found = rows[_key(item)]
        version = known.get(model.key_text(found.key), UNKNOWN).number
        told = writing.wire(found, version)
        writing.outcomes[index] = _settled(item, verdict, told, version)
    return facts


def _settled(
    item: Item, verdict: Verdict, told: Mapping[str, Any], version: int
) -> Outcome:
    if verdict.does == "refuse":
        return Refused(CHANGED.type, CHANGED.message, facts=told)
    facts = {"resolution": verdict.resolution, **told}
    return Done("updated", _key(item), version, facts)


def _changed(writing: Writing, stale: Sequence[Item]) -> dict[int, set[str] | None]:
    """Return which columns have changed since the versions of items, for merging."""
    model, work = writing.model, writing.work
    if model.policy != "merge" or not stale:
        return {}
    keys = [model.key_text(_key(each)) for each in stale]
    since = min(each.version or 0 for each in stale)
    history = changes_of(work.context, work.session, model, keys, since)
    found: dict[int, set[str] | None] = {}
    for item, key in zip(stale, keys, strict=True):
        if item.version == 0 and not history.is_whole:
            found[item.index] = None
            continue
        changes = history.changes.get(key, ())
        found[item.index] = changed_since(item.version or 0, changes)
    return found


# New rows -----------------------------------------------------------------------------


def _create(writing: Writing, items: Sequence[Item]) -> None:
    if not (writing.model.shared or writing.work.member.organization.reference):
        raise Undo({each.index: OUTSIDE for each in items})
    _refuse_keys(writing, items)
    writing.refuse_references(items, {})
    ordered: dict[Any, list[Item]] = {}
    for item in writing.left(items):
        kind = item.key is not None, tuple(sorted(item.values))
        ordered.setdefault(kind, []).append(item)
    for (has_key, names), group in ordered.items():
        (_insert_by_key if has_key else _insert)(writing, group, names)


def _refuse_keys(writing: Writing, items: Sequence[Item]) -> None:
    """Refuse keys that were in use once, and those that name another organisation."""
    drawn = {each.index: each.key for each in items if each.key is not None}
    known = writing.versions(drawn.values())
    for index, key in drawn.items():
        is_gone = known.get(writing.model.key_text(key), UNKNOWN).gone
        if is_gone or not _is_own(writing, key):
            writing.outcomes[index] = ID_IN_USE


def _is_own(writing: Writing, key: Key) -> bool:
    """Tell whether a key does not say that the row belongs to others."""
    reference = writing.work.member.organization.reference
    return all(
        str(value) == reference
        for part, value in zip(writing.model.key, key, strict=True)
        if part.column is writing.model.tenant
    )


def _insert(writing: Writing, group: Sequence[Item], names: Sequence[str]) -> None:
    columns = [writing.model.fields[name].column for name in names]
    columns, rows = _with_defaults(
        writing.model, columns, [[i.values[name] for name in names] for i in group]
    )
    made = writing.table.insert(columns, rows)
    if len(made) != len(group):
        raise Undo({each.index: NOT_WRITTEN for each in group})
    _note(writing, dict(zip((each.index for each in group), made, strict=True)))


def _insert_by_key(
    writing: Writing, group: Sequence[Item], names: Sequence[str]
) -> None:
    model = writing.model
    columns = [
        *(each.column for each in model.key),
        *(model.fields[name].column for name in names),
    ]
    values = [[*_key(i), *(i.values[name] for name in names)] for i in group]
    columns, rows = _with_defaults(model, columns, values)
    made = {each.key: each for each in writing.table.insert(columns, rows)}
    written = {each.index: made[_key(each)] for each in group if _key(each) in made}
    _note(writing, written)
    _refuse_taken(writing, writing.left(group))


def _note(writing: Writing, written: Mapping[int, Found]) -> None:
    writing.insist_seen(written)
    for index, found in written.items():
        writing.outcomes[index] = Done("created", found.key)


def _refuse_taken(writing: Writing, items: Sequence[Item]) -> None:
    """Refuse keys that are taken: by a row that the member sees, it is a conflict."""
    if not items:
        return
    rows = writing.table.lock([_key(each) for each in items])
    known = writing.versions(rows)
    for item in items:
        found = rows.get(_key(item))
        if found is None or not writing.table.sees(found):
            writing.outcomes[item.index] = ID_IN_USE
            continue
        version = known.get(writing.model.key_text(found.key), UNKNOWN).number
        told = writing.wire(found, version)
        message = "There is a row with this id."
        writing.outcomes[item.index] = Refused("conflict", message, "id", told)


def _with_defaults(
    model: SyncModel, columns: Sequence[Column[Any]], rows: list[list[Any]]
) -> tuple[list[Column[Any]], list[list[Any]]]:
    """Add what Python draws for columns that are not given, as the ORM would."""
    given = [*columns]
    owner = model.tenant
    for column in model.table.columns:
        default: Any = column.default
        if default is None or column in given or column is owner:
            continue
        if default.is_scalar:
            rows = [[*row, default.arg] for row in rows]
        elif default.is_callable:
            rows = [[*row, default.arg(None)] for row in rows]
        else:
            continue
        given.append(column)
    return given, rows


PLAIN_ROWS: Final = PlainRows()
