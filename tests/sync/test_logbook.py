"""The log as it is read: filtered, page by page, summed up, and by its indexes."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import event, insert, text

from libres.domain.days import UTC
from libres.modules.errors import Misuse
from libres.sync import logbook
from libres.sync.errors import UnknownEntity
from libres.sync.logbook import Logbook, Sought, Totals
from libres.sync.models import SyncLog
from tests.fixtures.statements import counted

START = datetime(2026, 11, 27, 9, tzinfo=UTC)
ACME = UUID(int=1)
RETAIL = UUID(int=2)


@pytest.fixture
def book(sync):
    """The log of the context."""
    return Logbook(sync.context)


@pytest.fixture
def note(sync):
    """Notes requests, a second after each other, of a context."""

    def noted(number=1, **values):
        known = {
            "context": sync.context.name,
            "user": "7",
            "username": "john",
            "organization": ACME,
            "operation": "push",
            "status": "success",
            "seconds": 0.5,
            **values,
        }
        made = [
            {"at": START + timedelta(seconds=each), **known} for each in range(number)
        ]
        query = insert(SyncLog).returning(SyncLog.id)
        found = list(sync.session.scalars(query, made))
        sync.commit()
        return found

    return noted


def ids(records):
    """What records are called."""
    return [each.id for each in records]


def test_latest(book, note):
    """The latest comes first; of other contexts there is nothing."""
    first, second = note(2)
    note(context="another")
    assert ids(book.latest(Sought())) == [second, first]
    assert ids(book.latest(Sought(), limit=1)) == [second]


def test_before(book, note):
    """Going on from a record on finds each once, those of the same moment as well."""
    made = note(5, at=START)
    seen, before = [], None
    while page := book.latest(Sought(), before, 2):
        seen += ids(page)
        before = page[-1].mark
    assert seen == made[::-1]


def test_all(book, note, monkeypatch):
    """All are found, page by page, each in a transaction of its own."""
    monkeypatch.setattr(logbook, "PAGE", 2)
    made = note(5)
    with counted(book.session) as statements:
        assert ids(book.all(Sought())) == made[::-1]
    assert len(statements) == 4


@pytest.mark.parametrize(
    ("sought", "count"),
    [
        (Sought(user="john"), 2),
        (Sought(user="7"), 2),
        (Sought(user="mary"), 1),
        (Sought(operation="pull"), 1),
        (Sought(statuses=["success"]), 2),
        (Sought(statuses=["error", "ok"]), 1),
        (Sought(since=START + timedelta(days=1)), 1),
        (Sought(until=START), 0),
        (Sought(until=START + timedelta(seconds=1)), 1),
        (Sought(organizations=[ACME]), 2),
        (Sought(organizations=[ACME, RETAIL]), 3),
        (Sought(organizations=[]), 0),  # nothing, not everything
    ],
)
def test_sought(book, note, sought, count):
    """Only what is sought is found, and summed up."""
    note(2)
    later = START + timedelta(days=1)
    other = {"user": "8", "username": "mary", "operation": "pull", "status": "error"}
    note(at=later, organization=RETAIL, **other)
    assert len(book.latest(sought)) == count
    assert book.totals(sought).requests == count


def test_totals(book, note):
    """What was asked is summed up; nothing is summed up to nothing."""
    assert book.totals(Sought()) == Totals(0, 0, 0, 0, 0, 0)
    note(2, succeeded=3, failed=1, seconds=0.5)
    note(status="error", seconds=2)
    assert book.totals(Sought()) == Totals(3, 1, 6, 2, 1.0, 2.0)


def test_one(book, note):
    """A record is found by its number, by those who may see it."""
    (number,) = note()
    assert book.one(number).id == number
    assert book.one(number, [ACME]).id == number
    for organizations in ([RETAIL], []):
        with pytest.raises(UnknownEntity):
            book.one(number, organizations)
    for missing in (number + 1, -1, 2**70):
        with pytest.raises(UnknownEntity):
            book.one(missing)


def test_wrong(book):
    """A moment needs a timezone, and a page something on it."""
    with pytest.raises(Misuse):
        book.latest(Sought(since=datetime(2026, 11, 27)))  # noqa: DTZ001 - on purpose
    with pytest.raises(Misuse):
        book.latest(Sought(), limit=0)


# Plans --------------------------------------------------------------------------------

MANY = text("""\
INSERT INTO sync_log (
    context, at, "user", username, organization, operation, status, seconds
)
SELECT :context, timestamptz '2026-11-27 09:00Z' + number * interval '1 second',
    (number % 500)::text, 'user ' || number % 500, md5((number % 50)::text)::uuid,
    'push', 'success', 0.1
FROM generate_series(1, 20000) AS number
""")

SOMEBODY = UUID("e4da3b7f-bbce-2345-d777-2b0674a318d5")
"""An organisation with one record of 50: the MD5 of 5."""


@pytest.fixture
def looked_at(sync, book):
    """Tells how many rows of a long log were read to find the latest records."""
    session = sync.session
    session.execute(MANY, {"context": sync.context.name})
    session.execute(text("ANALYZE sync_log"))
    sync.commit()
    engine = session.get_bind()

    def look(sought, before=None):
        sent = []
        event.listen(
            engine, "before_cursor_execute", lambda *told: sent.append(told[2:4])
        )
        found = book.latest(sought, before)
        (statement, parameters), *_ = sent
        with engine.connect() as connection:
            plan = connection.exec_driver_sql(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters
            ).scalar()
        return len(found), rows_of(plan[0]["Plan"])

    return look


def rows_of(node):
    """How many rows of the log a plan has read."""
    read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    is_log = node.get("Relation Name") == "sync_log"
    return is_log * node["Actual Loops"] * read + sum(
        rows_of(each) for each in node.get("Plans", ())
    )


LATER = (START + timedelta(seconds=9000), 0)


@pytest.mark.parametrize(
    ("sought", "before", "count"),
    [
        (Sought(), None, 100),
        (Sought(), LATER, 100),
        (Sought(organizations=[SOMEBODY]), None, 100),
        (Sought(organizations=[SOMEBODY]), LATER, 100),
        (Sought(user="7"), None, 40),
        (Sought(user="user 7"), None, 40),
        (Sought(until=START + timedelta(seconds=51)), None, 50),
    ],
)
def test_plans(looked_at, sought, before, count):
    """A page of a long log reads little more than it shows."""
    found, read = looked_at(sought, before)
    assert found == count
    assert read <= count + 100
