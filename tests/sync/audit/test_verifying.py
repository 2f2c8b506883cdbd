"""Whatever is done to what was noted, verifying names the first wrong change."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from libres.sync.audit import verifying
from tests.fixtures.statements import counted
from tests.sync.audit.tampering import recompute, tamper


@pytest.fixture
def noted(trail, customer):
    """Twelve changes: ten customers came, one was changed, one went."""
    made = [customer(f"Name {number}", age=number) for number in range(10)]
    made[3].name = "Other"
    trail.session.commit()
    trail.session.delete(made[4])
    trail.session.commit()
    assert trail.verify().last == 12
    return trail


def test_empty(trail):
    """Without changes nothing is wrong."""
    verdict = trail.verify()
    assert verdict.is_good
    assert (verdict.checked, verdict.first, verdict.last) == (0, 1, 0)


def test_good(noted):
    """All changes are looked at; without secrets no signature is."""
    verdict = noted.verify()
    assert (verdict.is_good, verdict.bad, verdict.checked) == (True, None, 12)
    assert (verdict.anchors, verdict.anchored, verdict.erased) == (0, 0, 0)


def test_pieces(noted, monkeypatch):
    """Pieces follow upon each other, and somebody is told how far it is."""
    monkeypatch.setattr(verifying, "PIECE", 5)
    told = []
    assert noted.verify(told=lambda done, of: told.append((done, of))).is_good
    assert told == [(5, 12), (10, 12), (12, 12)]


COLUMNS = [
    ("context", "'other'"),
    ("position", "5000"),
    ("seq", "seq + 5000"),
    ("xid", "xid + 1"),
    ("tx_end", "NOT tx_end"),
    ("relation", "'notes'"),
    ("key", "'4711'"),
    ("operation", "'update'"),
    ("before", "'{}'"),
    ("after", 'after || \'{"name": "Eve"}\''),
    ("after", "after - 'age'"),
    ("after", "after - 'department'"),
    ("after", "after || '{\"more\": null}'"),
    ("after", "NULL"),
    ("tenant", "'somebody else'"),
    ("tenant_before", "'somebody else'"),
    ("actor", "'eve'"),
    ("request", "'r-1'"),
    ("reason", "'why not'"),
    ("at", "at - interval '1 microsecond'"),
    ("numbered", "numbered + interval '1 microsecond'"),
    ("salts", "array_fill(gen_random_uuid(), ARRAY[array_length(salts, 1)])"),
    ("salts", "array_append(salts, gen_random_uuid())"),
    ("salts", "array_fill(NULL::uuid, ARRAY[array_length(salts, 1)])"),
    ("salts", "NULL"),
    ("commitments", "sha256('x')"),
    ("commitments", "NULL"),
    ("digest", "sha256('x')"),
    ("digest", "NULL"),
]


@pytest.mark.parametrize(("column", "value"), COLUMNS)
def test_changed(noted, monkeypatch, column, value):
    """A column of a row that somebody has changed; it is the first of a piece."""
    monkeypatch.setattr(verifying, "PIECE", 6)
    change = f"SET {column} = {value} WHERE position = 7"
    tamper(noted.session, f"UPDATE sync_changes {change}")
    verdict = noted.verify()
    assert (verdict.bad, verdict.is_good) == (7, False)
    assert "7" in verdict.problem


def test_names_the_field(noted):
    """The field is named whose value is another one."""
    change = """UPDATE sync_changes SET after = after || '{"name": "Eve"}'"""
    tamper(noted.session, f"{change} WHERE position = 7")
    assert noted.verify().problem == "Change 7 is not as it was noted: name."


def test_erased_by_nobody(noted):
    """Values that are gone, with their salts, without anybody having asked for it."""
    change = """\
        UPDATE sync_changes SET
            salts = array_fill(NULL::uuid, ARRAY[cardinality(salts)]),
            after = (SELECT jsonb_object_agg(key, NULL) FROM jsonb_each(after))
        WHERE position = 7"""
    tamper(noted.session, change)
    verdict = noted.verify()
    assert verdict.bad == 7
    assert "nobody has said so" in verdict.problem


PRETEND = """\
    INSERT INTO audit_erasures (
        context, relation, key, fields, position, count, actor, reason
    )
    SELECT context, relation, key, ARRAY(SELECT jsonb_object_keys(after)), 12, 1, 'eve',
        'because' FROM sync_changes WHERE position = 7"""


def test_erased_by_pretence(noted):
    """An erasure that somebody has written there, but not into the chain."""
    tamper(noted.session, PRETEND)
    verdict = noted.verify()
    assert verdict.bad == 12
    assert "not in the chain" in verdict.problem


COPY = """\
    INSERT INTO sync_changes SELECT (jsonb_populate_record(change, {changed})).*
    FROM sync_changes AS change WHERE {which}"""
DROP = "UPDATE sync_feeds SET dropped = 3"
LATER = "jsonb_build_object('numbered', numbered + interval '1 second')"
AGAIN = COPY.format(changed=LATER, which="position = 7")
MORE = COPY.format(changed="'{\"position\": 13}'", which="position = 12")
SWAP = [
    "UPDATE sync_changes SET position = 100 WHERE position = 7",
    "UPDATE sync_changes SET position = 7 WHERE position = 8",
    "UPDATE sync_changes SET position = 8 WHERE position = 100",
]
DELETE = "DELETE FROM sync_changes"

STRANGE = [
    ("deleted", 7, [f"{DELETE} WHERE position = 7"]),
    ("several", 7, [f"{DELETE} WHERE position IN (7, 8, 11)"]),
    ("the first", 1, [f"{DELETE} WHERE position = 1"]),
    ("the last", 12, [f"{DELETE} WHERE position = 12"]),
    ("the end", 9, [f"{DELETE} WHERE position >= 9"]),
    ("all", 1, [DELETE]),
    ("inserted", 7, [AGAIN]),
    ("appended", 13, [MORE]),
    ("swapped", 7, SWAP),
    ("the feed", 1, ["DELETE FROM sync_feeds"]),
    ("its digest", 12, ["UPDATE sync_feeds SET digest = sha256('x')"]),
    ("its end", 12, ["UPDATE sync_feeds SET position = 11"]),
    ("its beginning", 1, [DROP]),
    ("its beginning, deleted", 4, [DROP, f"{DELETE} WHERE position <= 3"]),
]


@pytest.mark.parametrize(
    ("bad", "statements"),
    [each[1:] for each in STRANGE],
    ids=[each[0] for each in STRANGE],
)
def test_strange(noted, bad, statements):
    """Rows that are missing, or too many, or in other places; a feed that lies."""
    tamper(noted.session, *statements)
    assert noted.verify().bad == bad


def test_computed_anew(noted):
    """Who computes all of it anew is found by signatures only: here there are none."""
    tamper(noted.session, "UPDATE sync_changes SET actor = 'eve' WHERE position = 7")
    recompute(noted.session)
    assert noted.verify().is_good


def test_others_write(noted, customer, monkeypatch):
    """What others write meanwhile does not matter."""
    monkeypatch.setattr(verifying, "PIECE", 5)

    def write(_done, _of):
        customer("Late")
        noted.history()

    verdict = noted.verify(told=write)
    assert (verdict.is_good, verdict.last) == (True, 12)
    assert noted.verify().last == 15


def test_contexts(noted):
    """Changes of other contexts do not matter."""
    other = COPY.format(changed='\'{"context": "other"}\'', which="true")
    tamper(noted.session, other)
    assert noted.verify().is_good


def test_statements(noted):
    """How many statements it takes depends on the number of pieces only."""
    with counted(noted.session) as made:
        noted.verify()
    assert len(made) == 8


def test_settings_of_the_session(noted):
    """Zones and formats of a session do not matter."""
    noted.session.execute(
        text("SELECT set_config('TimeZone', 'Asia/Kathmandu', false)")
    )
    noted.session.commit()
    assert noted.verify().is_good
