"""Puts items together that can be written at once, without anybody noticing.

Items of one row keep their order, and so do those of a model that a handler writes, or
whose rows have to differ from each other in more than their keys. All others pass each
other where none of them refers to what the other one touches.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import UniqueConstraint
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from libres.sync.pushing.reading import Temporary
from libres.sync.pushing.relations import are_related, references_of

if TYPE_CHECKING:
    from sqlalchemy import Table

    from libres.sync.handlers import Op
    from libres.sync.pushing.reading import Entry
    from libres.sync.registry import Registry, SyncModel


class Step(NamedTuple):
    """An item, and what it does."""

    entry: Entry
    op: Op


@dataclass
class Batch:
    """Steps of one model and operation, each of another row."""

    model: SyncModel
    op: Op
    steps: list[Step] = field(default_factory=list)
    touched: set[Hashable] = field(default_factory=set)
    referred: set[Hashable] = field(default_factory=set)

    def add(self, step: Step, row: Hashable, refers: set[Hashable]) -> None:
        """Add a step that touches a row, and refers to others."""
        self.steps.append(step)
        self.referred |= refers
        if row is not None:
            self.touched.add(row)

    def crosses(self, step: Step, row: Hashable, refers: set[Hashable]) -> bool:
        """Tell whether a step must not come before this batch, or into it."""
        if row in self.touched or row in self.referred:
            return True
        if not self.touched.isdisjoint(refers):
            return True
        return self._is_tied(step)

    def _is_tied(self, step: Step) -> bool:
        other = step.entry.model
        if other is self.model and self.op == step.op:
            return False
        if self.model.handler is not None and other.handler is not None:
            return True
        if other is self.model and _rows_exclude_each_other(other.table):
            return True
        deletes = "delete" in (self.op, step.op)
        return deletes and are_related(self.model, other)


def batches_of(registry: Registry, steps: Iterable[Step]) -> list[Batch]:
    """Put steps together, in an order that comes to the same as theirs."""
    batches: list[Batch] = []
    last: dict[tuple[str, Op], int] = {}
    for step in steps:
        row = row_of(step.entry)
        refers = set(_references(registry, step.entry))
        model = step.entry.model
        kind = model.name, step.op
        place = last.get(kind)
        if place is None or any(
            each.crosses(step, row, refers) for each in batches[place:]
        ):
            place = last[kind] = len(batches)
            batches.append(Batch(model, step.op))
        batches[place].add(step, row, refers)
    return batches


def _rows_exclude_each_other(table: Table) -> bool:
    """Tell whether one row may have to go before another one can come."""
    constraints = (type(each) for each in table.constraints)
    differing = any(
        issubclass(each, (UniqueConstraint, ExcludeConstraint)) for each in constraints
    )
    return differing or any(each.unique for each in table.indexes)


def row_of(entry: Entry) -> Hashable:
    """Name the row that an item touches; None: one that nobody can name yet."""
    if entry.temporary is not None:
        return entry.temporary
    return None if entry.key is None else (entry.model.name, entry.key)


def _references(registry: Registry, entry: Entry) -> Iterator[Hashable]:
    for each in references_of(registry, entry.model).all:
        values: list[Any] = [entry.values.get(name) for name in each.fields]
        for value in values:
            if isinstance(value, Temporary):
                yield value.name
        if each.is_to_key and None not in values:
            yield each.target.name, tuple(values)
