"""Tells a client of its models: what there is to read and to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from libres.sync.values import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from libres.sync.fields import Field
    from libres.sync.registry import SyncModel
    from libres.sync.values import Member


def describe(models: Iterable[SyncModel], member: Member) -> dict[str, Any]:
    """Describe the models that somebody may do anything with, by name.

    Of what they may not touch, not even the name is told.
    """
    return {
        each.name: _model(each, member)
        for each in models
        if member.flags_of(each.name) != NOTHING
    }


def _model(model: SyncModel, member: Member) -> dict[str, Any]:
    flags = member.flags_of(model.name)
    return {
        "key": [_field(each, is_key=True) for each in model.key],
        "fields": [_field(each) for each in model.fields.values()],
        "flags": flags._asdict(),
        "filtered": model.name in member.filters,
        "shared": model.shared,
        "conflicts": model.policy,
    }


def _field(field: Field, *, is_key: bool = False) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": field.name,
        "kind": field.kind.name,
        "writable": field.writable and not is_key,
        "nullable": bool(field.column.nullable),
    }
    longest = getattr(field.column.type, "length", None)
    if field.kind.name == "text" and longest is not None:
        told["longest"] = longest
    return told
