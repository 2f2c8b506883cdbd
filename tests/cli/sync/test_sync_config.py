"""`libres sync config` and `logs` from the outside; and what all commands have."""

from __future__ import annotations

import json
import os

import click
import pytest
from sqlalchemy import text

from libres.cli.commands.sync import sync as group
from libres.sync.models import SyncLog
from tests.cli.sync.running import invoked
from tests.jobs.conftest import old  # noqa: F401 - a fixture

NEW = {"organizations": [{"slug": "new", "name": "New"}]}


@pytest.fixture
def file(tmp_path):
    """Writes a file, and gives its path."""

    def file(said):
        path = tmp_path / "config"
        path.write_bytes(said if isinstance(said, bytes) else json.dumps(said).encode())
        return str(path)

    return file


# Out and in ---------------------------------------------------------------------------


@pytest.mark.usefixtures("house")
def test_export(done, file):
    """What is exported can be imported, which then changes nothing."""
    said = done("config export")
    assert json.loads(said)["organizations"][0]["slug"] == "acme-corp"
    assert "password" not in said
    told = done("config import", file(said.encode()), "--replace")
    assert told.count("0 created, 0 updated, 0 removed.") == 9
    assert done("config export") == said


@pytest.mark.usefixtures("house")
def test_sections(done, file):
    """Some sections are enough, of what is printed and of what is read."""
    said = json.loads(done("config export", "--section", "roles"))
    assert list(said) == ["roles"]
    whole = {**NEW, "settings": {"feed_kept": 7}}
    told = done("config import", file(whole), "--section", "settings")
    assert told == "settings: 0 created, 1 updated, 0 removed.\n"
    assert "new" not in done("org list")


@pytest.mark.usefixtures("house")
def test_environment(done, file, refuses):
    """Settings can be lines for the environment."""
    done("settings set", "feed_kept", "7")
    said = done("config export", "--format", "env")
    assert "\nLIBRES_SYNC_FEED_KEPT=7\n" in said
    done("settings reset", "feed_kept")
    told = done("config import", file(said.encode()), "--format", "env")
    assert told == "settings: 0 created, 1 updated, 0 removed.\n"
    wrong = file(b"LIBRES_SYNC_SECRET=hunter2hunter2")
    refuses("config import", [wrong, "--format", "env"], "Line 1 is not")
    options = ["--format", "env", "--section", "roles"]
    refuses("config export", options, "for settings only")
    refuses("config import", [file(b"\xff"), "--format", "env"], "not written in UTF-8")


@pytest.mark.usefixtures("house")
def test_import(done, file, content):
    """It counts what is created, updated and removed; a dry run does not do so."""
    before = content()
    told = done("config import", file(NEW), "--dry-run")
    assert "Dry run, nothing is written: organizations: 1 created" in told
    assert content() == before
    assert done("config import", file(NEW)) == (
        "organizations: 1 created, 0 updated, 0 removed.\n"
    )
    assert "new" in done("org list")


@pytest.mark.usefixtures("house")
def test_replace(done, file):
    """With --replace what is not named goes."""
    told = done("config import", file({"permissions": []}), "--replace")
    assert told.startswith("permissions: 0 created, 0 updated, ")
    assert json.loads(done("config export"))["permissions"] == []


@pytest.mark.usefixtures("house")
def test_wrong(run, refuses, file):
    """All that is wrong is told, and nothing is stored."""
    wrong = {**NEW, "users": [{"username": "a\x1b[2J"}], "roles": [{"code": "x"}]}
    said = "users, 1: username cannot be this.*roles, 1: name is missing"
    refuses("config import", [file(wrong)], f"Nothing is imported: {said}")
    found = run("config validate", file(wrong))
    assert (found.exit_code, found.output.count("\n")) == (1, 2)
    assert "\x1b" not in found.output
    for other in (b"", b"{", b"[]", b'{"a": 1, "a": 2}', b"\xff"):
        refuses("config import", [file(other)], r"\w")


@pytest.mark.usefixtures("house")
def test_validate(done, file):
    """What can be imported is said to be so."""
    assert done("config validate", file(NEW)) == "It can be imported.\n"


@pytest.mark.usefixtures("house")
def test_show(done):
    """All of it can be read, or a section, or how much there is."""
    said = done("config show")
    assert "City University" in said
    assert "john_manager" in said
    assert "City University" not in done("config show", "--section", "roles")
    counts = dict(line.split() for line in done("config summary").splitlines()[1:])
    assert counts["organizations"] == "3"
    assert counts["settings"] == "0"


