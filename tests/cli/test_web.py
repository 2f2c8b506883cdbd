"""`libres web` from the outside."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from click.testing import CliRunner

from libres.cli import main
from libres.context.registry import create_default_registry
from libres.web.keys import Keys

EMAIL = "ada@example.org"


def invoked(*arguments):
    """Run a command of the group."""
    result = CliRunner().invoke(main, ["web", *arguments], env={"COLUMNS": "160"})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def run(empty_dsn):
    """Runs a command on a database that was empty: run("key list", …)."""

    def run(command, *arguments):
        return invoked(*command.split(), "--dsn", empty_dsn, *arguments)

    return run


@pytest.fixture
def keys(empty_dsn):
    """The keys of the context that the commands use by default."""
    context = create_default_registry().register_context("libres")
    context.set_setting("dsn", empty_dsn)
    yield Keys(context)
    context.get_service("session_provider").stop_service()


def id_of(listed):
    """The id in the second line of a table."""
    return re.search(r"^[0-9a-f-]{36}", listed.splitlines()[1])[0]


# Keys ---------------------------------------------------------------------------------


def test_key(run, keys):
    """A key is printed alone, and opens what it was made for."""
    scopes = ["--scope", "read", "--scope", "book"]
    made = run("key create", "Front desk", *scopes, "--email", EMAIL)
    assert made.exit_code == 0, made.output
    assert re.fullmatch(r"libres_\S+\n", made.stdout)
    assert "cannot be shown again" in made.stderr
    holder = keys.holder(made.stdout.strip())
    assert (holder.name, holder.email) == ("Front desk", EMAIL)
    assert holder.scopes == {"read", "book"}


def test_keys_are_listed(run):
    """The list tells who has a key, and not the key."""
    key = run("key create", "Door\x1b[31m", "--scope", "sensor").stdout.strip()
    listed = run("key list").stdout
    assert "Door" in listed
    assert "sensor" in listed
    assert "\x1b" not in listed
    assert key not in listed


def test_key_is_revoked(run, keys):
    """A key that was revoked opens nothing, and the list says since when."""
    key = run("key create", "lost", "--scope", "read").stdout.strip()
    done = run("key revoke", id_of(run("key list").stdout))
    assert done.output == "Revoked.\n"
    assert keys.holder(key) is None
    assert re.search(r"Z .*\dZ *$", run("key list").stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["", "--scope", "read"], "A key needs a name."),
        (["  ", "--scope", "read"], "A key needs a name."),
        (["name"], "Missing option '--scope'"),
        (["name", "--scope", "everything"], "is not one of"),
        (["name", "--scope", "read", "--email", "ada"], "not an e-mail address"),
        (["\udcff", "--scope", "read"], "encoding of this terminal"),
    ],
    ids=["empty", "blank", "no scope", "a scope that is none", "e-mail", "bytes"],
)
def test_no_key(run, arguments, said):
    """What makes no sense is said in a sentence."""
    result = run("key create", *arguments)
    assert result.exit_code != 0
    assert said in result.output


def test_unknown_key(run):
    """There is no key of this id, in this context."""
    result = run("key revoke", str(uuid4()))
    assert result.exit_code == 1
    assert "There is no key" in result.output
    assert "is not a valid UUID" in run("key revoke", "x").output


def test_contexts_are_apart(run):
    """A key of another context is neither listed nor revoked."""
    run("key create", "theirs", "--scope", "read", "--context", "other")
    assert "theirs" not in run("key list").stdout
    found = id_of(run("key list", "--context", "other").stdout)
    assert run("key revoke", found).exit_code == 1


# Resources ----------------------------------------------------------------------------


def test_resources(run):
    """Resources are added, changed, listed in their order, and removed."""
    run("resource add", "hall", "--blocking", "north", "--blocking", "south")
    run("resource add", "attic", "--title", "The attic", "--timezone", "UTC")
    run("resource add", "hall", "--title", "Great hall", "--position", "-1")
    lines = run("resource list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["name", "hall", "attic"]
    assert "Great hall" in lines[1]
    assert "Europe/Berlin" in lines[1]
    assert "UTC" in lines[2]
    assert run("resource remove", "hall").output == "hall is not shown any more.\n"
    assert "hall" not in run("resource list").stdout


def test_blocking(run):
    """The list tells what is in the way of a resource."""
    run("resource add", "hall", "--blocking", "north", "--blocking", "south")
    assert "north, south" in run("resource list").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([""], "A resource has a name and a title"),
        (["x" * 201], "A resource has a name and a title"),
        (["x", "--title", " "], "A resource has a name and a title"),
        (["x", "--timezone", "Europe/Zürich"], "is not a timezone"),
        (["x", "--position", "99999"], "is not in the range"),
        (["\udcff"], "encoding of this terminal"),
        (["x", "--blocking", "\udcff"], "encoding of this terminal"),
    ],
)
def test_no_resource(run, arguments, said):
    """What makes no sense is said in a sentence."""
    result = run("resource add", *arguments)
    assert result.exit_code != 0
    assert said in result.output


def test_unknown_resource(run):
    """There is no resource of this name."""
    result = run("resource remove", "attic")
    assert result.exit_code == 1
    assert "There is no resource 'attic'" in result.output


# Feeds --------------------------------------------------------------------------------


def test_feed(run):
    """The address of a feed is printed alone; the list does not have it."""
    run("resource add", "hall")
    base = ["--base", "https://example.org/"]
    made = run("feed create", "resource", "hall", "--level", "details", *base)
    assert made.exit_code == 0, made.output
    assert re.fullmatch(r"https://example\.org/feeds/\S+\.ics\n", made.stdout)
    listed = run("feed list").stdout
    assert re.search(r"resource +hall +details", listed)
    assert made.stdout.split("/")[-1].removesuffix(".ics\n") not in listed


def test_feed_is_revoked(run):
    """The list says since when a feed is found no more."""
    run("feed create", "person", EMAIL)
    done = run("feed revoke", id_of(run("feed list").stdout))
    assert done.output == "Revoked.\n"
    assert re.search(r"Z .*\dZ *$", run("feed list").stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["resource", "attic"], "There is no resource 'attic'"),
        (["person", "ada"], "There is no person 'ada'"),
        (["subject", "Ada"], "timetable"),
        (["room", "hall"], "is not one of"),
        (["person", EMAIL, "--level", "all"], "is not one of"),
        (["person", "\udcff"], "encoding of this terminal"),
    ],
)
def test_no_feed(run, arguments, said):
    """What makes no sense is said in a sentence."""
    result = run("feed create", *arguments)
    assert result.exit_code != 0
    assert said in result.output


def test_unknown_feed(run):
    """There is no feed of this id."""
    result = run("feed revoke", str(uuid4()))
    assert result.exit_code == 1
    assert "There is no feed" in result.output


@pytest.mark.parametrize("command", ["key list", "resource list", "feed list"])
def test_no_database(command):
    """Without a server it is a sentence, and the status 2."""
    result = invoked(*command.split(), "--dsn", "postgresql://127.0.0.1:1/x")
    assert result.exit_code == 2
    assert "refused" in result.output
