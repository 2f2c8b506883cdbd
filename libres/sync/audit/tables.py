"""The tables that are audited: what is synchronised, the core, the configuration.

What is audited only is known to no device: it is in a registry of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from libres.db.models import ReservationBlocker, ReservedSlot
from libres.domain.days import UTC
from libres.sync import registry
from libres.sync.core_models import CHECK_IN, OWNER_OF_ROW, Names, models_of
from libres.sync.errors import UnknownEntity
from libres.sync.fields import Kind
from libres.sync.models import (
    AuditErasure,
    SyncDevice,
    SyncFilter,
    SyncMembership,
    SyncOrganization,
    SyncPermission,
    SyncResource,
    SyncRole,
    SyncSetting,
    SyncSwitch,
    SyncUser,
)
from libres.sync.registry import Registry, SyncModel, registry_of

if TYPE_CHECKING:
    from libres.context.core import Context

BLOCKER: Final = "libres.Blocker"
SLOT: Final = "libres.Slot"

OURS: Final = "{row}.context = {context}"
"""Several contexts may share a database, and its configuration is not that of all."""

OWNER: Final = """\
SELECT reference FROM sync_organizations AS owner WHERE owner.id = {row}.organization"""

OWN: Final = "{row}.reference"


def audited(
    model: Any,
    name: str | None = None,
    *,
    secret: Collection[Any] = (),
    ignored: Collection[str] = (),
    tenant_sql: str | None = None,
    noted: str | None = None,
) -> SyncModel:
    """Make a model that is audited only: no device sees it.

    Of *secret* columns it is noted that they change, but not what they hold. *ignored*
    are the names of columns whose changes are of no interest. *tenant_sql* is SQL of
    the reference of the organisation that the row ``{row}`` belongs to (None: to none,
    only staff sees it), *noted* SQL of which rows are noted (None: all).

    Raises NotRegistrable for what is no mapped class, or has no key.
    """
    found = registry.made(
        *(model, name, None, (), (), secret),
        shared=True,
        policy="reject",
        handler=None,
    )
    return replace(
        found,
        ignored=frozenset(ignored),
        tenant_sql=tenant_sql,
        shared=tenant_sql is None,
        noted=noted,
    )


# What there is ------------------------------------------------------------------------


def configuration() -> list[SyncModel]:
    """Make the models of the configuration."""
    by_owner: dict[str, Any] = {"tenant_sql": OWNER, "noted": OURS}
    return [
        audited(
            SyncOrganization, "libres.sync.Organization", tenant_sql=OWN, noted=OURS
        ),
        audited(SyncUser, "libres.sync.User", secret=["password"], noted=OURS),
        audited(SyncRole, "libres.sync.Role", **by_owner),
        audited(SyncMembership, "libres.sync.Membership", **by_owner),
        audited(SyncPermission, "libres.sync.Permission", **by_owner),
        audited(SyncFilter, "libres.sync.Filter", **by_owner),
        audited(SyncResource, "libres.sync.Resource", **by_owner),
        audited(
            *(SyncDevice, "libres.sync.Device"),
            secret=["hash"],
            ignored=["position", "seen"],
            **by_owner,
        ),
        audited(SyncSwitch, "libres.sync.Switch", noted=OURS),
        audited(SyncSetting, "libres.sync.Setting", noted=OURS),
        audited(AuditErasure, "libres.sync.Erasure", noted=OURS),
    ]


def core(context: Context) -> list[SyncModel]:
    """Make the models of the core; not the slots, which follow from the rest."""
    names = Names(context)
    found = [each for each in models_of(context.name, names) if each.name != CHECK_IN]
    blockers = audited(ReservationBlocker, BLOCKER, tenant_sql=OWNER_OF_ROW)
    return [*found, blockers]


def slot() -> SyncModel:
    """Make the model of slots: a part of their key is a time, in UTC."""
    made = registry.made(
        *(ReservedSlot, SLOT, None, (), (), ()),
        shared=True,
        policy="reject",
        handler=None,
        kinds={"start": KEY_IN_UTC},
    )
    return replace(made, tenant_sql=OWNER_OF_ROW, shared=False)


def _load_key(noted: str) -> datetime:
    moment = datetime.fromisoformat(noted)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _with_zone(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


KEY_IN_UTC: Final = Kind("text", _with_zone, lambda moment: moment, _load_key)
"""A moment as part of a key, as the column has it: in UTC, which it does not say."""


# What is audited in this process ------------------------------------------------------

_audited: Final[WeakKeyDictionary[Context, Registry]] = WeakKeyDictionary()


def audited_of(context: Context) -> Registry:
    """Return the models of a context that are audited only, in this process."""
    found = _audited.get(context)
    if found is None:
        found = _audited[context] = Registry()
        for each in (*core(context), *configuration()):
            found.add(each)
    return found


class Tables:
    """All that is audited in a context, by name, class and table."""

    def __init__(self, context: Context) -> None:
        known = {each.relation: each for each in audited_of(context)}
        known |= {each.relation: each for each in registry_of(context)}
        self._known = known

    def __iter__(self) -> Iterator[SyncModel]:
        return iter(sorted(self._known.values(), key=lambda each: each.name))

    def of(self, relation: str) -> SyncModel | None:
        """Return the model of a table; None: this process does not know it."""
        return self._known.get(relation)

    def name_of(self, relation: str) -> str:
        """Return what people call a table: the name of its model, if there is one."""
        found = self.of(relation)
        return relation if found is None else found.name

    def named(self, wanted: Any) -> SyncModel:
        """Return the model of a name, a class, or a table. Raises UnknownEntity."""
        for each in self._known.values():
            if wanted in (each.name, each.relation) or each.model is wanted:
                return each
        name = wanted if isinstance(wanted, str) else getattr(wanted, "__name__", "")
        raise UnknownEntity(kind="model", name=name or str(wanted))


def add(context: Context, models: Iterable[Any], *, slots: bool) -> None:
    """Let models of the host be audited as well, and the slots of the core.

    Raises NotRegistrable, and AlreadyThere for a second one of a name.
    """
    known = audited_of(context)
    if slots:
        known.replace(slot())
    for each in models:
        known.replace(each if isinstance(each, SyncModel) else audited(each))
