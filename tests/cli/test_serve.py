"""`libres serve` from the outside: a process of its own."""

from __future__ import annotations

import json
import signal
import socket

import click
import pytest
from click.testing import CliRunner

from libres.cli import main, serving
from libres.cli.commands.serve import Binding
from libres.cli.serving import Bind, listening
from tests.cli.serving import serving as process

SECRET = "LIBRES_SECRET_KEY"  # noqa: S105 - the name of a variable


def invoked(*arguments):
    """Run the command, which is to end by itself."""
    result = CliRunner().invoke(main, ["serve", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_from_nothing(empty_dsn, number):
    """An empty database is enough; it answers, and ends when it is told to."""
    options = ["serve", "--dsn", empty_dsn, "--bind", "127.0.0.1:0"]
    with process(*options, **{SECRET: ""}) as served:
        status, body = served.get("/health")
        assert (status, json.loads(body)["status"]) == (200, "well")
        assert set(json.loads(body)["tables"].values()) == {"current"}
        assert served.get("/resources")[0] == 200
        ended = served.end(number)
    assert ended == (0, "Ended.\n")
    assert "people sign in again after each start" in served.said


def test_again(empty_dsn):
    """Tables that are there already are no hindrance; with a secret nothing is said."""
    options = ["serve", "--dsn", empty_dsn, "--bind", "127.0.0.1:0", "--threads", "1"]
    for _ in range(2):
        with process(*options, **{SECRET: "kept"}) as served:
            assert served.get("/health")[0] == 200
            assert served.end()[0] == 0
        assert "sign in again" not in served.said


def test_dsn_of_environment(empty_dsn):
    """A service manager passes the password by a variable, not for all to see."""
    with process("serve", "--bind", "127.0.0.1:0", LIBRES_DSN=empty_dsn) as served:
        assert served.get("/health")[0] == 200
        served.end()


@pytest.mark.parametrize(
    "bind", ["", "8080", ":8080", "host:", "host:x", "host:65536", "::1:80", "h:-1"]
)
def test_no_address(bind):
    """What is no address is told before a database is sought."""
    result = invoked("--bind", bind)
    assert result.exit_code == 2
    assert "is not HOST:PORT" in result.output


@pytest.mark.parametrize(
    ("value", "bind", "shown"),
    [
        ("127.0.0.1:80", Bind("127.0.0.1", 80), "127.0.0.1:80"),
        ("[::1]:0", Bind("::1", 0), "[::1]:0"),
        ("localhost:8080", Bind("localhost", 8080), "localhost:8080"),
    ],
)
def test_address(value, bind, shown):
    """Addresses of both kinds, and names, are understood."""
    assert Binding().convert(value, None, None) == bind
    assert str(bind) == shown


def test_taken(dsn):
    """A port that another program has ends in a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = invoked("--dsn", dsn, "--bind", f"127.0.0.1:{port}")
    assert result.exit_code == 1
    assert f"Error: Nobody can listen on 127.0.0.1:{port}" in result.output


def test_unknown_host():
    """A host that does not exist ends in a sentence."""
    with (
        pytest.raises(click.ClickException, match="Nobody can listen on"),
        listening(lambda *_: [], Bind("host.invalid", 0)),
    ):
        pass  # pragma: no cover - it is not reached


def test_proxy():
    """What is no proxy is told."""
    result = invoked("--trusted-proxy", "proxy.example.org")
    assert result.exit_code == 2
    assert "is not an IP address" in result.output


def test_without_the_extra(monkeypatch):
    """The sentence says what to install."""
    monkeypatch.setattr(serving, "NEEDED", ("flask", "libres_is_not_here"))
    result = invoked()
    assert result.exit_code == 1
    assert "pip install 'libres[web]'" in result.output


def test_no_database():
    """Without a server it is a sentence, the status 2, and no password in it."""
    result = invoked("--dsn", "postgresql://me:hunter2@127.0.0.1:1/x")
    assert result.exit_code == 2
    assert "refused" in result.output
    assert "hunter2" not in result.output
