"""How claims are stored: one row each, with the constraint that keeps them apart."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    Identity,
    Index,
    Integer,
    Interval,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    INT8RANGE,
    JSONB,
    NUMRANGE,
    TSTZRANGE,
    ExcludeConstraint,
    Range,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from libres.conflicts.values import LONGEST_NAME
from libres.db.models.base import ORMBase

GUARD: Final = "conflict_claims_guard"
"""The constraint: no two exclusive claims have the same resource at the same time."""

CAPACITY: Final = "conflict_claims_capacity"
"""What the trigger that counts places says was violated."""

IDENTITY: Final = "conflict_claims_identity"
"""The constraint: a part of a record has one claim."""

OPTIONAL: Final = {"room": "conflicts"}
"""Says that `libres.conflicts.setup` makes these tables, and not the core."""


class TextSpan(UserDefinedType[str]):
    """A range over text in the order of its bytes, of the type `setup` makes."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        return "conflict_text_span"


_KEY: Final = "context || U&'\\001F' || resource"

_NUMBER: Final = f'hashtextextended(({_KEY}) COLLATE "C", 0) >> 1'
"""Half of the numbers, as a range that ends in the largest one cannot be written."""

HASH: Final = f"int8range({_NUMBER}, {_NUMBER}, '[]')"
"""The hash of the columns, or variables, context and resource."""

_TURN: Final = f"""\
CASE WHEN exclusive THEN conflict_text_span(
    {_KEY} || CASE
        WHEN capacity IS NULL THEN U&'\\001F' ELSE U&'\\001F!' || id::text
    END,
    {_KEY} || CASE WHEN capacity IS NULL THEN U&'\\001F~' ELSE U&'\\001F!' END
        || id::text || U&'\\001F' || source || U&'\\001F' || source_id
        || U&'\\001F' || part::text,
    '[]'
) ELSE 'empty' END"""


_NAMES: Final = "context || source || source_id || resource"

_FITS: Final = f"""\
least(resource, source, source_id) <> ''
AND octet_length({_NAMES}) <= {4 * LONGEST_NAME}
AND position(U&'\\001F' IN {_NAMES}) = 0"""

# An end that is open is NULL, which a constraint lets pass.
_POSSIBLE: Final = """\
NOT isempty(during) AND NOT isempty(span)
AND (lower_inf(during) OR lower_inc(during)) AND NOT upper_inc(during)
AND lower(during) >= '0001-01-02 00:00+00'
AND upper(during) <= '9999-12-30 00:00+00'
AND least(before, after) >= '0'::interval
AND places BETWEEN 1 AND coalesce(capacity, 1)"""


class ConflictClaim(ORMBase):
    """A resource that is taken for a time, by a record of the host or of the core."""

    __tablename__ = "conflict_claims"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    context: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    source_id: Mapped[str] = mapped_column(Text)
    part: Mapped[int] = mapped_column(BigInteger, server_default="0")
    of_part: Mapped[int | None] = mapped_column(BigInteger)
    """The part that claims a resource which this one lies in; None: claimed itself."""

    named: Mapped[str | None] = mapped_column(Text)
    """That resource, if `of_part` is set."""

    resource: Mapped[str] = mapped_column(Text)
    during: Mapped[Range[datetime]] = mapped_column(
        TSTZRANGE, server_default=text("'(,)'::tstzrange")
    )
    """Half-open, buffers included."""

    before: Mapped[timedelta] = mapped_column(
        Interval, server_default=text("'0'::interval")
    )
    after: Mapped[timedelta] = mapped_column(
        Interval, server_default=text("'0'::interval")
    )
    span: Mapped[Range[Decimal]] = mapped_column(
        NUMRANGE, server_default=text("'(,)'::numrange")
    )
    span_given: Mapped[bool] = mapped_column(server_default=text("false"))
    dims: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    exclusive: Mapped[bool] = mapped_column(server_default=text("true"))
    capacity: Mapped[int | None] = mapped_column(Integer)
    places: Mapped[int] = mapped_column(Integer, server_default="1")
    tentative: Mapped[bool] = mapped_column(server_default=text("false"))
    expires: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    label: Mapped[str | None] = mapped_column(Text)
    url: Mapped[str | None] = mapped_column(Text)
    modified: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=text("now()")
    )
    hash: Mapped[Range[int]] = mapped_column(INT8RANGE, Computed(HASH, persisted=True))
    """Finds context and resource in the guard's index: as a number, since a tree is
    several times faster by numbers than by texts, and as a range that holds just this
    one point. Ranges have a GiST operator class of their own, so the guard needs no
    extension."""

    turn: Mapped[str] = mapped_column(TextSpan, Computed(_TURN, persisted=True))
    """Keeps exclusive claims apart: they reach over everything that begins with context
    and resource, so they meet each other and all that have a capacity; those have an
    own part of it, and do not meet each other; and what is not exclusive is empty and
    meets nobody. Two resources of the same hash do not meet, either.

    It holds whose claim it is, since the guard tells that of a row which the own
    snapshot does not show yet. So it is short: PostgreSQL reads this expression anew
    for every statement."""

    __table_args__ = (
        UniqueConstraint("context", "source", "source_id", "part", name=IDENTITY),
        # Who has this resource at this time? Asked by the guard and by every check.
        ExcludeConstraint(
            ("hash", "="),
            ("during", "&&"),
            ("span", "&&"),
            ("turn", "&&"),
            name=GUARD,
            using="gist",
            deferrable=True,
            initially="IMMEDIATE",
        ),
        # Which claims have these pairs?
        Index(
            "ix_conflict_claims_dims",
            "dims",
            postgresql_using="gin",
            postgresql_ops={"dims": "jsonb_path_ops"},
            postgresql_with={"fastupdate": "off"},
            postgresql_where=text("dims IS NOT NULL"),
        ),
        # Which claims have stopped to count?
        Index(
            "ix_conflict_claims_expires",
            "expires",
            postgresql_where=text("expires IS NOT NULL"),
        ),
        # Two for everything, as each is made ready anew for every statement.
        CheckConstraint(_FITS, name="conflict_claims_names_fit"),
        CheckConstraint(_POSSIBLE, name="conflict_claims_is_possible"),
        {"info": OPTIONAL},
    )


