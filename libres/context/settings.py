"""The settings of a context and their defaults, in one list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

if TYPE_CHECKING:
    from libres.context.core import Context

__all__ = ("DEFAULTS", "IDEMPOTENCY_LIFETIME", "Setting", "set_default_settings")

IDEMPOTENCY_LIFETIME: Final = timedelta(hours=24)
"""How long a key stands for a request if nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that the library reads."""

    name: str
    default: Any
    meaning: str


DEFAULTS: Final = (
    Setting(
        name="dsn",
        default=None,
        meaning=(
            "The database, as an SQLAlchemy URL of PostgreSQL. It has to be set "
            "before the first session is used."
        ),
    ),
    Setting(
        name="uuid_namespace",
        default=UUID("49326ef9-fbc0-4ac0-9508-b0bbd75d42f7"),
        meaning=(
            "The namespace of the resource uuids. It must never change once there "
            "are allocations, because they are found by these uuids."
        ),
    ),
    Setting(
        name="idempotency_lifetime",
        default=IDEMPOTENCY_LIFETIME,
        meaning=(
            "How long an idempotency key stands for the request that was made with it."
        ),
    ),
)


def set_default_settings(context: Context) -> None:
    """Give *context* every setting that the library reads.

    Raises ContextIsLocked if the context is locked.
    """
    for setting in DEFAULTS:
        context.set_setting(setting.name, setting.default)


def _documentation() -> str:
    entries = (
        f"``{setting.name}`` (default: ``{setting.default!r}``)\n    {setting.meaning}"
        for setting in DEFAULTS
    )
    return "\n\n".join((_INTRODUCTION, *entries))


_INTRODUCTION: Final = """The settings of a context and their defaults, in one list.

Change one with ``context.set_setting(name, value)``; a context without a value of its
own uses that of its parent."""

__doc__ = _documentation()
