"""Keeps the filters of roles: judged when set, found again per organisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from libres.context.core import ContextServicesMixin
from libres.sync.errors import InvalidFilter, UnknownEntity
from libres.sync.filters import Filter
from libres.sync.models import SyncFilter, SyncRole
from libres.sync.models.people import FILTER
from libres.sync.registry import registry_of

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.sync.values import Organization, Role


@dataclass(frozen=True, slots=True)
class StoredFilter:
    """Which rows of a model a role sees in an organisation."""

    organization: UUID
    role: UUID
    code: str
    """Of the role."""

    model: str
    conditions: Any
    problem: str | None = None
    """Why it shows nothing now; None: it is as right as when it was set."""


class Filters(ContextServicesMixin):
    """The filters of a context."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def set(
        self, organization: Organization, role: Role, model_name: str, conditions: Any
    ) -> Filter:
        """Let a role see only the rows of a model that meet all conditions, from the
        next request on; in place of the filter that it had.

        Raises InvalidFilter, and UnknownEntity for a model that is not registered and
        for a role of another organisation.
        """
        if role.organization not in (None, organization.id):
            raise UnknownEntity(kind="role", name=role.code)
        found = Filter.of(registry_of(self.context).named(model_name), conditions)
        values = {
            "context": self.context.name,
            "organization": organization.id,
            "role": role.id,
            "model": model_name,
            "conditions": conditions,
        }
        self.session.execute(SETTING, values)
        return found

    def remove(self, organization: Organization, role: Role, model_name: str) -> bool:
        """Let a role see all rows of a model in an organisation; tell whether it had a
        filter."""
        values = {"of": organization.id, "role": role.id, "model": model_name}
        return self.session.execute(REMOVING, values).first() is not None

    def all(self, organization: Organization | None = None) -> list[StoredFilter]:
        """Return the filters of an organisation (None: of all), by model and role."""
        query = ALL.where(SyncFilter.context == self.context.name)
        if organization is not None:
            query = query.where(SyncFilter.organization == organization.id)
        return [
            StoredFilter(
                **row._mapping, problem=self._problem(row.model, row.conditions)
            )
            for row in self.session.execute(query)
        ]

    def _problem(self, model_name: str, conditions: object) -> str | None:
        model = registry_of(self.context).get(model_name)
        if model is None:
            return f"There is no model {model_name}."
        try:
            Filter.of(model, conditions)
        except InvalidFilter as error:
            return str(error)
        return None


_INSERT: Final = insert(SyncFilter)

SETTING: Final = _INSERT.on_conflict_do_update(
    constraint=FILTER, set_={"conditions": _INSERT.excluded.conditions}
)

REMOVING: Final = (
    delete(SyncFilter)
    .where(
        SyncFilter.organization == bindparam("of"),
        SyncFilter.role == bindparam("role"),
        SyncFilter.model == bindparam("model"),
    )
    .returning(SyncFilter.id)
    .execution_options(synchronize_session=False)
)

ALL: Final = (
    select(
        SyncFilter.organization,
        SyncFilter.role,
        SyncRole.code,
        SyncFilter.model,
        SyncFilter.conditions,
    )
    .join(SyncRole, SyncRole.id == SyncFilter.role)
    .order_by(SyncFilter.organization, SyncFilter.model, SyncRole.code)
)
