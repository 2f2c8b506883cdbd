"""Knows which fields of a model refer to rows of which other registered model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from sqlalchemy import Table

    from libres.sync.registry import Registry, SyncModel


@dataclass(frozen=True)
class Reference:
    """A foreign key of a model to another one that is registered, or to itself."""

    target: SyncModel
    fields: tuple[str, ...]
    """The names of the fields that hold it."""

    columns: tuple[str, ...]
    """The names of the columns of the other table, in the same order."""

    @cached_property
    def is_to_key(self) -> bool:
        """Tell whether it holds the whole key of the other row."""
        return self.columns == tuple(each.column.name for each in self.target.key)


@dataclass(frozen=True)
class References:
    """All of a model."""

    all: Sequence[Reference]

    @cached_property
    def fields(self) -> Mapping[str, Reference]:
        """Those that consist of one field and hold a key, by it: there a temporary id
        may stand."""
        return {
            each.fields[0]: each
            for each in self.all
            if len(each.fields) == 1 and each.is_to_key
        }


_known: Final[WeakKeyDictionary[SyncModel, tuple[int, References]]] = (
    WeakKeyDictionary()
)
"""With the number of models that were registered then."""


def references_of(registry: Registry, model: SyncModel) -> References:
    """Return the foreign keys of a model to registered ones."""
    known = _known.get(model)
    if known is None or known[0] != len(registry):
        known = len(registry), References(_found(registry, model))
        _known[model] = known
    return known[1]


def _found(registry: Registry, model: SyncModel) -> list[Reference]:
    names = {each.column.name: name for name, each in model.fields.items()} | {
        each.column.name: each.name for each in model.key
    }
    models = {each.table: each for each in registry}
    found = []
    for key in model.table.foreign_key_constraints:
        target = models.get(key.referred_table)
        local = [names.get(each.parent.name) for each in key.elements]
        fields = tuple(each for each in local if each is not None)
        if target is not None and len(fields) == len(local):
            columns = tuple(each.column.name for each in key.elements)
            found.append(Reference(target, fields, columns))
    return sorted(found, key=lambda each: each.fields)


def are_related(one: SyncModel, other: SyncModel) -> bool:
    """Tell whether what is deleted of one model may take rows of the other along."""
    return one.table in _above(other.table) or other.table in _above(one.table)


def _above(table: Table) -> set[Table]:
    """Return the tables that a table refers to, directly or not, and itself."""
    found, waiting = {table}, [table]
    while waiting:
        for key in waiting.pop().foreign_key_constraints:
            if key.referred_table not in found:
                found.add(key.referred_table)
                waiting.append(key.referred_table)
    return found
