"""`libres sync audit` from the outside: who changed what, and whether it is so."""

from __future__ import annotations

import json
import re

import pytest
from pytest_postgresql.factories import postgresql_noproc

from libres.sync.audit import Audit, keeping
from libres.sync.audit.tables import Tables
from libres.sync.capture import installing
from tests.cli.sync.running import SECRET, invoked
from tests.conflicts.conftest import make_claims
from tests.fixtures.database import PREFIX, make_tables
from tests.occupancy.conftest import make_occupancy
from tests.sync.audit.conftest import OWNER, make_audit
from tests.sync.audit.tampering import recompute, tamper
from tests.sync.conftest import make_sync
from tests.sync.models import Customer
from tests.timetable.conftest import make_timetable
from tests.web.conftest import make_web

MODEL = "myapp.Customer"


template = postgresql_noproc(
    dbname=f"{PREFIX}cliaudit",
    load=[
        *(make_tables, make_claims, make_timetable, make_occupancy),
        *(make_web, make_sync, make_audit),
    ],
    load_autocommit=False,
    depends_on="server",
)
"""What the databases of these tests are cloned from: all is noted."""


@pytest.fixture
def trail(sync):
    """The audit, of which nothing was noted yet."""
    keeping.begin(sync.session.connection(), "test")
    sync.commit()
    return Audit(sync.context)


@pytest.fixture
def ada(trail):
    """The key of a customer whose name was changed, by Carol."""
    made = Customer(organization_id=OWNER, name="Ada", age=36)
    trail.session.add(made)
    trail.commit()
    with trail.acting("carol\x1b[31m", request="r-1", reason="married"):
        made.name = "Ada King"
        trail.commit()
    key = made.id
    trail.rollback()
    trail.history()
    return str(key)


def test_set_up(run, done, trail, content):
    """What is missing is found, and installed; a dry run writes nothing."""
    noted = installing.uninstall(
        trail.session.connection(), "test", [Tables(trail.context).named(MODEL)]
    )
    trail.commit()
    assert noted == 1
    assert run("audit check").exit_code == 1
    before = content()
    said = done("audit setup --dry-run")
    assert said.startswith("Dry run, nothing is written: The audit is set up")
    assert content() == before
    assert run("audit check").exit_code == 1
    done("setup --no-audit")
    assert run("audit check").exit_code == 0
    done("audit setup")
    said = done("audit check")
    assert re.search(r"libres\.sync\.Permission +sync_permissions +yes", said)


def test_history(done, ada):
    """Changes are shown, the newest first, and what is hostile is harmless."""
    lines = done("audit history", "--model", MODEL, "--id", ada).splitlines()
    assert re.search(r"myapp\.Customer +\d+ +update +carol\S* +r-1 +name", lines[1])
    assert "\x1b" not in lines[1]
    assert " insert " in lines[2]
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--action", "update"], 1),
        (["--action", "delete"], 0),
        (["--request", "r-1"], 1),
        (["--user", "nobody"], 0),
        (["--since", "2999-01-01"], 0),
        (["--since", "2001-01-01", "--until", "2999-01-01T00:00:00+01:00"], 2),
        (["--limit", "1"], 1),
    ],
)
@pytest.mark.usefixtures("ada")
def test_filters(done, options, count):
    """Each option leaves out the others."""
    said = done("audit history", "--model", MODEL, *options)
    assert len(said.splitlines()) == 1 + count


def test_show(done, trail, ada):
    """A change is shown field by field."""
    (entry, _first) = trail.history(MODEL, ada)
    said = done("audit show", str(entry.position))
    assert re.search(r"reason +married", said)
    assert re.search(r"name +Ada +Ada King", said)


def test_as_of(run, done, ada):
    """A row is shown as it was; before it came there was none."""
    assert re.search(r"name +Ada King", done("audit as-of", MODEL, ada, "2999-01-01"))
    result = run("audit as-of", MODEL, ada, "2001-01-01")
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        ("audit show", ["4711"], "no change"),
        ("audit show", ["x"], "Invalid value"),
        ("audit history", ["--model", "nothing"], "no model"),
        ("audit history", ["--since", "yesterday"], "is no time"),
        ("audit find", [MODEL, "name"], "FIELD=VALUE"),
        ("audit erase", ["nothing", "1", "--reason", "r"], "no model"),
        ("audit erase", [MODEL, "1"], "reason"),
        ("audit erase", [MODEL, "1", "--reason", " "], "Say why"),
        ("audit erase", [MODEL, "1", "--reason", "r", "--field", "x"], "no field x"),
    ],
)
@pytest.mark.usefixtures("ada")
def test_refused(refuses, command, arguments, said):
    """What cannot be is refused in words."""
    refuses(command, arguments, said)


