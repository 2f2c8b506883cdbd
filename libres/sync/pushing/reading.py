"""Reads a push: its shape, and of each item what is right or wrong in itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, cast

from libres.sync.errors import MalformedRequest, RequestTooLarge
from libres.sync.fields import InvalidValue
from libres.sync.handlers import Refused
from libres.sync.pushing.relations import references_of
from libres.sync.strict_json import DEEPEST, check_depth, read_json

if TYPE_CHECKING:
    from libres.sync.registry import Registry, SyncModel

Mode = Literal["partial", "atomic"]
Wanted = Literal["upsert", "create", "update", "delete"]

MODES: Final = ("partial", "atomic")
WANTED: Final = ("upsert", "create", "update", "delete")
KEYS: Final = frozenset({"data", "mode"})
SAID: Final = frozenset({"_model", "_op", "_version", "_op_id", "id"})
"""What of an item is no field."""

TEMPORARY: Final = "tmp:"
LONGEST: Final = 200
"""Characters of temporary ids, and of the ids of operations."""

LARGEST_VERSION: Final = 2**63


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be sent at once."""

    items: int = 10_000
    size: int = 10_000_000
    """Bytes."""

    deepest: int = DEEPEST


@dataclass(frozen=True, slots=True)
class Temporary:
    """Stands in a field for the id of a row that the same push makes."""

    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An item that is right in itself."""

    index: int
    model: SyncModel
    wanted: Wanted
    key: tuple[Any, ...] | None
    temporary: str | None
    values: Mapping[str, Any]
    """What Python holds, or a Temporary, by the names of fields."""

    version: int | None
    op_id: str | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A push, as far as it can be read."""

    mode: Mode
    count: int
    entries: Sequence[Entry]
    refused: Mapping[int, Refused] = field(default_factory=dict)
    """By the index of the item."""

    names: Mapping[int, str] = field(default_factory=dict)
    """Which model an item says it is of; empty: it does not say."""


NO_MODEL: Final = Refused(
    "forbidden", "There is no such model, or you may not push it.", "_model"
)


def read(registry: Registry, body: object, limits: Limits) -> Asked:
    """Read a push, from bytes of JSON or from what they say.

    Raises MalformedRequest and RequestTooLarge for the whole of it.
    """
    mode, data = _shape(_document(body, limits), limits)
    entries: list[Entry] = []
    refused: dict[int, Refused] = {}
    names: dict[int, str] = {}
    for index, given in enumerate(data):
        names[index] = _named(given)
        try:
            model = _model(registry, given)
            entries.append(_entry(registry, model, index, given))
        except _Wrong as wrong:
            refused[index] = wrong.refused
    return Asked(mode, len(data), entries, refused, names)


def _document(body: object, limits: Limits) -> object:
    if isinstance(body, bytes | bytearray | memoryview):
        if len(body) > limits.size:
            raise RequestTooLarge(limit=f"{limits.size} bytes")
        return read_json(bytes(body), limits.deepest)
    check_depth(body, limits.deepest)
    return body


def _shape(body: object, limits: Limits) -> tuple[Mode, list[Any]]:
    if not isinstance(body, dict):
        _malformed("A push is an object: {'data': [items]}.")
    if not KEYS.issuperset(body):
        _malformed("A push has 'data' and 'mode', and nothing else.")
    data, mode = body.get("data"), body.get("mode", "partial")
    if not isinstance(data, list) or not data:
        _malformed("'data' must be a list of items, at least one.")
    if mode not in MODES:
        _malformed("'mode' must be 'partial' or 'atomic'.")
    if len(data) > limits.items:
        raise RequestTooLarge(limit=f"{limits.items} items")
    return mode, data


def _malformed(message: str) -> NoReturn:
    raise MalformedRequest(message)


# Items --------------------------------------------------------------------------------


class _Wrong(Exception):
    """An item is wrong in itself."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.refused = refused


def _wrong(name: str, message: str) -> NoReturn:
    raise _Wrong(Refused("invalid", message, name))


def _named(given: object) -> str:
    name = given.get("_model") if isinstance(given, dict) else None
    return _shown(name) if isinstance(name, str) else ""


def _model(registry: Registry, given: object) -> SyncModel:
    if not isinstance(given, dict):
        raise _Wrong(Refused("invalid", "An item must be an object."))
    if "_model" not in given:
        _wrong("_model", "is missing")
    model = registry.get(given["_model"])
    if model is None:
        raise _Wrong(NO_MODEL)
    return model


def _entry(
    registry: Registry, model: SyncModel, index: int, given: dict[str, Any]
) -> Entry:
    key, temporary = _id(model, given.get("id"))
    return Entry(
        index=index,
        model=model,
        wanted=_wanted(given.get("_op", "upsert")),
        key=key,
        temporary=temporary,
        values=_values(registry, model, given),
        version=_version(given.get("_version")),
        op_id=_op_id(given.get("_op_id")),
        fingerprint=_fingerprint(given),
    )


def _wanted(value: object) -> Wanted:
    if value not in WANTED:
        _wrong("_op", f"must be one of {', '.join(WANTED)}")
    return value


def _version(value: object) -> int | None:
    if value is None:
        return None
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number or not 0 <= cast("int", value) < LARGEST_VERSION:
        _wrong("_version", "must be a version that the server has sent")
    return cast("int", value)


def _op_id(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _is_name(value):
        _wrong("_op_id", f"must be a text of 1 to {LONGEST} characters")
    return value


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST and text.isprintable()


def _id(model: SyncModel, value: object) -> tuple[tuple[Any, ...] | None, str | None]:
    if value is None:
        return None, None
    if isinstance(value, str) and value.startswith(TEMPORARY):
        if not _is_name(value):
            _wrong("id", f"must not be longer than {LONGEST} characters")
        return None, value
    try:
        return model.read_id(value), None
    except InvalidValue as error:
        _wrong("id", str(error))


def _values(
    registry: Registry, model: SyncModel, given: dict[str, Any]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    places = references_of(registry, model).fields
    for name, value in given.items():
        if name in SAID:
            continue
        if name not in model.fields:
            _wrong(_shown(name), "is not a field of this model")
        if name not in model.writable:
            _wrong(name, "cannot be written")
        is_temporary = isinstance(value, str) and value.startswith(TEMPORARY)
        if is_temporary and name in places:
            found[name] = Temporary(value)
            continue
        found[name] = _value(model, name, value)
    return found


def _value(model: SyncModel, name: str, value: object) -> Any:
    try:
        return model.fields[name].read(value)
    except InvalidValue as error:
        _wrong(name, str(error))


def _shown(name: str) -> str:
    """Return as much of a name as can be told again."""
    return name.encode("utf-8", "replace").decode()[:LONGEST]


def _fingerprint(given: dict[str, Any]) -> str:
    """Recognise an operation by what was sent, in whatever order."""
    told = {name: value for name, value in given.items() if name != "_op_id"}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
