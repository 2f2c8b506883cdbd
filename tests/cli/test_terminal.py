"""What is written stays readable and harmless, whatever the terminal is."""

from __future__ import annotations

import io
import sys

import pytest

from libres.cli.terminal import console, printable, rounded, shortened


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Saal 1", "Saal 1"),
        ("„Wir“ 会議", "„Wir“ 会議"),
        ("two\nlines\tand  more", "two lines and more"),
        (
            "\x1b[31mred\x07",
            "\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}",
        ),
        ("\u202eabc", "\N{REPLACEMENT CHARACTER}abc"),
    ],
)
def test_printable(text: str, expected: str) -> None:
    """Titles come from files: they may not steer the terminal."""
    assert printable(text) == expected


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (0, 0),
        (0.2, 1),
        (49.6, 50),
        (99.9, 99),
        (100, 100),
        (1e-12, 0),
        (100 - 1e-12, 100),
    ],
)
def test_rounded(percent: float, expected: int) -> None:
    """0 and 100 are kept for nothing and everything."""
    assert rounded(percent) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("short", "short"), ("longer text", "longer…")]
)
def test_shortened(text: str, expected: str) -> None:
    """What is cut says so."""
    assert shortened(text, 8) == expected


def test_an_ascii_terminal_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs have substitutes, other letters become question marks."""
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    console().print("█▌·▒▚╬ \N{EN DASH} …ü[x]")
    stream.flush()
    assert written.getvalue() == b"##.+ox - ...?[x]\n"