INHERITED: Final = (
    "during",
    "before",
    "after",
    "span",
    "span_given",
    "dims",
    "exclusive",
    "capacity",
    "places",
    "tentative",
    "expires",
    "label",
    "url",
)
"""What a claim has in common with its rows for what its resource consists of."""


def is_of(row: str, context: str, resource: str) -> str:
    """Write whether a row claims a resource, so that the guard's index finds it."""
    return (
        f"{row}.hash = conflict_hash({context}, {resource}) "
        f"AND {row}.context = {context} AND {row}.resource = {resource}"
    )


def derived_part(part: str, resource: str) -> str:
    """Number such a row, in SQL: below zero, always the same, and no other one's, as
    62 bits do not meet."""
    return (
        f"-1 - (hashtextextended({part} || U&'\\001F' || {resource}, 0) "
        f"& 4611686018427387903)"
    )


class ConflictCapacity(ORMBase):
    """A resource whose places are counted: a row to be locked by who counts them.

    It is written by every claim with a capacity. So of two that count at the same time
    the second waits for the first; and one with an older snapshot cannot count at all,
    but gets a serialization failure, to be tried again.
    """

    __tablename__ = "conflict_capacities"
    __table_args__ = ({"info": OPTIONAL},)

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    resource: Mapped[str] = mapped_column(Text, primary_key=True)
    counted: Mapped[int] = mapped_column(BigInteger, server_default="0")


class ConflictResource(ORMBase):
    """A resource that is a part of another one, as a room of a building."""

    __tablename__ = "conflict_resources"

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    resource: Mapped[str] = mapped_column(Text, primary_key=True)
    parent: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint("parent <> resource", name="conflict_resources_have_no_loop"),
        # What does this resource consist of?
        Index("ix_conflict_resources_parent", "context", "parent"),
        {"info": OPTIONAL},
    )


class ConflictMirror(ORMBase):
    """Says in whose claims the reservations of the core are mirrored.

    There is one row at most, as the tables of the core do not say of which context a
    resource is: a context is only a part of what its uuid was made of.
    """

    __tablename__ = "conflict_mirrors"

    number: Mapped[int] = mapped_column(primary_key=True, server_default="1")
    context: Mapped[str] = mapped_column(Text)
    pending: Mapped[bool]
    """Whether pending reservations are mirrored as well."""

    __table_args__ = (
        CheckConstraint("number = 1", name="conflict_mirrors_has_one_row"),
        {"info": OPTIONAL},
    )


class ConflictTracking(ORMBase):
    """A table of the host whose rows are claims, and how they are derived."""

    __tablename__ = "conflict_tracking"
    __table_args__ = ({"info": OPTIONAL},)

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    source: Mapped[str] = mapped_column(Text, primary_key=True)
    relation: Mapped[str] = mapped_column(Text)
    """The table, as SQL names it."""

    mode: Mapped[str] = mapped_column(Text)
    """``trigger`` or ``session``."""

    derivation: Mapped[str] = mapped_column(Text)
    """A SELECT of all claims that the table stands for; empty in session mode."""

    watched: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """The triggers, as ``table: trigger``."""

    digest: Mapped[str] = mapped_column(Text)
    """The SHA-256 of everything that was installed, in hex."""
