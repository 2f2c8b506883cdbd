"""Keys are brought into one form by SQL as by Python."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from sqlalchemy import DDL, text

from libres.conflicts.tracking.folding import casefold, normalized

LETTERS = [
    chr(number)
    for number in range(1, sys.maxunicode + 1)
    if not 0xD800 <= number <= 0xDFFF
]


class TestFolding:
    def test_casefold(self, claims):
        """Every character is folded as by str.casefold."""
        claims.session.execute(DDL(casefold().replace("%", "%%")))
        query = text(
            "SELECT letter FROM unnest(CAST(:letters AS text[]), "
            "CAST(:folded AS text[])) AS pairs (letter, folded) "
            "WHERE conflict_casefold(letter) <> folded"
        )
        changed = [each for each in LETTERS if each.casefold() != each]
        same = LETTERS[::97]
        asked = {
            "letters": changed + same,
            "folded": [each.casefold() for each in changed + same],
        }
        assert claims.session.scalars(query, asked).all() == []

    @pytest.mark.parametrize(
        "value", [" a ", "\u2003b\u00a0", "\x1c\x85c\n", "e\u0301", "\u212b", "\\'%:x"]
    )
    def test_normalized(self, claims, value):
        """Trimmed and composed as by Python."""
        query = text(f"SELECT {normalized(':value', False)}".replace("\\:", ":"))
        found = claims.session.scalar(query, {"value": value})
        assert found == unicodedata.normalize("NFC", value.strip())
