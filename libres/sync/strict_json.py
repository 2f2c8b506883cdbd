"""Reads JSON strictly: what can be taken for different things is refused."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from libres.sync.errors import MalformedRequest

DEEPEST: Final = 20
"""How deep lists and objects may be nested if nobody says otherwise."""

LONGEST_NUMBER: Final = 1000
"""Characters; reading longer ones takes time that grows with their square."""

HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")
"""Where there is no such escape, there is no half of a pair of surrogates."""


def read_json(raw: bytes, deepest: int = DEEPEST) -> object:
    """Return what a request says.

    Raises MalformedRequest, with the reason and nothing of what was sent, for what is
    no JSON in UTF-8, duplicate keys, numbers that are none or too large, half
    characters, and what is nested deeper than *deepest*.
    """
    text = _decoded(raw)
    found = _parsed(text)
    check_depth(found, deepest)
    if HALF.search(text):
        _check_characters(found)
    return found


def check_depth(value: object, deepest: int) -> None:
    """Raise MalformedRequest for what is nested deeper; 1 is a list of plain values."""
    level, depth = [value], 0
    while level:
        level = [each for each in level if isinstance(each, dict | list)]
        if level and depth == deepest:
            _refuse(f"It is nested deeper than {deepest} levels.")
        level, depth = [part for each in level for part in _parts(each)], depth + 1


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return _refuse("It is not UTF-8.")


def _parsed(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=lambda _name: _refuse("A number must be finite."),
            parse_float=_float,
            parse_int=_whole,
        )
    except RecursionError:
        _refuse("It is nested too deep.")
    except ValueError as error:
        where = getattr(error, "pos", None)
        _refuse(
            "It is not JSON." if where is None else f"No JSON at character {where}."
        )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse("An object has a key twice.")
    return found


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse("A number is too large.")
    return number


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        _refuse("A number is too long.")
    return int(text)


def _parts(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value


def _check_characters(value: object) -> None:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str) and any("\ud800" <= sign <= "\udfff" for sign in each):
            _refuse("A text contains half a character.")
        if isinstance(each, dict):
            waiting.extend(each)
        if isinstance(each, dict | list):
            waiting.extend(_parts(each))


def _refuse(reason: str) -> NoReturn:
    message = f"This request cannot be read. {reason}"
    raise MalformedRequest(message)
