"""Reads and writes the values of fields: as JSON sends them, Python holds them, and
PostgreSQL writes them into the images of rows."""

from __future__ import annotations

import base64
import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, TypeGuard
from uuid import UUID

from sqlalchemy import ARRAY, Column, types
from sqlalchemy.dialects import postgresql

from libres.db.models.types import UTCDateTime
from libres.domain.days import UTC
from libres.sync.errors import NotRegistrable

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]

Convert = Callable[[Any], Any]


class InvalidValue(Exception):
    """A value that a field cannot have; the message says why, without the value."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How the values of a type are read and written."""

    name: str
    """In the description that clients get."""

    read: Convert
    """JSON → Python. Raises InvalidValue."""

    write: Convert
    """Python → JSON."""

    load: Convert
    """The image of a row → Python."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a model, as clients know it."""

    name: str
    """On the wire: that of the attribute of the model."""

    column: Column[Any]
    kind: Kind
    writable: bool = True

    def read(self, value: object) -> Any:
        """Return what Python holds for a value of JSON. Raises InvalidValue."""
        if value is None:
            if self.column.nullable:
                return None
            message = "must not be null"
            raise InvalidValue(message)
        return self.kind.read(value)

    def write(self, value: Any) -> Any:
        """Return what is sent of a value that Python holds."""
        return None if value is None else self.kind.write(value)

    def of_image(self, image: Any) -> Any:
        """Return what Python holds of the value in the image of a row."""
        value = image.get(self.column.name)
        loaded = None if value is None else self.kind.load(value)
        kind = self.column.type
        if _is_decorated(kind) and not isinstance(kind, UTCDateTime):
            return kind.process_result_value(loaded, DIALECT)
        return loaded


def _is_decorated(type_: Any) -> TypeGuard[types.TypeDecorator[Any]]:
    """Tell whether a type makes something else of what the database has. Interval is a
    decorator, too, but only for databases that have no intervals."""
    is_interval = isinstance(type_, types.Interval)
    return isinstance(type_, types.TypeDecorator) and not is_interval


def kind_of(type_: TypeEngine[Any]) -> Kind:
    """Return how values of a column type are read and written.

    Raises NotRegistrable for a type that JSON has nothing for.
    """
    if isinstance(type_, UTCDateTime):
        return MOMENT_IN_UTC
    plain: Any = type_.impl if _is_decorated(type_) else type_
    for known, make in _KINDS:
        if isinstance(plain, known):
            return make(plain)
    message = (
        f"Values of {type_!r} cannot be sent: leave the column out by 'fields', or "
        f"write a handler."
    )
    raise NotRegistrable(message)


# Kinds --------------------------------------------------------------------------------


OUT_OF_RANGE: Final = "is out of range"


def _same(value: Any) -> Any:
    return value


def _refuse(reason: str) -> Any:
    raise InvalidValue(reason)


def _a(expected: type | tuple[type, ...], name: str) -> Convert:
    def read(value: object) -> Any:
        is_wrong_bool = isinstance(value, bool) and expected is not bool
        if is_wrong_bool or not isinstance(value, expected):
            _refuse(f"must be {name}")
        return value

    return read


def _text(type_: Any) -> Kind:
    longest = getattr(type_, "length", None)

    def read(value: object) -> str:
        text: str = _a(str, "a text")(value)
        if longest is not None and len(text) > longest:
            _refuse(f"must not be longer than {longest} characters")
        if "\0" in text:
            _refuse("must not contain the character NUL")
        if any("\ud800" <= each <= "\udfff" for each in text):
            _refuse("must not contain half a character")
        return text

    return Kind("text", read, str, _same)


WHOLE_BITS: Final = ((types.SmallInteger, 16), (types.BigInteger, 64))


def _whole(type_: Any) -> Kind:
    bits = next((n for kind, n in WHOLE_BITS if isinstance(type_, kind)), 32)
    bound = 2 ** (bits - 1)

    def read(value: object) -> int:
        number: int = _a(int, "a whole number")(value)
        if not -bound <= number < bound:
            _refuse(f"must be between {-bound} and {bound - 1}")
        return number

    return Kind("integer", read, _same, _same)


def _float(_type: Any) -> Kind:
    def read(value: object) -> float:
        try:
            number = float(_a((int, float), "a number")(value))
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            _refuse("must be a finite number")
        return number

    def write(value: float) -> float | None:
        return float(value) if math.isfinite(value) else None

    return Kind("float", read, write, float)


def _decimal(type_: Any) -> Kind:
    precision, scale = type_.precision, type_.scale or 0

    def read(value: object) -> Decimal:
        try:
            number = Decimal(str(_a((int, float, str), "a number")(value)))
        except InvalidOperation:
            _refuse("must be a number")
        if not number.is_finite() or abs(number.adjusted()) > 1000:
            _refuse("must be a finite number, not a huge one")
        if precision is None:
            return number
        if round(number, scale) != number:
            _refuse(f"must not have more than {scale} decimals")
        if abs(number) >= Decimal(10) ** (precision - scale):
            _refuse(f"must not have more than {precision - scale} digits")
        return number

    return Kind("decimal", read, str, lambda value: Decimal(str(value)))


def _iso(read_iso: Convert, name: str) -> Convert:
    def read(value: object) -> Any:
        try:
            return read_iso(_a(str, name)(value))
        except ValueError:
            return _refuse(f"must be {name}")

    return read


