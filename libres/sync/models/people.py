"""Who may synchronise what: organisations, users, roles, rights, filters, resources."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from libres.db.models.base import ORMBase
from libres.sync.models.columns import DOCUMENT, MOMENT, NEW_ID, NOW, OPTIONAL

ORGANIZATION_SLUG: Final = "sync_organizations_slug"
ORGANIZATION_REFERENCE: Final = "sync_organizations_reference"
USER_NAME: Final = "sync_users_username"
ROLE_CODE: Final = "sync_roles_code"
MEMBERSHIP: Final = "sync_memberships_once"
PERMISSION: Final = "sync_permissions_once"
FILTER: Final = "sync_filters_once"
RESOURCE: Final = "sync_resources_once"


class SyncOrganization(ORMBase):
    """A tenant: it shares the server with others, and sees nothing of them."""

    __tablename__ = "sync_organizations"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    context: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    slug: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    """What the tenant columns of models hold for it, as text; the id, unless the host
    has organisations of its own."""

    active: Mapped[bool] = mapped_column(server_default="true")
    created: Mapped[datetime] = mapped_column(MOMENT, server_default=NOW)

    __table_args__ = (
        UniqueConstraint("context", "slug", name=ORGANIZATION_SLUG),
        UniqueConstraint("context", "reference", name=ORGANIZATION_REFERENCE),
        {"info": OPTIONAL},
    )


class SyncUser(ORMBase):
    """Somebody who signs in, where the host has no users of its own."""

    __tablename__ = "sync_users"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    context: Mapped[str] = mapped_column(Text)
    username: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text, server_default="")
    password: Mapped[str | None] = mapped_column(Text)
    """Hashed by scrypt, with salt and parameters; None: cannot sign in by password."""

    active: Mapped[bool] = mapped_column(server_default="true")
    staff: Mapped[bool] = mapped_column(server_default="false")
    """Of the platform: may configure all organisations."""

    version: Mapped[int] = mapped_column(Integer, server_default="1")
    """Of the tokens: those of a lower one have ended."""

    created: Mapped[datetime] = mapped_column(MOMENT, server_default=NOW)

    __table_args__ = (
        # Who signs in under this name, however it is written?
        Index(USER_NAME, "context", func.lower(text("username")), unique=True),
        {"info": OPTIONAL},
    )


class SyncRole(ORMBase):
    """What members of organisations may do is said per role."""

    __tablename__ = "sync_roles"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    context: Mapped[str] = mapped_column(Text)
    organization: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("sync_organizations.id", ondelete="CASCADE")
    )
    """Whose role it is; None: all organisations have it."""

    code: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    pages: Mapped[str | None] = mapped_column(Text)
    """What the role may do on the pages of its organisation: ``admin`` configures it,
    ``audit`` sees everything; None: nothing."""

    __table_args__ = (
        CheckConstraint("pages IN ('admin', 'audit')", name="sync_roles_pages"),
        UniqueConstraint(
            "context",
            "organization",
            "code",
            name=ROLE_CODE,
            postgresql_nulls_not_distinct=True,
        ),
        {"info": OPTIONAL},
    )


class SyncMembership(ORMBase):
    """A user belongs to an organisation, in one role."""

    __tablename__ = "sync_memberships"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    context: Mapped[str] = mapped_column(Text)
    user: Mapped[str] = mapped_column(Text)
    """The id of the user, in the words of whatever knows the users."""

    organization: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("sync_organizations.id", ondelete="CASCADE")
    )
    role: Mapped[uuid.UUID] = mapped_column(ForeignKey("sync_roles.id"))
    active: Mapped[bool] = mapped_column(server_default="true")
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    """Of the tokens of this membership: those of a lower one have ended."""

    __table_args__ = (
        UniqueConstraint("context", "user", "organization", name=MEMBERSHIP),
        # Who belongs to this organisation?
        Index("ix_sync_memberships_organization", "organization"),
        {"info": OPTIONAL},
    )


class SyncPermission(ORMBase):
    """What a role may do with a model in an organisation."""

    __tablename__ = "sync_permissions"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    context: Mapped[str] = mapped_column(Text)
    organization: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("sync_organizations.id", ondelete="CASCADE")
    )
    role: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("sync_roles.id", ondelete="CASCADE")
    )
    model: Mapped[str] = mapped_column(Text)
    can_push: Mapped[bool] = mapped_column(server_default="false")
    can_pull: Mapped[bool] = mapped_column(server_default="false")
    can_create: Mapped[bool] = mapped_column(server_default="false")
    can_read: Mapped[bool] = mapped_column(server_default="false")
    can_update: Mapped[bool] = mapped_column(server_default="false")
    can_delete: Mapped[bool] = mapped_column(server_default="false")
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    """Grows with each change, so that two who change it at once notice."""

    __table_args__ = (
        UniqueConstraint("organization", "role", "model", name=PERMISSION),
        {"info": OPTIONAL},
    )


class SyncSwitch(ORMBase):
    """A model was switched on or off, for all organisations."""

    __tablename__ = "sync_switches"

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    model: Mapped[str] = mapped_column(Text, primary_key=True)
    on: Mapped[bool]
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    """Grows with each change, so that two who change it at once notice."""

    __table_args__ = ({"info": OPTIONAL},)


class SyncFilter(ORMBase):
    """Which rows of a model a role sees in an organisation; without one, all."""

    __tablename__ = "sync_filters"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    context: Mapped[str] = mapped_column(Text)
    organization: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("sync_organizations.id", ondelete="CASCADE")
    )
    role: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("sync_roles.id", ondelete="CASCADE")
    )
    model: Mapped[str] = mapped_column(Text)
    conditions: Mapped[list[Any]] = mapped_column(DOCUMENT)
    """``[{"field": …, "op": …, "value": …}]``; all of them have to hold."""

    __table_args__ = (
        UniqueConstraint("organization", "role", "model", name=FILTER),
        {"info": OPTIONAL},
    )


class SyncResource(ORMBase):
    """A resource of the core belongs to an organisation: its allocations and
    reservations are seen by nobody else."""

    __tablename__ = "sync_resources"

    resource: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    context: Mapped[str] = mapped_column(Text)
    organization: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("sync_organizations.id", ondelete="CASCADE")
    )
    name: Mapped[str] = mapped_column(Text)
    """That of its scheduler."""

    timezone: Mapped[str] = mapped_column(Text)
    blocking_names: Mapped[list[str]] = mapped_column(DOCUMENT, server_default="[]")

    __table_args__ = (
        UniqueConstraint("context", "name", name=RESOURCE),
        CheckConstraint("name <> ''", name="sync_resources_have_names"),
        {"info": OPTIONAL},
    )
