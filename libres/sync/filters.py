"""Decides which rows a filter shows: the same in SQL and for the values of a row.

A filter is a list of conditions, ``{"field": …, "op": …, "value": …}``, that all have
to hold; ``{"any": [conditions]}`` holds if one of them does. It is judged when it is
saved, and shows no rows at all if it cannot be understood later. Where a row has no
value, nothing but ``is_null`` is true.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, TypeAlias

from sqlalchemy import and_, false, or_

from libres.sync.comparing import Comparing, comparing_of, null_of
from libres.sync.errors import InvalidFilter
from libres.sync.fields import Field, InvalidValue

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from libres.sync.registry import Image, SyncModel
    from libres.sync.values import Member

KEY: Final = "id"
"""What the key is called, whatever its column is."""

MOST: Final = 50
"""Conditions in a filter."""

DEEPEST: Final = 3
"""How many ``any`` lie in each other."""

LONGEST: Final = 1000
"""Values of ``in``."""


@dataclass(frozen=True)
class Filter:
    """Conditions that a row has to meet, all of them."""

    conditions: object
    """As they are saved."""

    model: SyncModel | None = None
    read: tuple[Condition, ...] | None = None
    """None: they cannot be understood, and show nothing."""

    @classmethod
    def of(cls, model: SyncModel, conditions: object) -> Filter:
        """Judge conditions that are to be saved.

        Raises InvalidFilter, which names the first condition that is wrong.
        """
        return cls(conditions, model, _Reader(model).all(conditions))

    @classmethod
    def stored(cls, model: SyncModel | None, conditions: object) -> Filter:
        """Return the filter of what was saved, which may be right no more: the model,
        a field or an operator can be gone. Then it shows nothing."""
        try:
            if model is not None:
                return cls.of(model, conditions)
        except InvalidFilter:
            pass
        return cls(conditions, model)

    def bound(self, member: Member) -> BoundFilter:
        """Fill in who asks: NO_ROWS if a placeholder has no value, or one that the
        field cannot have."""
        if self.read is None or self.model is None:
            return NO_ROWS
        try:
            return BoundFilter(
                self.model, tuple(each.bound(member) for each in self.read)
            )
        except InvalidValue:
            return NO_ROWS


@dataclass(frozen=True)
class BoundFilter:
    """A filter for somebody."""

    model: SyncModel | None
    conditions: tuple[Condition, ...] | None
    """None: no row is shown."""

    def matches(self, values: Mapping[str, Any]) -> bool:
        """Tell whether a row is shown, by what Python holds of its fields; the key is
        ``id``."""
        if self.conditions is None:
            return False
        return all(each.holds(values) for each in self.conditions)

    def shows(self, image: Image) -> bool:
        """Tell whether a row is shown, by the image of it in the feed."""
        if self.conditions is None:
            return False
        used = {f.name: f.field for each in self.conditions for f in each.tests}
        return self.matches({name: f.of_image(image) for name, f in used.items()})

    def sql(self) -> ColumnElement[bool]:
        """Return the same as an expression; of rows that are not shown it is false or
        null."""
        if self.conditions is None:
            return false()
        return and_(*(each.sql() for each in self.conditions))

    @property
    def digest(self) -> str:
        """What the rows that it shows are recognised by: whoever has another one sees
        others."""
        if self.conditions is None or self.model is None:
            return "none"
        told = [self.model.name, [each.told for each in self.conditions]]
        return sha256(json.dumps(told).encode()).hexdigest()


NO_ROWS: Final = BoundFilter(None, None)


def filter_of(model: SyncModel, member: Member) -> BoundFilter | None:
    """Return which rows of a model somebody sees; None: all those of the organisation.

    NO_ROWS if what is stored cannot be understood now.
    """
    found = member.filters.get(model.name)
    if found is None:
        return None
    if found.model is not model:
        found = Filter.stored(model, found.conditions)
    return found.bound(member)


# Conditions ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Test:
    """Compares the value of a field."""

    name: str
    field: Field
    operator: Operator
    value: Any
    """What Python holds; a list of it for ``in``; placeholders, until it is bound."""

    @property
    def tests(self) -> tuple[Test, ...]:
        """Itself."""
        return (self,)

    @property
    def told(self) -> object:
        """What its meaning is recognised by."""
        return [self.name, self.operator.name, repr(self.value)]

    def bound(self, member: Member) -> Test:
        """Fill in who asks. Raises InvalidValue."""
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        found = tuple(self._bound(each, member) for each in values)
        is_list = isinstance(self.value, tuple)
        return Test(
            self.name, self.field, self.operator, found if is_list else found[0]
        )

    def _bound(self, value: Any, member: Member) -> Any:
        if not isinstance(value, Placeholder):
            return value
        return _spoken(self.field, value.of(member))

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Judge the values of a row."""
        found = values.get(self.name)
        if self.operator.takes == "truth":
            return (found is None) is self.value
        if found is None:
            return False
        comparing = self._comparing
        value = comparing.order(comparing.value(found))
        return self.operator.holds(value, self._ordered)

    @cached_property
    def _comparing(self) -> Comparing:
        return comparing_of(self.field)

    @cached_property
    def _ordered(self) -> Any:
        return self._prepared(self._comparing.order)

    def _prepared(self, convert: Callable[[Any], Any]) -> Any:
        if isinstance(self.value, tuple):
            return [convert(each) for each in self.value]
        return convert(self.value)

    def sql(self) -> ColumnElement[bool]:
        """Let PostgreSQL judge a row."""
        if self.operator.takes == "truth":
            is_null = null_of(self.field)
            return is_null if self.value else ~is_null
        column = self._comparing.column(self.field.column)
        if self.operator.takes == "text":
            return self.operator.sql(column, self.value)
        passed = partial(self._comparing.passed, column=self.field.column)
        return self.operator.sql(column, self._prepared(passed))


