"""Says how the values of a field are compared: the same by Python and by PostgreSQL.

A value that both would not judge alike is not compared at all: of such a field only
``is_null`` can be asked.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import Text, Uuid, cast, func, literal, text, types

from libres.db.models import types as own
from libres.domain.days import UTC
from libres.sync.fields import Field, InvalidValue

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.types import TypeEngine

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Comparing:
    """What can be asked of the values of a field, and how they are compared."""

    equal: bool = False
    ordered: bool = False
    text: bool = False
    spoken: bool = False
    """A text may stand for its values: placeholders are texts."""

    value: Convert = lambda value: value
    """What is compared, of what Python holds. Raises InvalidValue."""

    order: Convert = lambda value: value
    """By what Python compares it."""

    column: Callable[[ColumnElement[Any]], ColumnElement[Any]] = lambda column: column
    """What PostgreSQL compares, of the column."""

    type: TypeEngine[Any] | None = None
    """Of the values that it is compared with; None: that of the column."""

    def passed(self, value: Any, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a value as a parameter of a statement."""
        return literal(value, self.type if self.type is not None else column.type)


def comparing_of(field: Field) -> Comparing:
    """Return how the values of a field are compared."""
    type_ = field.column.type
    if isinstance(type_, types.Enum):
        return Comparing(
            equal=True, spoken=True, value=field.kind.write, column=_text, type=Text()
        )
    if not _is_plain(type_) or (isinstance(type_, types.Time) and type_.timezone):
        return NEVER
    if _is_single(type_):
        return SINGLE
    if isinstance(getattr(type_, "impl", type_), types.CHAR):
        return PADDED
    return BY_KIND.get(field.kind.name, NEVER)


def null_of(field: Field) -> ColumnElement[bool]:
    """Ask PostgreSQL whether there is no value; ``null`` of JSON is none, either."""
    column: ColumnElement[Any] = field.column
    if field.kind.name != "json":
        return column.is_(None)
    document = cast(func.coalesce(func.to_jsonb(column), NOTHING), Text)
    return document == literal("null", Text())


def _is_plain(type_: TypeEngine[Any]) -> bool:
    """Tell whether the database holds what Python does: nothing converts it between."""
    if not isinstance(type_, types.TypeDecorator) or isinstance(type_, OWN):
        return True
    made = type(type_)
    return all(
        getattr(made, name) is getattr(types.TypeDecorator, name) for name in CONVERTING
    )


def _is_single(type_: TypeEngine[Any]) -> bool:
    """Tell whether numbers are kept with four bytes."""
    if isinstance(type_, types.REAL):
        return True
    is_float = isinstance(type_, types.Float) and not isinstance(type_, types.Double)
    return is_float and (getattr(type_, "precision", None) or 53) <= SINGLE_BITS


def _text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Compare by code points, whatever the collation of the column; as Python does."""
    return cast(column, Text).collate("C")


def _padded(value: str) -> str:
    return value.rstrip(" ")


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _nan_last(number: Any) -> tuple[bool, Any]:
    """Put NaN above all numbers, and make it equal to itself, as PostgreSQL does."""
    is_nan = number != number
    return is_nan, 0 if is_nan else number


def _single(value: Any) -> float:
    """Round as PostgreSQL does. Raises InvalidValue for what does not fit."""
    try:
        number: float = struct.unpack("f", struct.pack("f", float(value)))[0]
    except OverflowError:
        raise InvalidValue(NOT_SINGLE) from None
    if value and not number:
        raise InvalidValue(NOT_SINGLE)
    return number


def _moment(value: datetime) -> datetime:
    """Compare in UTC: Python finds no time equal that is ambiguous in its zone."""
    return value if value.tzinfo is None else value.astimezone(UTC)


def _uuid(value: Any) -> UUID:
    return UUID(str(value))


OWN: Final = (own.UTCDateTime, own.UUID)

CONVERTING: Final = (
    "process_bind_param",
    "process_result_value",
    "bind_expression",
    "column_expression",
)

NOTHING: Final = text("'null'::jsonb")

SINGLE_BITS: Final = 24

NOT_SINGLE: Final = "is out of the range of four bytes"

NEVER: Final = Comparing()
SINGLE: Final = Comparing(
    equal=True,
    ordered=True,
    value=_single,
    order=_nan_last,
    column=lambda column: cast(column, types.Double),
    type=types.Double(),
)
PADDED: Final = Comparing(
    *(True, True, True, True), value=_padded, column=_text, type=Text()
)
ORDERED: Final = Comparing(equal=True, ordered=True)
MOMENT: Final = Comparing(equal=True, ordered=True, value=_moment)

BY_KIND: Final = {
    "text": Comparing(*(True, True, True, True), column=_text, type=Text()),
    "integer": Comparing(equal=True, ordered=True, spoken=True),
    "float": Comparing(equal=True, ordered=True, value=float, order=_nan_last),
    "decimal": Comparing(
        equal=True, ordered=True, value=_decimal, order=_nan_last, type=types.Numeric()
    ),
    "datetime": MOMENT,
    "local datetime": MOMENT,
    "date": ORDERED,
    "time": ORDERED,
    "uuid": Comparing(equal=True, spoken=True, value=_uuid, type=Uuid()),
    "resource": Comparing(equal=True, value=_uuid, type=Uuid()),
    "boolean": Comparing(equal=True),
    "bytes as base64": Comparing(equal=True, value=bytes),
}
"""What is missing (documents, lists, durations) is not compared."""
