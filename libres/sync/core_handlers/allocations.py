"""Allocates, moves and removes for those who administer, by the scheduler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from libres.domain.spans import display_end
from libres.sync.core_handlers import finding
from libres.sync.core_handlers.finding import Declined, Seen
from libres.sync.core_handlers.refusing import decided
from libres.sync.handlers import NOT_FOUND, Done, Outcome, Refused

if TYPE_CHECKING:
    from libres.sync.handlers import Item, Work

FIXED: Final = ("resource", "partly_available", "raster")

TERMS: Final = ("approve_manually", "quota_limit", "data")

OPTIONS: Final = ("partly_available", "raster", "quota", *TERMS)


class AllocationHandler:
    """Lets the scheduler decide on each allocation by itself."""

    batch = 1
    serializable = True

    def write(self, work: Work, items: Sequence[Item]) -> Sequence[Outcome]:
        """Write items of the same operation; answer for each, in their order.

        What is in the way, another allocation or a reservation, is a conflict.
        """
        return [decided(work, partial(VERBS[item.op], work, item)) for item in items]


def _create(work: Work, item: Item) -> Done:
    if item.key is not None:
        raise Declined(NOT_FOUND)  # the database draws ids: nobody else has this one
    scheduler = finding.named(work, item.values.get("resource")).scheduler(work.context)
    for name in ("start", "end"):
        if item.values.get(name) is None:
            raise Declined(Refused("invalid", "is missing", name))
    _check_quota(item.values)
    dates = item.values["start"], display_end(item.values["end"])
    options = {name: item.values[name] for name in OPTIONS if name in item.values}
    (made,) = scheduler.allocate(dates, **options)
    return finding.written(work, item, "created", made.id)


def _update(work: Work, item: Item) -> Done:
    found = finding.wanted(work, item)
    for name in FIXED:
        if found.changes(item.values, name):
            raise Declined(Refused("invalid", "cannot be changed", name))
    _check_quota(item.values)
    wanted = _wanted(found, item.values)
    if wanted:
        scheduler = found.resource.scheduler(work.context)
        scheduler.move_allocation(found.id, **wanted)
    return finding.written(work, item, "updated", found.id)


def _wanted(found: Seen, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return how to move an allocation; nothing, if it is as wanted."""
    changed = {name: values[name] for name in TERMS if found.changes(values, name)}
    is_quota_new = found.changes(values, "quota")
    if is_quota_new:
        changed["new_quota"] = values["quota"]
    is_moved = found.changes(values, "start") or found.changes(values, "end")
    if not (changed or is_moved):
        return {}
    start, end = (values.get(each, found.values[each]) for each in ("start", "end"))
    return {**changed, "new_start": start, "new_end": display_end(end)}


def _check_quota(values: Mapping[str, Any]) -> None:
    """Refuse what the scheduler takes for 'as it is'."""
    if values.get("quota", 1) < 1:
        raise Declined(Refused("invalid", "must be 1 at least", "quota"))


def _delete(work: Work, item: Item) -> Done:
    found = finding.wanted(work, item)
    found.resource.scheduler(work.context).remove_allocation(found.id)
    return finding.written(work, item, "deleted", found.id)


VERBS: Final = {"create": _create, "update": _update, "delete": _delete}
