"""Lets mypy check what this folder says of the public API."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]

api = pytest.importorskip("mypy.api", reason="needs the extra lint")


@pytest.fixture(scope="module")
def checked() -> tuple[str, int]:
    """What mypy, as configured for the project, says of this folder and the library.

    Its cache is the one that developers have anyway.
    """
    said, complaints, status = api.run(
        ["--config-file", str(ROOT / "pyproject.toml"), str(FOLDER)]
    )
    return said + complaints, status


def test_types(checked: tuple[str, int]) -> None:
    """Every assert_type holds, and every mistake in this folder is noticed."""
    said, status = checked
    assert status == 0, said


def test_is_checked(checked: tuple[str, int]) -> None:
    """All modules of this folder have been looked at."""
    (number,) = re.findall(r"no issues found in (\d+) source files", checked[0])
    assert int(number) == len(list(FOLDER.glob("*.py")))


def test_notices(tmp_path: Path) -> None:
    """It would be noticed if something had another type."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from typing import assert_type\n"
        "from libres.modules.utils import generate_uuids\n"
        "from uuid import UUID\n"
        "assert_type(generate_uuids(UUID(int=0), 3), list[str])\n"
    )
    said, _, status = api.run(
        ["--config-file", str(ROOT / "pyproject.toml"), str(wrong)]
    )
    assert status == 1
    assert "list[UUID]" in said
