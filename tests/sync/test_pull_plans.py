"""The plans that pulling relies on: a poll touches what it is about, and no more.

Among 20,000 changes of 500 organisations, and as many rows, the statements of a pull
are explained, with a count of the rows they look at.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import event, select, text

from libres.context.registry import create_default_registry
from libres.sync import Sync
from libres.sync.feed import reading
from libres.sync.keyring import configure
from libres.sync.models import SyncFeed
from libres.sync.registry import registry_of
from tests.fixtures.database import cloned
from tests.sync import models
from tests.sync.pulls import SECRET, filtered, member_of

CHANGES, TENANTS = 20_000, 500
NAME = "myapp.Customer"
SMALL = UUID(int=1000)
"""An organisation with 20 rows, and 20 changes of them."""

FILL = """
INSERT INTO customers (organization_id, name, assigned_sales_id)
SELECT ('00000000-0000-0000-0000-' || lpad(to_hex(1000 + i % :tenants), 12, '0'))::uuid,
    'n' || i, '00000000-0000-0000-0000-000000000007'
FROM generate_series(1, :changes / 2) AS i
"""

CHANGE = "UPDATE customers SET age = 1"

SHARE = (
    "INSERT INTO countries SELECT chr(65 + i) || 'X', 'n' FROM generate_series(0, 9) i"
)

BIG = """
INSERT INTO notes (organization_id, text)
SELECT '00000000-0000-0000-0000-000000000001', 'x' FROM generate_series(1, 5000)
"""

INDEX = "CREATE INDEX ix_customers_organization ON customers (organization_id)"


@pytest.fixture(scope="module")
def server_of_many(server, template):
    """A database that many organisations share."""
    with cloned(server, template) as dsn:
        context = create_default_registry().register_context("test")
        context.set_setting("dsn", dsn)
        configure(context, SECRET)
        models.register(registry_of(context))
        sync = Sync(context)
        fill(sync)
        yield sync
        context.get_service("session_provider").stop_service()


def fill(sync):
    """Write rows, change them, number it all, and gather statistics."""
    values = {"tenants": TENANTS, "changes": CHANGES}
    sync.session.execute(text(FILL), values)
    for statement in (CHANGE, SHARE, BIG, INDEX):
        sync.session.execute(text(statement))
    sync.session.commit()
    sync.number()
    engine = sync.session.get_bind().execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))


@pytest.fixture
def explained(server_of_many):
    """Explains what a function sends in its read-only transaction."""
    engine = server_of_many.session_provider.read_only_engine

    def run(function):
        sent = []

        def note(_connection, _cursor, statement, parameters, *_):
            sent.append((statement, parameters))

        event.listen(engine, "before_cursor_execute", note)
        try:
            function()
        finally:
            event.remove(engine, "before_cursor_execute", note)
        with engine.connect() as connection:
            return [explain(connection, *each) for each in sent]

    return run


def explain(connection, statement, parameters):
    """Run a statement, and return the nodes of its plan."""
    asked = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
    plan = connection.exec_driver_sql(asked, parameters).scalar()
    return list(walk(plan[0]["Plan"]))


def walk(node):
    """Yield a node, and those below it."""
    yield node
    for each in node.get("Plans", ()):
        yield from walk(each)


def looked_at(nodes, table):
    """Count the rows that were read of a table, and of its partitions."""
    return sum(
        node["Actual Loops"]
        * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in nodes
        if node.get("Relation Name", "").startswith(table)
    )


def sequential(nodes):
    """Tell which tables are read from end to end; a partition that is empty may be."""
    return {
        node["Relation Name"]
        for node in nodes
        if node["Node Type"] == "Seq Scan" and node["Actual Rows"] > 0
    }


def changes_of(explained, sync, organization, **options):
    """Explain reading changes of customers and countries, from the beginning."""
    asked = {"after": 0, "most": 101, **options}

    def run():
        with sync.context.read_only() as session:
            return reading.changes(
                session,
                "test",
                str(organization),
                {"customers", "countries"},
                asked["after"],
                datetime(2001, 1, 1, tzinfo=UTC),
                asked["most"],
            )

    (nodes,) = explained(run)
    return nodes


def test_small_among_many(explained, server_of_many):
    """Reading all changes of a small organisation touches its own, and shared ones."""
    nodes = changes_of(explained, server_of_many, SMALL)
    assert sequential(nodes) == set()
    assert 0 < looked_at(nodes, "sync_changes") <= 40 + 10


def test_stranger(explained, server_of_many):
    """An organisation without changes reads shared ones alone."""
    nodes = changes_of(explained, server_of_many, UUID(int=77))
    assert sequential(nodes) == set()
    assert looked_at(nodes, "sync_changes") <= 10


def test_page_of_much(explained, server_of_many):
    """A page reads as much as it has, and no more, however much there is after it."""
    nodes = changes_of(explained, server_of_many, SMALL, most=5)
    assert looked_at(nodes, "sync_changes") <= 5 + 5
    assert "Sort" not in {node["Node Type"] for node in nodes if is_large(node)}


def is_large(node):
    """Tell whether a node had many rows to work on."""
    return any(each["Actual Rows"] > 20 for each in node.get("Plans", ()))


def test_nothing_new(explained, server_of_many):
    """A poll with nothing new reads no change at all."""
    nodes = changes_of(explained, server_of_many, SMALL, after=CHANGES * 2)
    assert sequential(nodes) == set()
    assert looked_at(nodes, "sync_changes") == 0


def test_time(explained, server_of_many):
    """The position of a time is found by halving."""
    sync = server_of_many
    numbered = sync.session.scalar(select(SyncFeed.numbered))
    sync.session.rollback()
    values = {"context": "test", "moment": numbered}

    def run():
        with sync.context.read_only() as session:
            found = session.execute(reading.POSITION_AT, values).scalar()
            assert found == CHANGES + 5010

    (nodes,) = explained(run)
    assert sequential(nodes) <= {"sync_feeds"}
    assert looked_at(nodes, "sync_changes") < 30


def rows_of(explained, sync, member):
    """Explain the pages of rows of a pull in pages of 10."""

    def run():
        body = {"models": {NAME: None}, "batch_size": 10}
        for _ in range(2):
            answer = sync.pull(member, body).body
            body = {"cursor": answer["cursor"], "batch_size": 10}

    pages = explained(run)
    return [nodes for nodes in pages if looked_at(nodes, "customers")]


def test_rows(explained, server_of_many):
    """A page of rows is found by the index of the tenant, or of the key."""
    member = member_of(SMALL, models=["Customer"])
    first, second = rows_of(explained, server_of_many, member)
    for nodes in (first, second):
        assert sequential(nodes) == set()
        assert looked_at(nodes, "customers") <= 20
        assert looked_at(nodes, "sync_versions") <= 11
        assert looked_at(nodes, "sync_pending") == 0


def test_rows_of_a_filter(explained, server_of_many):
    """So is one of those that a filter shows."""
    filters = filtered(server_of_many, NAME, ("assigned_sales_id", "eq", "{{user.id}}"))
    member = member_of(SMALL, models=["Customer"], filters=filters)
    for nodes in rows_of(explained, server_of_many, member):
        assert sequential(nodes) == set()
        assert looked_at(nodes, "customers") <= 20


def test_rows_of_a_large_organization(explained, server_of_many):
    """Where all rows are its own, a page goes along the key, and ends where it ends."""
    sync = server_of_many
    member = member_of(UUID(int=1), models=["Note"])

    def run():
        body = {"models": {"myapp.Note": None}, "batch_size": 10}
        for _ in range(2):
            answer = sync.pull(member, body).body
            body = {"cursor": answer["cursor"], "batch_size": 10}

    pages = [nodes for nodes in explained(run) if looked_at(nodes, "notes")]
    assert len(pages) == 2
    for nodes in pages:
        assert sequential(nodes) == set()
        assert looked_at(nodes, "notes") <= 11
        assert "notes_pkey" in {node.get("Index Name") for node in nodes}
