"""What an audit returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Level: TypeAlias = Literal["error", "notice"]
"""A notice is what the library itself may leave behind, and does no harm."""

Row: TypeAlias = Mapping[str, Any]
"""What is needed to find a row: its key, whose it is, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The rows that one check has found, and what to do about them."""

    check: str
    """The stable name of the check."""
    rows: tuple[Row, ...]
    message: str
    """What is wrong, in a sentence."""
    remedy: str
    """What to do, in a sentence."""
    repairable: bool
    """Whether ``repair`` mends it; nothing has to be decided then."""
    level: Level = "error"


class MissingTablesError(RuntimeError):
    """Tables of libres are missing in this database: create them with libres db
    upgrade, or name the right database."""

    def __init__(self) -> None:
        super().__init__(" ".join(str(self.__doc__).split()))
