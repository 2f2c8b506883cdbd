"""Reads what should become of rights: from JSON, and from the forms of the matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from libres.sync.matrix import Matrix, Wanted
from libres.sync.permissions import PREFIX, TEMPLATES
from libres.sync.values import Flags, Role
from libres.web.errors import InvalidRequest

LARGEST: Final = 2**31 - 1
"""A version that the database can count to."""

ONE: Final = frozenset({"role", "model", "flag", "value", "version"})
MANY: Final = frozenset({"role", "model", "flag", "value", "template", "versions"})


@dataclass(frozen=True, slots=True)
class Wish:
    """One flag of one right should be on, or off."""

    role: Role
    model: str
    flag: str
    value: bool
    version: int


class Reader:
    """Reads what is wanted of the rights of a matrix. Raises InvalidRequest for the
    first thing that is wrong."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        codes = {each.code: each for each in reversed(matrix.roles)}
        self._roles = codes | {str(each.id): each for each in matrix.roles}
        self._models = frozenset(matrix.models)

    def one(self, body: object) -> Wish:
        """Read ``{role, model, flag, value, version}``; a role goes by id or code."""
        told = _object(body, "body")
        _insist_on_names(told, ONE)
        return Wish(
            role=self.role(told.get("role")),
            model=self.model(told.get("model")),
            flag=flag_of(told.get("flag")),
            value=_boolean(told.get("value"), "value"),
            version=_version(told.get("version"), "version"),
        )

    def many(self, body: object) -> list[Wanted]:
        """Read ``{role, model, flag, value, versions}``: what is left out means all of
        them. With ``template`` in place of ``flag`` and ``value`` it says all six.

        ``versions`` is ``{role: {model: version}}``; what is not in it is version 0.
        """
        told = _object(body, "body")
        _insist_on_names(told, MANY)
        flags = self._flags(told)
        versions = self._versions(told.get("versions", {}))
        return [
            Wanted(role, model, flags, versions.get((role.id, model), 0))
            for role in self._chosen(told)
            for model in self._named(told)
        ]

    def role(self, value: object) -> Role:
        """Return the role of an id or a code."""
        found = self._roles.get(value) if isinstance(value, str) else None
        if found is None:
            _refuse("role", "There is no such role here.")
        return found

    def model(self, value: object) -> str:
        """Return the name of a model, case included."""
        if isinstance(value, str) and value in self._models:
            return value
        return _refuse("model", "There is no such model here.")

    def _chosen(self, told: Mapping[Any, Any]) -> tuple[Role, ...]:
        return (self.role(told["role"]),) if "role" in told else self._matrix.roles

    def _named(self, told: Mapping[Any, Any]) -> tuple[str, ...]:
        return (self.model(told["model"]),) if "model" in told else self._matrix.models

    def _flags(self, told: Mapping[Any, Any]) -> dict[str, bool]:
        if "template" in told:
            if told.keys() & {"flag", "value"}:
                _refuse("template", "It says all: leave out 'flag' and 'value'.")
            return template_of(told["template"])._asdict()
        value = _boolean(told.get("value"), "value")
        names = (flag_of(told["flag"]),) if "flag" in told else Flags._fields
        return dict.fromkeys(names, value)

    def _versions(self, value: object) -> dict[Any, int]:
        found: dict[Any, int] = {}
        for told, models in _object(value, "versions").items():
            role = self.role(told)
            for model, version in _object(models, "versions").items():
                found[role.id, self.model(model)] = _version(version, "versions")
        return found


def flag_of(value: object) -> str:
    """Return the name of one of the six flags."""
    plain = value.removeprefix(PREFIX) if isinstance(value, str) else ""
    if plain in Flags._fields:
        return plain
    return _refuse("flag", f"It is none of the six: {', '.join(Flags._fields)}.")


def template_of(value: object) -> Flags:
    """Return what a template allows."""
    if isinstance(value, str) and value in TEMPLATES:
        return TEMPLATES[value]
    return _refuse("template", f"It is none of {', '.join(TEMPLATES)}.")


# Forms --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A right, as the form of a role has it."""

    model: str
    version: int
    was: Flags
    """As it was shown."""

    ticked: Flags
    """As it is ticked."""


class Form:
    """The form of a role: a line for each model, ``right`` with what was shown."""

    def __init__(self, reader: Reader, form: Any) -> None:
        self._form = form
        self._reader = reader
        self.role = reader.role(form.get("role"))
        self._lines = list(self._read())

    def saved(self) -> list[Wanted]:
        """Return what was ticked otherwise than it was shown."""
        return [
            self._wanted(each, each.ticked._asdict())
            for each in self._lines
            if each.ticked != each.was
        ]

    def pressed(self, button: str) -> list[Wanted]:
        """Return what a button for several boxes says: ``model:3:on`` for all flags of
        the fourth line, ``flag:push:off`` for a flag of all lines, ``template``."""
        if button == "template":
            flags = template_of(self._form.get("template"))._asdict()
            return [self._wanted(each, flags) for each in self._lines]
        kind, _, rest = button.partition(":")
        what, _, state = rest.partition(":")
        value = {"on": True, "off": False}.get(state)
        if value is None or kind not in {"model", "flag"}:
            _refuse("button", "There is no such button.")
        if kind == "flag":
            flags = {flag_of(what): bool(value)}
            return [self._wanted(each, flags) for each in self._lines]
        flags = dict.fromkeys(Flags._fields, bool(value))
        return [self._wanted(self._line(what), flags)]

    def _wanted(self, line: Line, flags: Mapping[str, bool]) -> Wanted:
        return Wanted(self.role, line.model, flags, line.version)

    def _line(self, number: str) -> Line:
        known = {str(index): each for index, each in enumerate(self._lines)}
        if number not in known:
            _refuse("button", "There is no such line.")
        return known[number]

    def _read(self) -> Iterator[Line]:
        """Read ``version:bits:model`` of each line, and the ticks ``line:flag``."""
        ticks = set(self._form.getlist("on"))
        for index, told in enumerate(self._form.getlist("right")):
            version, _, rest = told.partition(":")
            bits, _, model = rest.partition(":")
            yield Line(
                model=self._reader.model(model),
                version=_version(_number(version), "right"),
                was=_bits(bits),
                ticked=Flags(*(f"{index}:{name}" in ticks for name in Flags._fields)),
            )


def _number(text: str) -> int | None:
    is_one = text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST))
    return int(text) if is_one else None


def _bits(text: str) -> Flags:
    if len(text) != len(Flags._fields) or not set(text) <= {"0", "1"}:
        _refuse("right", "It does not say what was shown.")
    return Flags(*(each == "1" for each in text))


# What is wrong ------------------------------------------------------------------------


def _object(value: object, name: str) -> Mapping[Any, Any]:
    if isinstance(value, Mapping):
        return value
    return _refuse(name, "It must be an object.")


def _insist_on_names(told: Mapping[Any, Any], known: frozenset[str]) -> None:
    for name in sorted(told.keys() - known):
        _refuse("body", f"{name!r} is not known: there are {', '.join(sorted(known))}.")


def _boolean(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return value
    return _refuse(name, "Say true or false.")


def _version(value: object, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST:
        return value
    return _refuse(name, "A version is a whole number from 0 on.")


def _refuse(name: str, message: str) -> NoReturn:
    raise InvalidRequest(errors={name: [message]})
