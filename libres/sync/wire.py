"""Writes rows as clients get them: in what is pulled, and in what a conflict shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from libres.sync.registry import SyncModel


def wire_row(
    model: SyncModel, key: Iterable[Any], values: Mapping[str, Any], version: int
) -> dict[str, Any]:
    """Write a row: ``_model``, ``id``, its fields, ``_version``.

    *key* and *values* are what Python holds; fields that are missing are null.
    """
    fields = {
        name: field.write(values.get(name)) for name, field in model.fields.items()
    }
    return {**_named(model, key), **fields, "_version": version}


def wire_gone(model: SyncModel, key: Iterable[Any], version: int) -> dict[str, Any]:
    """Write what is left of a row that a client does not see any more."""
    return {**_named(model, key), "_version": version}


def _named(model: SyncModel, key: Iterable[Any]) -> dict[str, Any]:
    return {"_model": model.name, "id": model.wire_id(key)}
