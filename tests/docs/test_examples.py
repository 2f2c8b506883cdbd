"""Every example of the documentation in Python, SQL or the shell runs as it says."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import (
    OTHERS,
    PYTHON,
    ROOT,
    SHELL,
    SQL,
    blocks_of,
    examples_of,
    name_of,
    pages,
)

if TYPE_CHECKING:
    from pathlib import Path

PAGES = pages()
WITH_EXAMPLES = [page for page in PAGES if examples_of(page)]

PROMISED = (
    "README.rst",
    "docs/audit.rst",
    "docs/occupancy.rst",
    "docs/operations.rst",
    "docs/sync.rst",
    "docs/tutorial.rst",
    "docs/tutorial_audit.rst",
    "docs/tutorial_sync.rst",
    "docs/web.rst",
    "docs/conflicts.rst",
    "docs/howto/audit_flask.rst",
    "docs/howto/claims.rst",
    "docs/howto/config_pages.rst",
    "docs/howto/jobs.rst",
    "docs/howto/mirroring.rst",
    "docs/howto/tracking.rst",
    "docs/howto/blockers.rst",
    "docs/howto/blocking_resources.rst",
    "docs/howto/cart.rst",
    "docs/howto/feeds.rst",
    "docs/howto/flask.rst",
    "docs/howto/groups.rst",
    "docs/howto/models.rst",
    "docs/howto/plone.rst",
    "docs/howto/pyramid.rst",
    "docs/howto/quotas.rst",
    "docs/howto/retry.rst",
    "docs/howto/services.rst",
    "docs/howto/sync_conflicts.rst",
    "docs/howto/sync_models.rst",
    "docs/howto/sync_filters.rst",
    "docs/howto/sync_core.rst",
    "docs/howto/sync_devices.rst",
    "docs/howto/sync_worker.rst",
    "docs/howto/timetable_commands.rst",
    "docs/howto/upgrade.rst",
    "docs/howto/web_identity.rst",
    "docs/howto/web_mounting.rst",
    "docs/howto/waiting.rst",
    "docs/explanation/feed.rst",
    "docs/explanation/mirrors.rst",
    "docs/explanation/raster.rst",
    "docs/explanation/timezones.rst",
    "docs/explanation/transactions.rst",
)


def run(page: Path, dsn: str) -> subprocess.CompletedProcess[str]:
    """Run the examples of a page in a process of its own."""
    command = [sys.executable, "-m", "tests.docs.run_page", str(page), dsn]
    return subprocess.run(  # noqa: S603 - our own interpreter and pages
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_of)
def test_examples_run(page: Path, empty_dsn: str) -> None:
    """A page read from top to bottom is a script that works on an empty database."""
    ran = run(page, empty_dsn)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        pytest.param("SELECT nothing FROM nowhere;", '"nowhere" does not', id="name"),
        pytest.param("SELECT 1;\n\n   SELEKT 2;", "syntax error", id="the second"),
        pytest.param("SELECT 1 / 0;", "division by zero", id="when it runs"),
    ],
)
def test_broken_sql(tmp_path: Path, empty_dsn: str, statement: str, said: str) -> None:
    """SQL that PostgreSQL refuses is found, each statement of a block."""
    page = tmp_path / "page.rst"
    page.write_text(f".. code-block:: sql\n\n   {statement}\n", encoding="utf-8")
    ran = run(page, empty_dsn)
    assert ran.returncode == 1
    assert f"{page}, line 2" in ran.stderr
    assert said in ran.stderr


def test_sql_is_committed(tmp_path: Path, empty_dsn: str) -> None:
    """What SQL of a page does, later blocks find, and its own database is meant."""
    page = tmp_path / "page.rst"
    blocks = (
        "ALTER DATABASE reservations SET lock_timeout = 7;\n   CREATE TABLE t (a int);",
        "INSERT INTO t SELECT 1 / (current_setting('lock_timeout') = '7ms')::int;",
    )
    written = "\n\n".join(f".. code-block:: sql\n\n   {each}" for each in blocks)
    page.write_text(written + "\n", encoding="utf-8")
    ran = run(page, empty_dsn)
    assert ran.returncode == 0, ran.stderr


def test_readme_is_refused_the_second_time(empty_dsn: str) -> None:
    """The README says what happens if its example is run again, and it does."""
    readme = ROOT / "README.rst"
    assert run(readme, empty_dsn).returncode == 0
    again = run(readme, empty_dsn)
    assert again.returncode == 1
    assert "libres.modules.errors.AlreadyReservedError: Not enough" in again.stderr


def test_readme_example_is_short() -> None:
    """The example of the README has ten lines, not counting imports and blanks."""
    [example] = examples_of(ROOT / "README.rst")
    lines = [line for line in example.text.splitlines() if line.strip()]
    assert len([line for line in lines if "import " not in line]) <= 10


@pytest.mark.parametrize("name", PROMISED)
def test_page_has_examples(name: str) -> None:
    """A page that is meant to show something does so, with answers to compare."""
    assert examples_of(ROOT / name)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_example_escapes(page: Path) -> None:
    """Python stands in blocks that are run, and nowhere else."""
    blocks = blocks_of(page)
    assert {block.language for block in blocks} <= PYTHON | SQL | SHELL | OTHERS
    prompts = page.read_text(encoding="utf-8").count(">>> ")
    assert prompts == sum(block.text.count(">>> ") for block in blocks)
