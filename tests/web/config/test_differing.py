"""How values are drawn: old and new beside each other, and nothing deceives."""

from __future__ import annotations

import pytest

from libres.sync.audit import ERASED, FieldChange
from libres.web.config.differing import drawn, lines, side


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "nothing", ""),
        ("", "empty", ""),
        (ERASED, "erased", ""),
        ("a\tb\nc", "text", "a\tb\nc"),
        (0, "plain", "0"),
        (False, "plain", "false"),
        ({"a": ["ü"]}, "json", '{\n  "a": [\n    "ü"\n  ]\n}'),
        ([], "json", "[]"),
    ],
)
def test_kinds(value, kind, text):
    """What is nothing, empty, or erased is not the same."""
    found = side(value)
    assert (found.kind, found.text) == (kind, text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\u202eb", "a⟨U+202E⟩b"),  # turns what follows
        ("a\u200bb", "a⟨U+200B⟩b"),  # is not seen
        ("a\x07b", "a⟨U+0007⟩b"),
        ("שלום", "שלום"),  # is turned, as it should be
        ("👩\u200d🚀", "👩\u200d🚀"),  # holds an emoji together
    ],
)
def test_visible(value, text):
    """What would deceive who reads it is written out."""
    assert side(value).text == text


@pytest.mark.parametrize(
    ("old", "new", "marks"),
    [
        ("John Doe", "Jane Doe", ("ohn", "ane")),
        ("a", "a b", ("", " b")),
        ("aa", "a", ("a", "")),  # not more than there is
        ("x", "y", ("x", "y")),
    ],
)
def test_marks(old, new, marks):
    """In what two texts differ is marked; all of it together is the text."""
    (found,) = drawn([FieldChange("name", old, new)])
    assert (found.before.mark, found.after.mark) == marks
    whole = [each.head + each.mark + each.tail for each in (found.before, found.after)]
    assert whole == [old, new]


def test_lines():
    """A cell of a spreadsheet has a field on each line, and no formula."""
    changes = [FieldChange("age", None, 45), FieldChange("name", "=1+1", ERASED)]
    assert lines(changes) == "age: nothing → 45\nname: '=1+1 → ERASED"
