"""Writes what a document wants, section by section, and counts what that changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, delete, update

from libres.context.core import ContextServicesMixin
from libres.sync.configuration.reading import Present
from libres.sync.configuration.sections import SECTIONS, SETTINGS, Key, Record
from libres.sync.filter_store import Filters
from libres.sync.memberships import Memberships
from libres.sync.models import SyncPermission, SyncResource, SyncRole, SyncUser
from libres.sync.organizations import Organizations
from libres.sync.permissions import NAMES as FLAGS
from libres.sync.permissions import Applied, Permissions
from libres.sync.resources import Resources
from libres.sync.roles import Roles
from libres.sync.settings import START_OFF, Settings, Value, setting_of
from libres.sync.switches import Switches
from libres.sync.users import Users, id_of
from libres.sync.values import Flags, Organization, Role, User

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.sync.configuration.checking import Wanted
    from libres.sync.configuration.sections import Section

NEVER_REMOVED: Final = ("organizations", "users")
"""What belongs to them would be gone as well: they are let in no more instead."""

NOT_REMOVABLE: Final = ("models",)

_USERS: Final[Any] = SyncUser.__table__
_RIGHTS: Final[Any] = SyncPermission.__table__
_RESOURCES: Final[Any] = SyncResource.__table__
_ROLES: Final[Any] = SyncRole.__table__


class Writer(ContextServicesMixin):
    """Writes a document into the transaction that runs."""

    def __init__(self, context: Context, wanted: Wanted) -> None:
        self.context = context
        self.wanted = wanted
        self.present = wanted.present

    def write(self) -> dict[str, Applied]:
        """Write all of it; return by sections what was changed."""
        settings = self.wanted.settings
        done = {} if settings is None else {SETTINGS: self._settings(settings)}
        sections = [each for each in SECTIONS if each.name in self.wanted.records]
        gone = {each.name: self._gone(each) for each in sections}
        # What refers to others goes before them, and comes after them.
        for section in reversed(sections):
            for record in gone[section.name]:
                self._remove(section.name, record)
        for section in sections:
            done[section.name] = self._section(section, len(gone[section.name]))
            self.present = Present(self.context)
        return done

    def _settings(self, told: dict[str, Any]) -> Applied:
        now = self.present.settings()
        changed = {name: value for name, value in told.items() if now[name] != value}
        for name, value in changed.items():
            set_setting(self.context, name, value)
        unsaid = now.keys() - told.keys() if self.wanted.replace else set()
        gone = [each for each in unsaid if now[each] != setting_of(each).default]
        for name in gone:
            reset_setting(self.context, name)
        return Applied(0, len(changed), len(gone))

    def _section(self, section: Section, removed: int) -> Applied:
        there = {section.key_of(each): each for each in self.present.records(section)}
        created = updated = 0
        for key, record in self.wanted.of(section.name).items():
            was = there.get(key)
            if was is None:
                self._act("create", section.name)(record)
                created += 1
            elif self._differs(section, record, was):
                self._act("update", section.name)(record, was)
                updated += 1
        shut = self._shut(section, there) if section.name in NEVER_REMOVED else 0
        return Applied(created, updated + shut, removed)

    def _differs(self, section: Section, record: Record, was: Record) -> bool:
        return any(
            record[name] != was[name]
            for name in section.fields
            if name not in section.key
            and not (name == "reference" and record[name] is None)
        )

    def _gone(self, section: Section) -> list[Record]:
        kept = (*NEVER_REMOVED, *NOT_REMOVABLE)
        if not self.wanted.replace or section.name in kept:
            return []
        wanted = self.wanted.of(section.name)
        return [
            each
            for each in self.present.records(section)
            if section.key_of(each) not in wanted
        ]

    def _shut(self, section: Section, there: dict[Key, Record]) -> int:
        """Let in no more who is not named."""
        if not self.wanted.replace:
            return 0
        wanted = self.wanted.of(section.name)
        shut = [
            each for key, each in there.items() if key not in wanted and each["active"]
        ]
        for each in shut:
            self._act("update", section.name)({**each, "active": False}, each)
        return len(shut)

    def _act(self, what: str, section: str) -> Callable[..., object]:
        found: Callable[..., object] = getattr(self, f"_{what}_{section}")
        return found

    def _remove(self, section: str, record: Record) -> None:
        self._act("remove", section)(record)

    # Whom a record names --------------------------------------------------------------

    def _place(self, record: Record) -> tuple[Organization, Role]:
        organization = self.present.organizations[record["organization"]]
        of = None if record["shared"] else organization.slug
        return organization, self.present.roles[of, record["role"]]

    def _user(self, record: Record) -> User:
        found = self.present.user(record["user"])
        if found is None:
            # The host knows them no more; their membership is known by their id.
            return User(record["user"], record["user"])
        return found

    # Sections -------------------------------------------------------------------------

    def _create_models(self, record: Record) -> None:
        Switches(self.context).set(record["model"], record["on"])

    def _update_models(self, record: Record, _was: Record) -> None:
        self._create_models(record)

    def _create_organizations(self, record: Record) -> None:
        organizations = Organizations(self.context)
        organizations.add(record["name"], record["slug"], record["reference"])
        if not record["active"]:
            organizations.set_active(record["slug"], False)

    def _update_organizations(self, record: Record, was: Record) -> None:
        organizations = Organizations(self.context)
        if record["name"] != was["name"]:
            organizations.rename(record["slug"], record["name"])
        if record["active"] != was["active"]:
            organizations.set_active(record["slug"], record["active"])

    def _create_users(self, record: Record) -> None:
        users = Users(self.context)
        about = record["email"], record["staff"]
        made = users.add(record["username"], None, *about)
        if not record["active"]:
            users.set_active(made, False)

    def _update_users(self, record: Record, was: Record) -> None:
        user = self.present.users[record["username"].lower()]
        if record["active"] != was["active"]:
            Users(self.context).set_active(user, record["active"])
        ours = _USERS.c.context == self.context.name, _USERS.c.id == id_of(user.id)
        values = {"email": record["email"], "staff": record["staff"]}
        self.session.execute(update(SyncUser).where(*ours).values(**values))

    def _create_roles(self, record: Record) -> None:
        slug = record["organization"]
        of = None if slug is None else self.present.organizations[slug]
        Roles(self.context).add(record["code"], record["name"], of, record["pages"])

    def _update_roles(self, record: Record, _was: Record) -> None:
        role = self.present.roles[record["organization"], record["code"]]
        Roles(self.context).change(role, record["name"], record["pages"])

    def _remove_roles(self, record: Record) -> None:
        role = self.present.roles[record["organization"], record["code"]]
        self.session.execute(delete(SyncRole).where(_ROLES.c.id == role.id))

    def _create_memberships(self, record: Record) -> None:
        memberships, user = Memberships(self.context), self._user(record)
        memberships.add(user, *self._place(record))
        if not record["active"]:
            memberships.set_active(user, self._place(record)[0], False)

    def _update_memberships(self, record: Record, was: Record) -> None:
        memberships, user = Memberships(self.context), self._user(record)
        organization, role = self._place(record)
        memberships.set_role(user, organization, role)
        if record["active"] != was["active"]:
            memberships.set_active(user, organization, record["active"])

    def _remove_memberships(self, record: Record) -> None:
        organization = self.present.organizations[record["organization"]]
        Memberships(self.context).remove(self._user(record), organization)

    def _create_permissions(self, record: Record) -> None:
        flags = Flags(*(record[each] for each in FLAGS))
        Permissions(self.context).set(*self._place(record), record["model"], flags)

    def _update_permissions(self, record: Record, _was: Record) -> None:
        self._create_permissions(record)

    def _remove_permissions(self, record: Record) -> None:
        organization, role = self._place(record)
        columns = _RIGHTS.c
        where = and_(
            columns.organization == organization.id,
            columns.role == role.id,
            columns.model == record["model"],
        )
        self.session.execute(delete(SyncPermission).where(where))

    def _create_filters(self, record: Record) -> None:
        about = record["model"], record["conditions"]
        Filters(self.context).set(*self._place(record), *about)

    def _update_filters(self, record: Record, _was: Record) -> None:
        self._create_filters(record)

    def _remove_filters(self, record: Record) -> None:
        Filters(self.context).remove(*self._place(record), record["model"])

    def _create_resources(self, record: Record) -> None:
        organization = self.present.organizations[record["organization"]]
        about = record["name"], record["timezone"], record["blocking_names"]
        Resources(self.context).add(organization, *about)

    def _update_resources(self, record: Record, was: Record) -> None:
        if record["organization"] != was["organization"]:
            self._remove_resources(was)
            self._create_resources(record)
            return
        columns = _RESOURCES.c
        ours = columns.context == self.context.name, columns.name == record["name"]
        values = {name: record[name] for name in ("timezone", "blocking_names")}
        self.session.execute(update(SyncResource).where(*ours).values(**values))

    def _remove_resources(self, record: Record) -> None:
        Resources(self.context).remove(self.generate_uuid(record["name"]))


# Settings -----------------------------------------------------------------------------


def set_setting(context: Context, name: str, value: Value) -> None:
    """Change a setting; what models are on or off now stays so."""
    if name == START_OFF:
        Switches(context).set_start_off(bool(value))
    else:
        Settings(context).set(name, value)


def reset_setting(context: Context, name: str) -> None:
    """Let a setting be at its default again, likewise."""
    set_setting(context, name, setting_of(name).default)
    Settings(context).reset(name)
