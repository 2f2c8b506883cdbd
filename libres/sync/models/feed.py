"""What has changed: first pending, as triggers write it, then numbered, for good."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Identity,
    Index,
    LargeBinary,
    Text,
    Uuid,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from libres.db.models.base import ORMBase
from libres.sync.models.columns import DOCUMENT, MOMENT, NOW, OPTIONAL

LATE: Final = text("least(numbered - at, interval '1 hour') = interval '1 hour'")
"""A change was numbered an hour after its transaction had begun, or later.

Written as an equality, which PostgreSQL takes for rare; it keeps no statistics of it.
"""


class SyncFeed(ORMBase):
    """How far a feed has got."""

    __tablename__ = "sync_feeds"

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The number of the last change."""

    numbered: Mapped[datetime] = mapped_column(MOMENT, server_default=NOW)
    """When that was; never goes back."""

    kept: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Changes up to this number are not told to devices any more."""

    digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Of the chain, after the last change; None: there is none yet."""

    audited: Mapped[bool] = mapped_column(server_default="false")
    """The audit keeps changes that devices are not told any more."""

    dropped: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Changes up to this number are not there any more."""

    dropped_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Of the chain, after the last one of them: what is left follows upon it."""

    anchored: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The number of the last change under which a signature was put."""

    anchored_at: Mapped[datetime] = mapped_column(MOMENT, server_default=NOW)

    __table_args__ = ({"info": OPTIONAL},)


class SyncPending(ORMBase):
    """A row has changed; whether its transaction is committed is not known here."""

    __tablename__ = "sync_pending"

    seq: Mapped[int] = mapped_column(
        BigInteger, Identity(always=True, cache=1), primary_key=True
    )
    """Drawn when the row is written: for one and the same row, in the order of its
    changes, since the transactions that change it wait for each other."""

    context: Mapped[str] = mapped_column(Text)
    xid: Mapped[int] = mapped_column(BigInteger)
    """The number of the transaction."""

    relation: Mapped[str] = mapped_column(Text)
    """The table of the row."""

    key: Mapped[str] = mapped_column(Text)
    operation: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(DOCUMENT)
    after: Mapped[dict[str, Any] | None] = mapped_column(DOCUMENT)
    tenant: Mapped[str | None] = mapped_column(Text)
    """The reference of the organisation; None: the table belongs to all of them."""

    tenant_before: Mapped[str | None] = mapped_column(Text)
    """The one it was taken from; None: it has the same as before."""

    actor: Mapped[str] = mapped_column(Text)
    request: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(MOMENT, server_default=NOW)
    """When its transaction began."""

    __table_args__ = (
        # Is anything pending?
        Index("ix_sync_pending_context", "context", "seq"),
        # What is the version of this row, or what did this transaction make of it?
        Index("ix_sync_pending_key", "context", "relation", "key"),
        {"info": OPTIONAL},
    )


class SyncChange(ORMBase):
    """A change of a row, with its number: 1, 2, 3, … per context. Append-only."""

    __tablename__ = "sync_changes"

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    """The version of the row from this change on."""

    xid: Mapped[int] = mapped_column(BigInteger)
    tx_end: Mapped[bool]
    """It is the last change of its transaction."""

    relation: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    operation: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(DOCUMENT)
    after: Mapped[dict[str, Any] | None] = mapped_column(DOCUMENT)
    tenant: Mapped[str | None] = mapped_column(Text)
    tenant_before: Mapped[str | None] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    request: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(MOMENT)
    numbered: Mapped[datetime] = mapped_column(MOMENT, primary_key=True)
    """When it was numbered, which is after the commit; never goes back."""

    salts: Mapped[list[Any] | None] = mapped_column(ARRAY(Uuid()))
    """One per field of both images, in the order of jsonb; NULL: it was erased."""

    commitments: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The SHA-256 of each field with its salt, one after the other."""

    digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Of the chain, up to here."""

    __table_args__ = (
        CheckConstraint("position > 0", name="sync_changes_position"),
        # What has changed for this organisation since?
        Index("ix_sync_changes_tenant", "context", "tenant", "position"),
        # What was taken from this organisation since?
        Index(
            "ix_sync_changes_tenant_before",
            *("context", "tenant_before", "position"),
            postgresql_where=text("tenant_before IS NOT NULL"),
        ),
        # What has become of this row?
        Index("ix_sync_changes_key", "context", "relation", "key", "position"),
        # What was last changed of this table, for people who read the audit?
        Index("ix_sync_changes_relation", "context", "relation", "position"),
        # What has this user changed last?
        Index("ix_sync_changes_actor", "context", "actor", "position"),
        # Which were numbered so late that their numbers do not tell when they were
        # made? Usually none, so that it costs nothing.
        Index("ix_sync_changes_late", "context", "position", postgresql_where=LATE),
        {"info": OPTIONAL, "postgresql_partition_by": "RANGE (numbered)"},
    )


class SyncVersion(ORMBase):
    """The version of a row that has ever changed: that of its last numbered change."""

    __tablename__ = "sync_versions"

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    relation: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    gone: Mapped[bool]
    """It was deleted."""

    __table_args__ = ({"info": OPTIONAL},)