@pytest.mark.usefixtures("house")
def test_reset(done, run, content):
    """Settings go back to their defaults, once somebody has said yes."""
    done("settings set", "feed_kept", "7")
    before = content()
    assert run("config reset", input="n\n").exit_code == 1
    assert "1 setting reset" in done("config reset", "--dry-run")
    assert content() == before
    assert done("config reset", input="y\n") == "1 setting reset.\n"
    assert done("config reset", "--force") == "0 settings reset.\n"


# The log ------------------------------------------------------------------------------


@pytest.fixture
def log(house, old):  # noqa: F811 - a fixture
    """Three old records and a new one."""
    assert house
    old(SyncLog, 3, days=100)
    old(SyncLog, 1, days=1)


@pytest.mark.usefixtures("log")
def test_clean(done, content):
    """What is old goes: as the setting says, or as it is said here."""
    before = content()
    assert "3 records dropped" in done("logs clean", "--dry-run")
    assert content() == before
    assert done("logs clean") == "3 records dropped.\n"
    assert done("logs clean", "--days", "2") == "0 records dropped.\n"
    assert done("logs clean", "--days", "0") == "1 record dropped.\n"


@pytest.mark.usefixtures("log")
def test_logs(done, house):
    """The last records are shown; what is in them does nothing."""
    evil = text("UPDATE sync_log SET username = :evil, error = '[bold]x' WHERE id = 1")
    house.session.execute(evil, {"evil": "\x1b[31mevil"})
    house.commit()
    said = done("logs show")
    assert said.count("push") == 4
    assert "\x1b" not in said
    assert "[bold]x" in said
    assert done("logs show", "--last", "2").count("push") == 2
    assert done("logs show", "--user", "1").count("push") == 4
    assert "push" not in done("logs show", "--operation", "job")


@pytest.mark.parametrize("days", ["-1", "40000", "x"])
def test_days(refuses, days):
    """Days that make no sense are refused."""
    refuses("logs clean", ["--days", days], "Invalid value")


# What all commands have ---------------------------------------------------------------

ONLY_READ = {
    *("cursor show", "device list", "device refused", "device status"),
    *("devices list", "feed lag", "feed show", "filters list", "models list"),
    *(
        "models show",
        "models discover",
        "models describe",
        "org list",
        "permissions show",
    ),
    *("permissions generate", "permissions export", "permissions validate"),
    *("permissions templates", "resources list", "role list", "settings list"),
    *("user list", "logs show", "config show", "config summary", "config export"),
    *("config validate", "audit check", "audit history", "audit show", "audit as-of"),
    *("audit find", "audit verify", "audit anchors", "audit export"),
    *("audit verify-export",),
}
"""Commands that write nothing."""

OWN_FILE = {"device sign-in", "device pull", "device sync", "feed work"}
"""Those that talk to a server, or work until they are ended: to do so is the point."""


def walked(command, path=()):
    """Yield all commands with their names."""
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from walked(each, (*path, name))
    else:
        yield " ".join(path), command


def options_of(command):
    """Return all names of options of a command."""
    return {name for each in command.params for name in each.opts}


@pytest.mark.parametrize(
    ("name", "command"), [pytest.param(*each, id=each[0]) for each in walked(group)]
)
def test_dry_run_everywhere(name, command):
    """Each command that writes has --dry-run, and no other one."""
    writes = name not in ONLY_READ | OWN_FILE
    assert ("--dry-run" in options_of(command)) is writes


def test_lists():
    """The lists of this module name commands that there are."""
    known = {name for name, _command in walked(group)}
    assert known >= OWN_FILE | ONLY_READ


def test_dsn_everywhere():
    """Each command that takes a server takes it from the environment as well."""
    of = {"dsn": "LIBRES_DSN"}
    for name, command in walked(group):
        for each in command.params:
            assert each.envvar == of.get(each.name, each.envvar), name


@pytest.mark.usefixtures("house")
def test_dsn_of_the_environment(dsn):
    """LIBRES_DSN names the server where no option does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "LIBRES_DSN", dsn)
        result = invoked("org", "list", "--context", "test")
    assert (result.exit_code, "acme-corp" in result.output) == (0, True)
