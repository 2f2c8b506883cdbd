"""Finds the Python, SQL and commands in a page of reStructuredText; runs nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]

PYTHON = frozenset({"python", "pycon"})
SQL = frozenset({"sql"})
SHELL = frozenset({"console"})
OTHERS = frozenset({"sh", "text", "xml", "ini"})
"""The languages that examples may be written in: those we run, and those we cannot."""

DIRECTIVE = re.compile(
    r"^(?P<indent> *)\.\. (?:code-block|code|sourcecode)::(?P<language>.*)$"
)


@dataclass(frozen=True, slots=True)
class Block:
    """A code block, with the number of the line before its first one."""

    language: str
    offset: int
    text: str

    @property
    def is_session(self) -> bool:
        """Is it written as typed at the prompt, with what Python answers?"""
        return self.text.lstrip().startswith(">>>")

    @property
    def statements(self) -> list[str]:
        """What it consists of, if it is SQL: each ends with its line."""
        parts = re.split(r";\s*$", self.text, flags=re.MULTILINE)
        return [part.strip() for part in parts if part.strip()]


def pages() -> list[Path]:
    """List every page there is, the README included."""
    written = (ROOT / "docs").rglob("*.rst")
    return [ROOT / "README.rst", ROOT / "CONTRIBUTING.rst", *sorted(written)]


def name_of(page: Path) -> str:
    """Name a page as its readers do."""
    return str(page.relative_to(ROOT) if page.is_relative_to(ROOT) else page)


def blocks_of(page: Path) -> list[Block]:
    """Return the code blocks of a page, in their order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return list(_blocks(lines))


def examples_of(page: Path) -> list[Block]:
    """Return the blocks of a page that are run."""
    return [
        block for block in blocks_of(page) if block.language in PYTHON | SQL | SHELL
    ]


def _blocks(lines: list[str]) -> Iterator[Block]:
    for number, line in enumerate(lines):
        if found := DIRECTIVE.match(line):
            body = _body(lines[number + 1 :], len(found["indent"]))
            options = sum(each.lstrip().startswith(":") for each in body[:3])
            text = dedent("\n".join(body[options:]))
            yield Block(found["language"].strip(), number + 1 + options, text)


def _body(lines: list[str], indent: int) -> list[str]:
    """Return the lines that are indented by more than the directive above them."""
    deeper = " " * (indent + 1)
    end = next(
        (n for n, line in enumerate(lines) if line and not line.startswith(deeper)),
        len(lines),
    )
    return lines[:end]