def _read_moment(value: object) -> datetime:
    read = _iso(datetime.fromisoformat, "a time as ISO 8601")
    moment: datetime = read(value)
    if moment.tzinfo is None:
        _refuse("needs a timezone, such as +00:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidValue(OUT_OF_RANGE) from None


def _write_moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()


MOMENT: Final = Kind(
    "datetime",
    _read_moment,
    _write_moment,
    lambda value: datetime.fromisoformat(value).astimezone(UTC),
)
MOMENT_IN_UTC: Final = Kind(
    "datetime",
    _read_moment,
    _write_moment,
    lambda value: datetime.fromisoformat(value).replace(tzinfo=UTC),
)


def _read_local(value: object) -> datetime:
    read = _iso(datetime.fromisoformat, "a local time as ISO 8601")
    moment: datetime = read(value)
    if moment.tzinfo is not None:
        _refuse("is a local time, and must not have a timezone")
    return moment


LOCAL: Final = Kind(
    "local datetime", _read_local, datetime.isoformat, datetime.fromisoformat
)


def _datetime(type_: Any) -> Kind:
    return MOMENT if type_.timezone else LOCAL


def _day(_type: Any) -> Kind:
    read = _iso(date.fromisoformat, "a date as ISO 8601")
    return Kind("date", read, date.isoformat, date.fromisoformat)


def _time(_type: Any) -> Kind:
    read = _iso(time.fromisoformat, "a time of day as ISO 8601")
    return Kind("time", read, time.isoformat, time.fromisoformat)


def _uuid(_type: Any) -> Kind:
    read = _iso(UUID, "a UUID")
    return Kind("uuid", read, str, UUID)


def _bool(_type: Any) -> Kind:
    return Kind("boolean", _a(bool, "true or false"), _same, _same)


def _bytes(_type: Any) -> Kind:
    def read_base64(value: str) -> bytes:
        return base64.b64decode(value, validate=True)

    return Kind(
        "bytes as base64",
        _iso(read_base64, "bytes as base64"),
        lambda value: base64.b64encode(bytes(value)).decode(),
        lambda value: bytes.fromhex(value.removeprefix("\\x")),
    )


def _enum(type_: Any) -> Kind:
    labels = list(type_.enums)
    if type_.enum_class is None:
        known = {each: each for each in labels}
    else:
        known = dict(zip(labels, _members(type_.enum_class, labels), strict=True))
    told = {member: label for label, member in known.items()}

    def read(value: object) -> Any:
        if not isinstance(value, str) or value not in known:
            _refuse(f"must be one of {', '.join(labels)}")
        return known[str(value)]

    return Kind("one of " + ", ".join(labels), read, told.__getitem__, known.get)


def _members(enum_class: type[enum.Enum], labels: list[str]) -> list[enum.Enum]:
    """Return the members in the order of their labels; aliases have labels, too."""
    alone = list(enum_class)
    return alone if len(alone) == len(labels) else [*enum_class.__members__.values()]


def _json(_type: Any) -> Kind:
    return Kind("json", _read_document, _same, _same)


def _read_document(value: object) -> object:
    """Check what JSON knows and jsonb refuses."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            TEXT.read(each)
        elif isinstance(each, dict):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            waiting += each
    return value


def _array(type_: Any) -> Kind:
    item = kind_of(type_.item_type)
    if (type_.dimensions or 1) != 1:
        message = "Arrays of several dimensions cannot be sent: leave the column out."
        raise NotRegistrable(message)

    def each(convert: Convert) -> Convert:
        return lambda values: [None if v is None else convert(v) for v in values]

    def read(value: object) -> list[Any]:
        found: list[Any] = each(item.read)(_a(list, "a list")(value))
        return found

    return Kind(f"list of {item.name}", read, each(item.write), each(item.load))


def _interval(_type: Any) -> Kind:
    def read(value: object) -> timedelta:
        number = _float(None).read(value)
        try:
            return timedelta(seconds=number)
        except OverflowError:
            raise InvalidValue(OUT_OF_RANGE) from None

    return Kind("seconds", read, timedelta.total_seconds, _load_interval)


def _load_interval(value: str) -> timedelta:
    """Read an interval of days and a time, as PostgreSQL writes it."""
    days, clock = 0, ""
    words = value.split()
    while len(words) > 1:
        number, unit, *words = words
        days += int(number) * {"y": 365, "m": 30, "d": 1}[unit[0]]
    clock = words[0] if words else "0:0:0"
    hours, minutes, seconds = clock.lstrip("+-").split(":")
    sign = -1 if clock.startswith("-") else 1
    part = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    return timedelta(days=days) + sign * part


_KINDS: Final[tuple[tuple[Any, Callable[[Any], Kind]], ...]] = (
    (types.Enum, _enum),
    (types.Uuid, _uuid),
    (postgresql.UUID, _uuid),
    (types.Boolean, _bool),
    (types.Integer, _whole),
    (types.Float, _float),
    (types.Numeric, _decimal),
    (types.DateTime, _datetime),
    (types.Date, _day),
    (types.Time, _time),
    (types.Interval, _interval),
    (postgresql.INTERVAL, _interval),
    (types.LargeBinary, _bytes),
    (types.JSON, _json),
    (ARRAY, _array),
    (types.String, _text),
)
"""The first that fits counts; Float is a Numeric, and Enum a String, for SQLAlchemy."""

TEXT: Final = _text(types.Text())
