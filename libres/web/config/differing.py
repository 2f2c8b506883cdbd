"""Draws how the fields of a row have changed: old and new beside each other.

What is long is folded, lists and mappings are spread out, and where both are texts, it
is marked in what they differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from libres.sync.audit import ERASED, Entry, FieldChange
from libres.web.config.spreadsheet import harmless

Kind = Literal["nothing", "empty", "erased", "text", "plain", "json"]

SHORT: Final = 200
"""Characters that are shown at once."""

NAMES: Final = 5
"""Names of fields that a row of the table tells."""


@dataclass(frozen=True, slots=True)
class Side:
    """A value, before or after."""

    kind: Kind
    text: str = ""
    """All of it."""

    head: str = ""
    mark: str = ""
    """Where it differs from the other side."""

    tail: str = ""

    @property
    def is_long(self) -> bool:
        """It is folded."""
        return len(self.text) > SHORT or self.text.count("\n") > 5

    @property
    def beginning(self) -> str:
        """What is seen of it while it is folded."""
        return " ".join(self.text[:SHORT].split())[: SHORT // 2]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A field, and what became of it."""

    field: str
    before: Side
    after: Side


def drawn(changes: Iterable[FieldChange]) -> list[Drawn]:
    """Draw what has changed, field by field."""
    return [_drawn(each) for each in changes]


def _drawn(change: FieldChange) -> Drawn:
    before, after = side(change.before), side(change.after)
    if before.kind == after.kind == "text":
        return Drawn(change.field, *_marked(before.text, after.text))
    return Drawn(change.field, before, after)


def image(values: Mapping[str, Any] | None) -> list[tuple[str, Side]]:
    """Draw a row, field by field."""
    return [(name, side(each)) for name, each in sorted((values or {}).items())]


def side(value: Any) -> Side:
    """Draw a value as JSON has it."""
    if value is ERASED:
        return Side("erased")
    if value is None:
        return Side("nothing")
    if value == "":
        return Side("empty")
    if isinstance(value, str):
        text = visible(value)
        return Side("text", text, head=text)
    is_plain = isinstance(value, bool | int | float)
    text = visible(json.dumps(value, ensure_ascii=False, indent=2, default=str))
    return Side("plain" if is_plain else "json", text, head=text)


def visible(text: str) -> str:
    """Write out what would turn the text around it, or not be seen: it might deceive
    who reads it."""
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u2069\ufeff]"
)


def _marked(old: str, new: str) -> tuple[Side, Side]:
    """Mark what is between what both have in common at their beginning and end."""
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    return _cut(old, start, end), _cut(new, start, end)


def _common(one: str, other: str) -> int:
    """Count the characters that both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    least = min(len(one), len(other))
    return next((number for number, (a, b) in pairs if a != b), least)


def _cut(text: str, start: int, end: int) -> Side:
    last = len(text) - end
    return Side("text", text, text[:start], text[start:last], text[last:])


# In a few words -----------------------------------------------------------------------


def names(entry: Entry) -> str:
    """Say which fields have changed; of a row that came or went, how many it has."""
    fields = [each.field for each in entry.changes]
    if entry.action != "update":
        return "1 field" if len(fields) == 1 else f"{len(fields)} fields"
    told = ", ".join(fields[:NAMES])
    more = len(fields) - NAMES
    if not fields:
        return "what is secret"
    return f"{told} and {more} more" if more > 0 else told


def lines(changes: Iterable[FieldChange]) -> str:
    """Write what has changed, a field on each line, for a cell of a spreadsheet."""
    return "\n".join(
        f"{each.field}: {_word(each.before)} → {_word(each.after)}" for each in changes
    )


def _word(value: Any) -> str:
    if value is ERASED:
        return "ERASED"
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return harmless(value)
    return json.dumps(value, ensure_ascii=False)
