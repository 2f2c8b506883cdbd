"""Proposes which models of a host could be synchronised; it registers none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import inspect

from libres.db.models.base import ORMBase
from libres.modules.errors import insist
from libres.sync.errors import NotRegistrable
from libres.sync.registry import Registry

if TYPE_CHECKING:
    from sqlalchemy import Column
    from sqlalchemy.orm import Mapper

    from libres.sync.registry import SyncModel

TENANTS: Final = (
    "organization_id",
    "organisation_id",
    "organization",
    "organisation",
    "tenant_id",
    "tenant",
    "company_id",
    "account_id",
)
"""What columns are called that say whose a row is; the first that is there counts."""

TOUCHY: Final = re.compile(
    r"(^|_)(auth|users?|sessions?|permissions?|roles?|tokens?|passwords?"
    r"|credentials?|migrations?|alembic)(_|$)"
)
"""Words in the names of tables that devices have no business with."""

SECRET: Final = re.compile(
    r"password|passwd|secret|token|hash|salt|private_key|api_key"
)
"""What columns are called that nobody should get a copy of."""

LIBRES: Final = "libres."


@dataclass(frozen=True, slots=True)
class Proposal:
    """What could become of a mapped class, and why."""

    model: type
    name: str
    """What it would be called."""

    table: str
    register: bool
    """It is proposed; else it is skipped."""

    reason: str
    tenant: str | None = None
    """The attribute that seems to say whose a row is; None: say so, or share it."""

    secret: tuple[str, ...] = ()
    """The attributes that look as if nobody should get a copy of them."""

    @property
    def call(self) -> str:
        """The line of code that registers it, to be read before it is used."""
        cls = self.model.__name__
        parts = [cls, f"name={self.name!r}"]
        parts.append(f"tenant={cls}.{self.tenant}" if self.tenant else "shared=…")
        if self.secret:
            parts.append(f"secret=[{', '.join(f'{cls}.{n}' for n in self.secret)}]")
        return f"registry.register({', '.join(parts)})"


def discover(bases: Iterable[Any], registry: Registry) -> list[Proposal]:
    """Judge all mapped classes of declarative bases, by name.

    Raises Misuse for what is no declarative base.
    """
    found = {
        mapper.class_: _proposal(mapper, registry)
        for base in bases
        for mapper in _mappers(base)
    }
    return sorted(found.values(), key=lambda each: each.name)


def bases_of(registry: Registry) -> list[Any]:
    """Return the declarative bases of registered models, but for those of libres."""
    found: dict[int, Any] = {}
    for each in registry:
        known = getattr(each.model, "registry", None)
        if hasattr(known, "mappers") and not issubclass(each.model, ORMBase):
            found.setdefault(id(known), each.model)
    return list(found.values())


def _mappers(base: Any) -> Iterator[Mapper[Any]]:
    known: Any = getattr(base, "registry", None)
    insist(
        hasattr(known, "mappers"),
        f"{base!r} is no declarative base: pass the class that models inherit from.",
    )
    yield from known.mappers


def _proposal(mapper: Mapper[Any], registry: Registry) -> Proposal:
    model = mapper.class_
    tenant = _tenant(mapper)
    secret = tuple(key for key in mapper.columns.keys() if SECRET.search(key.lower()))  # noqa: SIM118
    reason = _against(mapper, registry, tenant, secret)
    return Proposal(
        model=model,
        name=f"{model.__module__.partition('.')[0]}.{model.__name__}",
        table=str(getattr(mapper.local_table, "fullname", mapper.local_table)),
        register=reason is None,
        reason=reason or _for(tenant),
        tenant=tenant,
        secret=secret,
    )


def _for(tenant: str | None) -> str:
    if tenant is not None:
        return f"It has the column {tenant}, which seems to say whose a row is."
    return "Nothing says whose a row is: name the column, or share the table with all."


def _against(
    mapper: Mapper[Any],
    registry: Registry,
    tenant: str | None,
    secret: tuple[str, ...],
) -> str | None:
    """Say why a model is skipped; None: it is not."""
    model = mapper.class_
    table: Any = mapper.local_table
    if any(each.model is model for each in registry):
        return "It is registered."
    if issubclass(model, ORMBase) or model.__module__.startswith(LIBRES):
        return "It belongs to libres, which has handlers for its own: register_core."
    if model.__dict__.get("__abstract__") or inspect(model).local_table is None:
        return "It is abstract: it has no rows."
    found = TOUCHY.search(str(getattr(table, "name", "")).lower())
    if found is not None:
        return f"Its name has {found[0].strip('_')!r} in it: devices need no such rows."
    return _not_registrable(model, tenant, secret)


def _not_registrable(
    model: type, tenant: str | None, secret: tuple[str, ...]
) -> str | None:
    try:
        _tried(model, tenant, secret)
    except NotRegistrable as error:
        return str(error)
    return None


def _tried(model: type, tenant: str | None, secret: tuple[str, ...]) -> SyncModel:
    """Register a model where nobody sees it."""
    return Registry().register(
        model, tenant=tenant, shared=tenant is None, secret=secret
    )


def _tenant(mapper: Mapper[Any]) -> str | None:
    columns: dict[str, Column[Any]] = dict(mapper.columns.items())
    return next((name for name in TENANTS if name in columns), None)
