"""What is exported is checked elsewhere, without any database."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from libres.modules.errors import Misuse
from libres.sync.audit import exporting, verify_export
from libres.sync.errors import UnknownEntity
from libres.sync.keyring import configure
from tests.sync.audit.tampering import tamper
from tests.sync.models import Note

SECRET = {"one": "s" * 40}
ODD = 'Zoë \u202e <script>\u2028 \\ " \x07 \U0001f600'
MODEL = "myapp.Customer"


@pytest.fixture
def noted(context, trail, session, customer):
    """Five changes with odd values, of which four are signed."""
    configure(context, SECRET)
    made = customer(ODD, age=36, department="x" * 2000)
    key = made.id
    price = Decimal("12.50")
    session.add(Note(text="a", price=price, organization_id=made.organization_id))
    session.commit()
    made.name = "Ada"
    with trail.acting("zoë", request="r-1", reason="why\nnot"):
        session.commit()
    customer("Bob")
    assert trail.anchor() == 4
    session.delete(made)
    session.commit()
    assert key
    return trail


@pytest.fixture
def exported(noted):
    """Exports, and returns the lines."""

    def export(**asked):
        file = io.StringIO()
        count = noted.export(file, **asked)
        lines = file.getvalue().splitlines(keepends=True)
        told = [each for each in map(json.loads, lines) if "digest" in each]
        assert len(told) == count
        return lines

    return export


def test_whole(exported):
    """An export as a whole verifies, signatures included."""
    verdict = verify_export(exported(), SECRET)
    assert verdict.is_good, verdict.problem
    assert (verdict.checked, verdict.first, verdict.last) == (5, 1, 5)
    assert (verdict.anchors, verdict.anchored) == (1, 4)


def test_lines(exported):
    """Lines are JSON, oldest first, and tell what was noted."""
    lines = [json.loads(each) for each in exported()]
    assert list(lines[0]) == [
        *("export", "version", "context", "at", "first", "last", "follows", "whole")
    ]
    changes = [each for each in lines if "digest" in each]
    assert [each["position"] for each in changes] == [1, 2, 3, 4, 5]
    third = changes[2]
    assert (third["relation"], third["action"]) == ("customers", "update")
    assert (third["actor"], third["request"]) == ("zoë", "r-1")
    values = [json.loads(each["values"]) for each in third["fields"]]
    assert ["name", ODD, "Ada"] in values
    assert lines[-1] == {"end": 5}


def test_without_keys(exported):
    """Without keys signatures are compared, but not believed."""
    verdict = verify_export(exported())
    assert (verdict.is_good, verdict.anchors, verdict.anchored) == (True, 0, 0)


def test_other_keys(exported):
    """Another secret of the same name finds that they are not its own."""
    verdict = verify_export(exported(), {"one": "t" * 40})
    assert (verdict.bad, verdict.is_good) == (4, False)


def test_empty(trail):
    """An export without changes is good."""
    file = io.StringIO()
    assert trail.export(file) == 0
    verdict = verify_export(file.getvalue().splitlines())
    assert (verdict.is_good, verdict.checked) == (True, 0)


def change(lines, number, act):
    """Change a line."""
    line = json.loads(lines[number])
    act(line)
    lines[number] = json.dumps(line)


FORGED = {
    "position": 7,
    "at": "2026-01-01T00:00:00+00:00",
    "numbered": "2026-01-01T00:00:00+00:00",
    "relation": "notes",
    "key": "4711",
    "action": "delete",
    "actor": "eve",
    "request": "r-2",
    "reason": "because",
    "tenant": "eve",
    "entry": "[]",
    "digest": "00" * 32,
    "fields": [],
}


@pytest.mark.parametrize("name", FORGED)
def test_forged(exported, name):
    """Whatever of a line is changed, or missing, is found."""
    lines = exported()
    change(lines, 3, lambda line: line.update({name: FORGED[name]}))
    assert verify_export(lines, SECRET).bad == 3
    change(lines, 3, lambda line: line.pop(name))
    assert verify_export(lines, SECRET).bad == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("values", '["name", null, "Eve"]'),
        ("salt", "00000000-0000-0000-0000-000000000000"),
        ("salt", None),
        ("commitment", "00" * 32),
    ],
)
def test_forged_field(exported, name, value):
    """Whatever of a field is changed is found, and the field is named."""
    lines = exported()

    def act(line):
        wanted = (each for each in line["fields"] if '["name"' in each["values"])
        next(wanted)[name] = value

    change(lines, 3, act)
    verdict = verify_export(lines, SECRET)
    assert verdict.bad == 3
    assert verdict.problem == "Change 3 is not as it was noted: name."


@pytest.mark.parametrize(
    ("act", "bad"),
    [
        (lambda lines: lines.pop(3), 3),
        (lambda lines: lines.pop(), 6),
        (lambda lines: lines.__delitem__(slice(-2, -1)), 5),
        (lambda lines: lines.insert(3, lines[2]), 3),
        (lambda lines: lines.append(lines[1]), 6),
        (lambda lines: lines.insert(2, "nonsense"), 2),
        (lambda lines: lines.insert(2, "[]"), 2),
        (lambda lines: lines.__setitem__(slice(2, 4), [lines[3], lines[2]]), 2),
    ],
)
def test_lines_that_are_not_right(exported, act, bad):
    """Lines that are missing, too many, in other places, or none."""
    lines = exported()
    act(lines)
    assert verify_export(lines, SECRET).bad == bad


@pytest.mark.parametrize("lines", [[], ["x"], ["{}"], ['{"export": "other"}']])
def test_no_export(lines):
    """What is no export is refused."""
    with pytest.raises(Misuse, match="no export"):
        verify_export(lines)


def test_some(exported):
    """Of what was not asked for there is nothing but what it adds to the chain."""
    lines = exported(model=MODEL, action="update")
    assert "Bob" not in "".join(lines)
    verdict = verify_export(lines, SECRET)
    assert verdict.is_good, verdict.problem
    assert (verdict.checked, verdict.first, verdict.last) == (1, 3, 4)
    assert verdict.anchored == 4


def test_some_forged(exported):
    """What was left out cannot be changed either."""
    lines = exported(user="zoë")
    assert verify_export(lines, SECRET).anchored == 4

    def act(line):
        line["left_out"] = ["00" * 32]

    change(lines, 2, act)
    assert verify_export(lines, SECRET).bad is not None


def test_nothing_asked_for(exported):
    """Where nothing was found the export is empty, and good."""
    verdict = verify_export(exported(user="nobody"), SECRET)
    assert (verdict.is_good, verdict.checked) == (True, 0)


def test_pages(exported, monkeypatch):
    """However many are read at once, the file is the same but for its time."""
    whole = exported()[1:]
    monkeypatch.setattr(exporting, "PAGE", 2)
    assert exported()[1:] == whole
    assert verify_export(exported(action="delete"), SECRET).is_good


def test_erased(noted, session, exported):
    """What was erased is not exported, and who has asked for it is."""
    noted.erase(MODEL, 1, ["name"], reason="request 7")
    session.commit()
    lines = exported()
    assert "Zo" not in "".join(lines)
    verdict = verify_export(lines, SECRET)
    assert verdict.is_good, verdict.problem
    assert verdict.erased == 3


def test_erased_by_nobody(noted, session, exported):
    """What is gone without anybody having said so is found."""
    noted.erase(MODEL, 1, ["name"], reason="request 7")
    session.commit()
    assert noted.verify().last == 6
    tamper(
        session,
        "DELETE FROM sync_changes WHERE position = 6",
        "UPDATE sync_feeds SET position = 5, digest = (SELECT digest FROM sync_changes "
        "WHERE position = 5)",
    )
    verdict = verify_export(exported(), SECRET)
    assert verdict.bad == 5
    assert "nobody has said so" in verdict.problem


def test_after_dropping(noted, exported):
    """What is left after old changes are gone is exported, and verifies."""
    noted.history()
    noted.drop_old(noted.entry(5).numbered)
    lines = exported()
    verdict = verify_export(lines, SECRET)
    assert verdict.is_good, verdict.problem
    assert (verdict.first, verdict.last) == (5, 5)


def test_asks_wrongly(noted):
    """What cannot be asked for is refused before anything is written."""
    file = io.StringIO()
    with pytest.raises(UnknownEntity):
        noted.export(file, model="nothing")
    with pytest.raises(Misuse):
        noted.export(file, since=datetime(2030, 1, 1))  # noqa: DTZ001 - the point
    assert file.getvalue() == ""
    assert noted.export(file, since=datetime(2999, 1, 1, tzinfo=UTC)) == 0
