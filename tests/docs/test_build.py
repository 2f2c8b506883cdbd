"""The documentation builds, and a warning is an error."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from libres.db.auditing import CHECKS
from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LINK = re.compile(r"`[^`<]+<(?!https?:)([^`>]+)>`_")


def test_documentation_builds(tmp_path: Path) -> None:
    """Sphinx builds every page without a warning."""
    built = _build(tmp_path)
    assert built.returncode == 0, built.stdout + built.stderr
    reference = tmp_path / "html" / "reference"
    assert (reference / "scheduler.html").exists()
    audited = (reference / "auditing.html").read_text(encoding="utf-8")
    assert [each.name for each in CHECKS if f">{each.name}<" not in audited] == []


def _build(folder: Path) -> subprocess.CompletedProcess[str]:
    options = ["-W", "--keep-going", "-q", "-b", "html"]
    where = ["-d", str(folder / "doctrees"), "docs", str(folder / "html")]
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "sphinx", *options, *where],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("name", ["README.rst", "CONTRIBUTING.rst"])
def test_links_lead_somewhere(name: str) -> None:
    """What a page outside of Sphinx links to in the repository exists."""
    links = LINK.findall((ROOT / name).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
