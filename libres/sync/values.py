"""What the parts of this room hand to each other about who asks, and for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from uuid import UUID

if TYPE_CHECKING:
    from libres.sync.filters import Filter


Pages = Literal["admin", "audit"]
"""Configures an organisation; sees everything of it, and changes nothing."""


class Flags(NamedTuple):
    """What a role may do with a model; the names of columns begin with ``can_``."""

    push: bool = False
    pull: bool = False
    create: bool = False
    read: bool = False
    update: bool = False
    delete: bool = False


NOTHING: Final = Flags()
ALL: Final = Flags(*([True] * len(Flags._fields)))


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who signs in, as whatever knows the users tells."""

    id: str
    username: str
    email: str = ""
    active: bool = True
    staff: bool = False
    version: int = 1
    """Of the tokens: those of a lower one have ended."""


@dataclass(frozen=True, slots=True)
class Organization:
    """A tenant."""

    id: UUID
    name: str
    slug: str
    reference: str
    """What tenant columns hold for it, as text."""

    active: bool = True


@dataclass(frozen=True, slots=True)
class Role:
    """What rights are given to."""

    id: UUID
    code: str
    name: str
    organization: UUID | None = None
    """None: all organisations have it."""

    pages: Pages | None = None
    """What it may do on the pages of its organisation; None: nothing."""


@dataclass(frozen=True, slots=True)
class Device:
    """A phone, a kiosk, a branch server."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """Who asks, for which organisation, with which rights: as it is at this moment."""

    user: User
    organization: Organization
    role: Role
    device: Device | None = None
    flags: Mapping[str, Flags] = field(default_factory=dict)
    """By the name of the model; what is missing may not be done."""

    filters: Mapping[str, Filter] = field(default_factory=dict)
    """By the name of the model; a model without one is seen as a whole."""

    membership_version: int = 1

    def flags_of(self, model: str) -> Flags:
        """Return what they may do with a model: nothing, if nothing says so."""
        return self.flags.get(model, NOTHING)

    def may_pull(self, model: str) -> bool:
        """Tell whether they may fetch rows of a model."""
        flags = self.flags_of(model)
        return flags.pull and flags.read

    @property
    def who(self) -> str:
        """Name who asks for limits, and for operations done: their device, if any."""
        if self.device is not None:
            return f"device:{self.device.id}"
        return f"user:{self.user.id}"
