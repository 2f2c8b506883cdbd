"""Decides about pushed items from values alone: rights, operations, conflicts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from libres.sync.handlers import Op, Refused
from libres.sync.pushing.reading import NO_MODEL
from libres.sync.values import NOTHING, Flags

if TYPE_CHECKING:
    from libres.sync.pushing.reading import Entry, Wanted
    from libres.sync.registry import Policy, SyncModel
    from libres.sync.row_versions import Change

FORBIDDEN: Final = "You may not {op} rows of this model."


def refused_right(flags: Flags, op: Op) -> Refused | None:
    """Return why somebody may not push an operation; None: they may."""
    if flags == NOTHING:
        return NO_MODEL
    if flags.push and getattr(flags, op):
        return None
    return Refused("forbidden", FORBIDDEN.format(op=op))


def draws_ids(model: SyncModel) -> bool:
    """Tell whether devices draw the ids of a model, or at least may: the database does
    if they are numbers of its own."""
    if model.handler is not None or not all(each.writable for each in model.key):
        return False
    drawn = model.table.autoincrement_column
    return drawn is None or len(model.key) > 1


def needs_id(model: SyncModel) -> bool:
    """Tell whether nobody draws an id if the device does not."""
    if not draws_ids(model):
        return False
    return any(
        each.column.default is None and each.column.server_default is None
        for each in model.key
    )


def operation(wanted: Wanted, *, has_id: bool, is_there: bool) -> Op:
    """Return what an item does. An upsert with the id of a row that *is there*, or was,
    changes it; without an id it makes one."""
    if wanted != "upsert":
        return wanted
    return "update" if has_id and is_there else "create"


def is_to_be_found(entry: Entry) -> bool:
    """Tell whether one has to look if there is a row, to know what an item does."""
    return (
        entry.wanted == "upsert"
        and entry.key is not None
        and entry.version is None
        and draws_ids(entry.model)
    )


def refused_id(model: SyncModel, op: Op, key: object) -> Refused | None:
    """Return what is wrong with the id of an item that is to be written."""
    if op != "create":
        return Refused("invalid", "is missing", "id") if key is None else None
    if key is not None and model.handler is None and not draws_ids(model):
        message = "is drawn by the server: send none, or one that begins with 'tmp:'"
        return Refused("invalid", message, "id")
    if key is None and needs_id(model):
        return Refused("invalid", "is missing", "id")
    return None


def missing_field(model: SyncModel, names: Collection[str]) -> Refused | None:
    """Return which field a new row cannot do without; None: all are there."""
    if model.handler is not None:
        return None
    for name in sorted(model.writable.difference(names)):
        column: Any = model.fields[name].column
        has_value = (
            column.nullable
            or column.default is not None
            or column.server_default is not None
            or column.identity is not None
        )
        if not has_value:
            return Refused("invalid", "is missing", name)
    return None


# Conflicts ----------------------------------------------------------------------------


class Verdict(NamedTuple):
    """What becomes of a change of a row."""

    does: Literal["write", "keep", "refuse"]
    resolution: str | None = None
    """By which rule a conflict was decided; None: there was none."""


def is_stale(sent: int | None, current: int) -> bool:
    """Tell whether others have changed a row since the version that a device has."""
    return sent is not None and sent != current


def judge(
    policy: Policy, op: Op, columns: Collection[str], since: Collection[str] | None
) -> Verdict:
    """Decide a conflict: *columns* are to be written, others have changed those of
    *since* meanwhile (None: nobody knows any more which)."""
    if policy == "client":
        return Verdict("write", "client")
    if policy == "server":
        return Verdict("keep", "server")
    is_apart = since is not None and not set(columns) & set(since)
    if policy == "merge" and op == "update" and is_apart:
        return Verdict("write", "merge")
    return Verdict("refuse")


def changed_since(version: int, changes: Iterable[Change]) -> set[str] | None:
    """Return which columns have changed since a version of a row; None: what was
    before is not kept, or the row is not the same any more.

    *changes* are those of the row from that version on.
    """
    found: set[str] = set()
    is_complete = version == 0
    for change in changes:
        if change.version == version:
            is_complete = True
        if change.version <= version:
            continue
        if change.operation != "update" or not change.before or not change.after:
            return None
        found |= different(change.before, change.after)
    return found if is_complete else None


def different(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Return the names of what is not the same."""
    names = before.keys() | after.keys()
    return {name for name in names if before.get(name) != after.get(name)}