def test_find(done, ada):
    """Rows are found by what they have ever been."""
    assert done("audit find", MODEL, "name=Ada") == f"{ada}\n"
    assert done("audit find", MODEL, "name=Eve") == ""


def test_revert(done, trail, ada):
    """A change is undone by a new one; a dry run only tries."""
    (entry, _first) = trail.history(MODEL, ada)
    place = str(entry.position)
    said = done("audit revert", place, "--dry-run")
    assert said.startswith("Dry run, nothing is written: ")
    assert trail.session.get(Customer, int(ada)).name == "Ada King"
    trail.session.rollback()
    done("audit revert", place, "--reason", "divorced", "--by", "dora")
    assert trail.session.get(Customer, int(ada)).name == "Ada"
    newest = trail.history(MODEL, ada)[0]
    assert (newest.actor, newest.reason) == ("dora", "divorced")


def test_erase(done, trail, ada):
    """What was noted is erased; a dry run only counts."""
    erase = ("audit erase", MODEL, ada, "--reason", "request 7", "--field", "name")
    said = done(*erase, "--dry-run")
    assert said == "Dry run, nothing is written: Erased in 2 changes: name.\n"
    assert "Ada King" in str(trail.history(MODEL, ada)[0].after)
    assert done(*erase, "--by", "dora") == "Erased in 2 changes: name.\n"
    assert "Ada" not in str(trail.history(MODEL, ada)[0].after)
    said = done("audit verify")
    assert "In 2 changes something was erased." in said
    assert "All is as it was noted." in said
    assert trail.history("libres.sync.Erasure")[0].actor == "dora"


@pytest.mark.usefixtures("ada")
def test_verify(run, done, trail):
    """What was changed is named, and the exit status says so."""
    assert done("audit anchor").startswith("Signed up to change ")
    assert "1 signature checked; signed up to change" in done("audit verify")
    forge = "UPDATE sync_changes SET actor = 'eve' WHERE position = 2"
    tamper(trail.session, forge)
    result = run("audit verify")
    assert result.exit_code == 1
    assert "WRONG, first at 2: Change 2 is not as it was noted" in result.stdout


@pytest.mark.usefixtures("ada")
def test_anchors(run, done, trail, tmp_path):
    """Signatures that are kept elsewhere find a chain that was computed anew."""
    dry = done("audit anchor --dry-run")
    assert dry.startswith("Dry run, nothing is written: Signed up to change ")
    assert json.loads(done("audit anchors")) == []
    done("audit anchor")
    kept = tmp_path / "anchors.json"
    done("audit anchors", str(kept))
    tamper(
        trail.session,
        "UPDATE sync_changes SET actor = 'eve' WHERE position = 2",
        "DELETE FROM audit_anchors",
    )
    recompute(trail.session)
    assert run("audit verify").exit_code == 0
    assert run("audit verify", "--anchors", str(kept)).exit_code == 1
    kept.write_text("{}")
    assert "has no signatures" in run("audit verify", "--anchors", str(kept)).output


@pytest.mark.usefixtures("ada")
def test_export(done, tmp_path):
    """An exported file is verified without a database."""
    done("audit anchor")
    file = tmp_path / "audit.jsonl"
    done("audit export", str(file))
    result = invoked("audit", "verify-export", str(file))
    assert result.exit_code == 0, result.output
    assert "1 signature checked" in result.stdout
    file.write_text(file.read_text().replace("Ada King", "Eve King"))
    result = invoked("audit", "verify-export", str(file))
    assert result.exit_code == 1
    assert "name" in result.stdout


@pytest.mark.usefixtures("ada")
def test_export_some(done, tmp_path):
    """Some changes are exported to the terminal; keys come from files."""
    done("audit anchor")
    said = done("audit export", "--model", MODEL)
    file, key = tmp_path / "audit.jsonl", tmp_path / "key"
    file.write_text(said)
    key.write_text(SECRET)
    options = (str(file), "--key", f"env={key}")
    result = invoked("audit", "verify-export", *options)
    assert result.exit_code == 0, result.output
    assert "2 changes looked at" in result.stdout
    result = invoked("audit", "verify-export", str(file), "--key", "one=/nowhere")
    assert "cannot be read" in result.output
    key.write_text("no export")
    assert invoked("audit", "verify-export", str(key)).exit_code == 1
