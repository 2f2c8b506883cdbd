"""The rights of an organisation as a table, and what becomes of changes of its cells.

Several people may have the table before them: what somebody else has changed meanwhile
is not overwritten, it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from libres.sync.values import NOTHING, Flags, Role

Outcome = Literal["changed", "same", "conflict"]
"""It is as it was wanted; it was so already; somebody else was faster, and it is left
as it is."""


@dataclass(frozen=True, slots=True)
class Right:
    """What a role may do with a model."""

    flags: Flags = NOTHING
    version: int = 0
    """Grows with each change; 0: nothing was said yet."""


UNSAID = Right()


@dataclass(frozen=True, slots=True)
class Matrix:
    """What all roles of an organisation may do with all models."""

    roles: tuple[Role, ...]
    """Those of the organisation, and global ones."""

    models: tuple[str, ...]
    """The names of the registered models."""

    rights: Mapping[tuple[UUID, str], Right]
    """By the id of the role and the name of the model; what is missing may not be
    done."""

    def of(self, role: Role, model: str) -> Right:
        """Return what a role may do with a model."""
        return self.rights.get((role.id, model), UNSAID)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a role should be allowed from now on with a model."""

    role: Role
    model: str
    flags: Mapping[str, bool]
    """By the name of the flag, as in ``{"pull": True}``; the others stay."""

    version: int | None
    """The one that was looked at; None: whatever it is."""

    @property
    def key(self) -> tuple[UUID, str]:
        """What it is found by."""
        return self.role.id, self.model


@dataclass(frozen=True, slots=True)
class Became:
    """What has become of what was wanted."""

    role: Role
    model: str
    outcome: Outcome
    right: Right
    """As it is now."""


@dataclass(frozen=True, slots=True)
class Change:
    """A right that a document creates, changes or removes."""

    role: Role
    model: str
    before: Flags | None
    """None: it is created."""

    after: Flags | None
    """None: it is removed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a document changes."""

    created: tuple[Change, ...] = ()
    updated: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()
    problems: tuple[str, ...] = field(default=())
    """What is wrong with it; then it changes nothing."""


def judge(wanted: Wanted, right: Right) -> Became:
    """Say what becomes of what is wanted, where a right is as it is."""
    flags = right.flags._replace(**wanted.flags)
    if wanted.version not in {None, right.version}:
        return Became(wanted.role, wanted.model, "conflict", right)
    if flags == right.flags:
        return Became(wanted.role, wanted.model, "same", right)
    changed = Right(flags, right.version + 1)
    return Became(wanted.role, wanted.model, "changed", changed)


def compared(
    roles: Iterable[Role],
    before: Mapping[tuple[UUID, str], Flags],
    after: Mapping[tuple[UUID, str], Flags],
) -> Plan:
    """Say what changes, by the codes of the roles and the names of models."""
    by_id = {each.id: each for each in roles}
    keys = sorted(before.keys() | after.keys(), key=lambda k: (by_id[k[0]].code, k[1]))
    changes = [
        Change(by_id[role], model, before.get((role, model)), after.get((role, model)))
        for role, model in keys
    ]
    changes = [each for each in changes if each.before != each.after]
    return Plan(
        created=tuple(each for each in changes if each.before is None),
        updated=tuple(
            each for each in changes if None not in (each.before, each.after)
        ),
        removed=tuple(each for each in changes if each.after is None),
    )
