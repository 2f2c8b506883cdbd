"""Says what of a host's model is a claim."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from sqlalchemy import Table, inspect
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import Mapper

from libres.conflicts.claim import NO_TIME, Proposal
from libres.conflicts.errors import NotTrackable
from libres.conflicts.values import BOUNDS, Bounds, buffer_of, name_of
from libres.domain.days import check_timezone

Mode: TypeAlias = Literal["trigger", "session"]

Derive: TypeAlias = Callable[[Any], "Proposal | Iterable[Proposal] | None"]
"""Takes an object, gives what it claims; source and id are filled in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimMapping:
    """What of a row is a claim: each value is a column or an SQL expression of the
    model, also a correlated subquery, or a plain value.

    Several mappings make several parts of a row, as two trucks and a driver.
    """

    resource: Any
    """A text, compared as `Proposal.resource` is. NULL: this row claims nothing."""

    start: Any
    end: Any
    """Times, the end not included. Columns without a time zone need *timezone*. NULL is
    refused by the database, unless *open_start* or *open_end* is set."""

    open_start: bool = False
    open_end: bool = False
    """Whether NULL means that it has always been so, or has no end."""

    timezone: str | None = None
    """On whose clock the times are, if their columns have no time zone."""

    where: Any = None
    """A condition; rows that do not meet it claim nothing. None: all do."""

    lower: Any = None
    upper: Any = None
    bounds: Bounds = "[]"
    """A numeric span; NULL is without end, and if both are NULL no span is given."""

    dims: Any = None
    exclusive: Any = True
    capacity: Any = None
    places: Any = 1
    tentative: Any = False
    expires: Any = None
    before: timedelta = NO_TIME
    after: timedelta = NO_TIME
    label: Any = None
    url: Any = None

    def __post_init__(self) -> None:
        buffer_of(self.before, "before")
        buffer_of(self.after, "after")
        if self.timezone is not None:
            check_timezone(self.timezone)
        if self.bounds not in BOUNDS:
            message = f"bounds are one of {', '.join(BOUNDS)}, not {self.bounds!r}."
            raise NotTrackable(message)
        for each in fields(self):
            if callable(getattr(self, each.name)) and not _is_sql(
                getattr(self, each.name)
            ):
                message = (
                    f"{each.name} is Python, which the database cannot run: pass a "
                    f"function of the whole object instead of a ClaimMapping."
                )
                raise NotTrackable(message)


def _is_sql(value: object) -> bool:
    return hasattr(value, "__clause_element__") or hasattr(value, "compile")


@dataclass(frozen=True, slots=True)
class Tracking:
    """How a model is tracked."""

    source: str
    mode: Mode
    blind_to: tuple[str, ...]
    """What changes rows without being noticed; `Claims.verify` finds it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A model to be tracked."""

    model: type
    mapper: Mapper[Any]
    table: Table
    source: str

    @classmethod
    def of(cls, model: Any, source: str | None) -> Target:
        """Look at a model. Raises NotTrackable if it is none, or has no one table."""
        try:
            mapper = inspect(model)
        except NoInspectionAvailable:
            mapper = None
        if not isinstance(mapper, Mapper):
            message = f"A mapped class is needed, not {model!r}."
            raise NotTrackable(message)
        table = mapper.local_table
        if not isinstance(table, Table) or mapper.inherits is not None:
            message = (
                f"{mapper.class_.__name__} is not mapped to a table of its own: track "
                f"the class that is, with a condition."
            )
            raise NotTrackable(message)
        found = source_of(mapper.class_) if source is None else source
        return cls(mapper.class_, mapper, table, name_of(found, "source"))

    @property
    def key(self) -> list[Any]:
        """The columns of the primary key, in their order."""
        return list(self.table.primary_key.columns)


def source_of(model: type) -> str:
    """Name a model: the package it comes from, and its own name."""
    return f"{model.__module__.partition('.')[0]}.{model.__qualname__}"


def mappings_of(mapping: object) -> tuple[ClaimMapping, ...]:
    """Return one or several mappings. Raises NotTrackable for anything else."""
    if isinstance(mapping, ClaimMapping):
        return (mapping,)
    if isinstance(mapping, Sequence) and mapping:
        found = tuple(mapping)
        if all(isinstance(each, ClaimMapping) for each in found):
            return found
    message = f"A ClaimMapping is needed, or a list of them, not {mapping!r:.80}."
    raise NotTrackable(message)