@dataclass(frozen=True)
class AnyOf:
    """Holds if one of its conditions does."""

    conditions: tuple[Condition, ...]

    @property
    def tests(self) -> tuple[Test, ...]:
        """All that are compared."""
        return tuple(test for each in self.conditions for test in each.tests)

    @property
    def told(self) -> object:
        """What its meaning is recognised by."""
        return {"any": [each.told for each in self.conditions]}

    def bound(self, member: Member) -> AnyOf:
        """Fill in who asks. Raises InvalidValue."""
        return AnyOf(tuple(each.bound(member) for each in self.conditions))

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Judge the values of a row."""
        return any(each.holds(values) for each in self.conditions)

    def sql(self) -> ColumnElement[bool]:
        """Let PostgreSQL judge a row."""
        return or_(*(each.sql() for each in self.conditions))


Condition: TypeAlias = Test | AnyOf


@dataclass(frozen=True)
class Placeholder:
    """Stands for something of who asks; a whole value, and never a part of one."""

    name: str

    def of(self, member: Member) -> str:
        """Return what it stands for. Raises InvalidValue if there is no such thing."""
        found = PLACEHOLDERS[self.name](member)
        if not found:
            message = f"{{{{{self.name}}}}} has no value"
            raise InvalidValue(message)
        return str(found)


PLACEHOLDERS: Final[dict[str, Callable[[Member], object]]] = {
    "user.id": lambda member: member.user.id,
    "user.username": lambda member: member.user.username,
    "user.email": lambda member: member.user.email,
    "organization.id": lambda member: member.organization.id,
    "organization.slug": lambda member: member.organization.slug,
    "organization.reference": lambda member: member.organization.reference,
    "role.code": lambda member: member.role.code,
    "device.id": lambda member: member.device.id if member.device else None,
}

IDS: Final = frozenset({"user.id", "organization.reference"})
"""Those of the host: numbers or UUIDs, maybe."""

UUIDS: Final = frozenset({"organization.id", "device.id"})

PLACE: Final = re.compile(r"\{\{\s*([a-z.]+)\s*\}\}")

DIGITS: Final = re.compile(r"-?[0-9]{1,20}")


def _spoken(field: Field, text: str) -> Any:
    """Return the value of a field that a text stands for. Raises InvalidValue."""
    if field.kind.name == "integer":
        if not DIGITS.fullmatch(text):
            message = "must be a whole number"
            raise InvalidValue(message)
        return comparing_of(field).value(field.read(int(text)))
    return comparing_of(field).value(field.read(text))


# Operators ----------------------------------------------------------------------------


class Operator(NamedTuple):
    """What can be asked of a field."""

    name: str
    takes: str
    """``one`` value, ``many`` in a list, a part of a ``text``, a ``truth``."""

    needs: str
    """What the values of the field must be."""

    holds: Callable[[Any, Any], bool]
    sql: Callable[[Any, Any], ColumnElement[bool]]


def _is_in(value: Any, values: list[Any]) -> bool:
    return value in values


def _sql_in(column: Any, values: list[Any]) -> Any:
    return column.in_(values)


def _sql_not_in(column: Any, values: list[Any]) -> Any:
    return column.not_in(values)


def _sql_starts_with(column: Any, value: str) -> Any:
    return column.startswith(value, autoescape=True)


def _sql_contains(column: Any, value: str) -> Any:
    return column.contains(value, autoescape=True)


def _never(*_: Any) -> Any:
    return false()


OPERATORS: Final = {
    each.name: each
    for each in (
        *(
            Operator(name, "one", "equal", compare, compare)
            for name, compare in (("eq", operator.eq), ("ne", operator.ne))
        ),
        *(
            Operator(
                name, "one", "ordered", getattr(operator, name), getattr(operator, name)
            )
            for name in ("lt", "le", "gt", "ge")
        ),
        Operator("in", "many", "equal", _is_in, _sql_in),
        Operator("not_in", "many", "equal", lambda a, b: a not in b, _sql_not_in),
        Operator("is_null", "truth", "", _never, _never),
        Operator("starts_with", "text", "text", str.startswith, _sql_starts_with),
        Operator("contains", "text", "text", operator.contains, _sql_contains),
    )
}


# Judging ------------------------------------------------------------------------------


@dataclass
class _Reader:
    """Reads the conditions of a filter, and says what is wrong with them."""

    model: SyncModel
    count: int = 0

    def all(self, conditions: object) -> tuple[Condition, ...]:
        if not isinstance(conditions, (list, tuple)) or not conditions:
            message = (
                f"A filter is a list of conditions, at least one: {EXAMPLE}. To show "
                f"all rows, remove the filter."
            )
            raise InvalidFilter(message)
        return tuple(
            self._condition(each, f"Condition {number}", 0)
            for number, each in enumerate(conditions, 1)
        )

    def _condition(self, given: object, place: str, depth: int) -> Condition:
        self.count += 1
        if self.count > MOST:
            message = f"A filter has at most {MOST} conditions: take fewer."
            raise InvalidFilter(message)
        if isinstance(given, Mapping) and set(given) == {"any"}:
            return self._any(given["any"], place, depth + 1)
        if not isinstance(given, Mapping) or set(given) != {"field", "op", "value"}:
            _refuse(place, f"must be of the form {EXAMPLE}, or {{'any': [conditions]}}")
        return self._test(given, place)

    def _any(self, given: object, place: str, depth: int) -> AnyOf:
        if depth > DEEPEST:
            _refuse(place, f"'any' may lie in itself {DEEPEST} deep: flatten it")
        if not isinstance(given, (list, tuple)) or not given:
            _refuse(place, "'any' needs a list of conditions, at least one")
        return AnyOf(
            tuple(
                self._condition(each, f"{place}.{number}", depth)
                for number, each in enumerate(given, 1)
            )
        )

    def _test(self, given: Mapping[str, Any], place: str) -> Test:
        name, op, value = given["field"], given["op"], given["value"]
        field = self._field(name, place)
        found = OPERATORS.get(op) if isinstance(op, str) else None
        if found is None:
            _refuse(
                place, f"there is no operator {op!r}: use one of {_list(OPERATORS)}"
            )
        comparing = comparing_of(field)
        if found.needs and not getattr(comparing, found.needs):
            able = [o.name for o in OPERATORS.values() if _can(comparing, o)]
            reason = (
                f"{name} ({field.kind.name}) cannot be asked {op}: use {_list(able)}"
            )
            _refuse(place, reason)
        return Test(name, field, found, _value(field, found, value, f"{place}, {name}"))

    def _field(self, name: object, place: str) -> Field:
        known = fields_of(self.model)
        found = known.get(name) if isinstance(name, str) else None
        if found is None:
            reason = (
                f"{self.model.name} has no field {name!r}: use one of {_list(known)}"
            )
            _refuse(place, reason)
        return found


def fields_of(model: SyncModel) -> dict[str, Field]:
    """Return what can be asked about, by name: what is noted in the feed."""
    known = {KEY: model.key[0]} if len(model.key) == 1 else {}
    known.update(model.fields)
    hidden = model.secret
    return {
        name: each for name, each in known.items() if each.column.name not in hidden
    }


def operators_of(field: Field) -> list[str]:
    """Name what can be asked of a field."""
    comparing = comparing_of(field)
    return [each.name for each in OPERATORS.values() if _can(comparing, each)]


def _can(comparing: Comparing, asked: Operator) -> bool:
    return not asked.needs or bool(getattr(comparing, asked.needs))


def _value(field: Field, asked: Operator, value: object, place: str) -> Any:
    if asked.takes == "truth":
        if not isinstance(value, bool):
            _refuse(place, "is_null takes true or false")
        return value
    if asked.takes != "many":
        return _single(field, value, place, is_part=asked.takes == "text")
    if not isinstance(value, (list, tuple)) or not 0 < len(value) <= LONGEST:
        _refuse(place, f"{asked.name} takes a list of 1 to {LONGEST} values")
    if len({_sort(each) for each in value}) > 1:
        _refuse(place, "the values are of several types: use one")
    return tuple(_single(field, each, place) for each in value)


def _sort(value: object) -> type:
    """Tell numbers, texts, and truths apart."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float if is_number else type(value)


