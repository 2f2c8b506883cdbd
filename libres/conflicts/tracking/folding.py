"""Brings keys into one form in SQL, exactly as Python does."""

from __future__ import annotations

import sys
from functools import cache
from typing import Final

SPACES: Final = "".join(
    chr(number) for number in range(sys.maxunicode + 1) if chr(number).isspace()
)
"""What ``str.strip`` strips."""

FOLDING: Final = "conflict_casefold"
"""The function, made when it is needed."""


def quoted(text: str) -> str:
    """Write a text as SQL does."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'" if "\\" in escaped else f"'{escaped}'"


def normalized(sql: str, folded: bool) -> str:
    """Write the key of a text: trimmed, composed, folded if that is wanted."""
    trimmed = f"normalize(btrim(CAST({sql} AS text), {quoted(SPACES)}), NFC)"
    return f"normalize({FOLDING}({trimmed}), NFC)" if folded else trimmed


@cache
def casefold() -> str:
    """Write the function that does what ``str.casefold`` does."""
    single: dict[str, str] = {}
    several: dict[str, str] = {}
    for number in range(1, sys.maxunicode + 1):
        letter = chr(number)
        folded = letter.casefold()
        if folded != letter:
            (single if len(folded) == 1 else several)[letter] = folded
    letters, folded_letters = "".join(single), "".join(single.values())
    body = f"translate(value, {quoted(letters)}, {quoted(folded_letters)})"
    for letter, folded in several.items():
        body = f"replace({body}, {quoted(letter)}, {quoted(folded)})"
    return f"""\
CREATE OR REPLACE FUNCTION {FOLDING}(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS $fold$ SELECT {body} $fold$"""
