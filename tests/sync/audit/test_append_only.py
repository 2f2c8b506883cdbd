"""What was noted is changed by nobody, but for erasures, and dropped when it is old."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from libres.sync import schema
from libres.sync.feed import guarding
from libres.sync.keyring import configure
from tests.sync.audit.tampering import tamper

PARTITION = "(SELECT tableoid::regclass FROM sync_changes LIMIT 1)"


@pytest.fixture
def noted(context, trail, customer):
    """Two changes, signed, and an erasure that is noted."""
    configure(context, {"one": "s" * 40})
    customer("Ada")
    customer("Bob")
    trail.anchor()
    add = """\
        INSERT INTO audit_erasures (
            context, relation, key, fields, position, count, actor, reason
        ) VALUES ('test', 'notes', '1', '{text}', 2, 1, 'ada', 'because')"""
    trail.session.execute(text(add))
    trail.session.commit()
    return trail


@pytest.fixture
def partition(noted):
    """The name of the partition that the changes are in."""
    query = "SELECT DISTINCT tableoid::regclass::text FROM sync_changes"
    found = noted.session.scalar(text(query))
    noted.session.commit()
    return found


REFUSED = [
    "UPDATE {changes} SET actor = 'eve'",
    "UPDATE {changes} SET digest = NULL",
    "UPDATE {changes} SET actor = actor",
    "UPDATE {changes} SET position = position + 100",
    "UPDATE {changes} SET after = after || '{{\"name\": null}}'",
    "UPDATE {changes} SET after = NULL, before = NULL, salts = NULL",
    "UPDATE {changes} SET salts = array_fill(NULL::uuid, ARRAY[cardinality(salts)])",
    "DELETE FROM {changes}",
    "DELETE FROM {changes} WHERE position = 2",
    "TRUNCATE {changes}",
]


@pytest.mark.parametrize("statement", REFUSED)
def test_changes(noted, partition, statement):
    """Changes are neither changed nor deleted, through their table or the partition."""
    for table in ("sync_changes", partition):
        with pytest.raises(IntegrityError, match="What was noted stays"):
            noted.session.execute(text(statement.format(changes=table)))
        noted.session.rollback()
    assert noted.verify().is_good


@pytest.mark.parametrize("table", ["audit_anchors", "audit_erasures"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET position = 1", "DELETE FROM {}", "TRUNCATE {}"]
)
@pytest.mark.usefixtures("noted")
def test_proofs(session, table, statement):
    """Signatures and erasures stay as well."""
    with pytest.raises(IntegrityError, match="What was noted stays"):
        session.execute(text(statement.format(table)))


BLANK = """\
    UPDATE sync_changes SET
        after = audit_blanked(after, ARRAY['name']),
        salts = (
            SELECT array_agg(CASE WHEN field <> 'name' THEN salt END ORDER BY number)
            FROM jsonb_object_keys(after) WITH ORDINALITY AS fields (field, number)
            JOIN unnest(salts) WITH ORDINALITY AS salts (salt, number) USING (number)
        )"""


@pytest.mark.usefixtures("noted")
def test_erasure(session):
    """A value may become null together with its salt."""
    session.execute(text(f"{BLANK} WHERE position = 1"))
    session.commit()
    names = session.scalars(text("SELECT after->>'name' FROM sync_changes"))
    assert set(names) == {None, "Bob"}


@pytest.mark.usefixtures("noted")
@pytest.mark.parametrize(
    "more", ["actor = 'eve'", "commitments = NULL", "digest = sha256('x')"]
)
def test_erasure_and_more(session, more):
    """But nothing else with it."""
    with pytest.raises(IntegrityError, match="What was noted stays"):
        session.execute(text(f"{BLANK}, {more}"))


@pytest.mark.usefixtures("noted")
def test_erasure_twice(session):
    """What is erased stays so: it gets no value again."""
    session.execute(text(BLANK))
    again = """UPDATE sync_changes SET after = after || '{"name": "Eve"}'"""
    with pytest.raises(IntegrityError, match="What was noted stays"):
        session.execute(text(again))


@pytest.mark.usefixtures("noted")
def test_dropped(session):
    """What the feed has dropped may go."""
    session.execute(text("UPDATE sync_feeds SET dropped = 1"))
    session.execute(text("DELETE FROM sync_changes WHERE position = 1"))
    with pytest.raises(IntegrityError, match="change 2"):
        session.execute(text("DELETE FROM sync_changes WHERE position = 2"))


def test_guarded_again(session):
    """What is missing is made again by setting up, and what is there is left alone."""
    tamper(session, "DROP TRIGGER audit_stays ON sync_changes")
    connection = session.connection()
    assert len(list(guarding._missing(connection))) == 1
    schema.create_missing(connection)
    assert not list(guarding._missing(connection))
    session.commit()