def _single(field: Field, value: object, place: str, *, is_part: bool = False) -> Any:
    if value is None:
        _refuse(place, "a value is missing: to ask for null, use is_null")
    if isinstance(value, str) and ("{{" in value or "}}" in value):
        return _placeholder(field, value, place)
    if is_part and not value:
        _refuse(place, "every text has an empty one in it: give at least one letter")
    try:
        read = field.read(value)
        if field.kind.name == "time" and read.tzinfo is not None:
            _refuse(place, "the value has a timezone, and the field has none")
        return read if is_part else comparing_of(field).value(read)
    except InvalidValue as error:
        _refuse(place, f"the value {error}")


def _placeholder(field: Field, value: str, place: str) -> Placeholder:
    found = PLACE.fullmatch(value)
    if found is None or found[1] not in PLACEHOLDERS:
        known = _list(f"{{{{{each}}}}}" for each in PLACEHOLDERS)
        _refuse(
            place, f"{value!r} is no placeholder: take one as the whole value; {known}"
        )
    kind, name = field.kind.name, found[1]
    is_text = kind not in ("integer", "uuid")
    can_be = is_text or name in IDS or (kind == "uuid" and name in UUIDS)
    if not (comparing_of(field).spoken and can_be):
        _refuse(
            place, f"{value} cannot be a value of this field ({kind}): take another"
        )
    return Placeholder(name)


def _list(names: Any) -> str:
    return ", ".join(names)


def _refuse(place: str, reason: str) -> NoReturn:
    message = f"{place}: {reason}."
    raise InvalidFilter(message)


EXAMPLE: Final = "{'field': 'department', 'op': 'eq', 'value': 'Sales'}"
