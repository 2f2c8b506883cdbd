"""The plans that reading the audit relies on: a page reads about what it tells.

Among 40,000 changes of four months, of 40 users, in 20 tables and 40 organisations,
the statement of each page is explained, with a count of the changes it looks at.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, text

from libres.context.registry import create_default_registry
from libres.sync import Sync
from libres.sync.audit import Audit
from libres.sync.feed import partitions
from libres.sync.registry import registry_of
from tests.fixtures.database import cloned
from tests.sync import models
from tests.sync.models import Customer
from tests.sync.test_pull_plans import explain, looked_at

CHANGES = 40_000
MONTHS = [datetime(2026, month, 15, tzinfo=UTC) for month in (1, 2, 3, 4)]
BEGIN = datetime(2026, 1, 2, tzinfo=UTC)
STEP = timedelta(days=110) / CHANGES
"""After so long there is the next change."""

FILL = """
INSERT INTO sync_changes (
    context, position, seq, xid, tx_end, relation, key, operation, after, tenant,
    tenant_before, actor, request, at, numbered
)
SELECT 'test', i, i, i, true,
    CASE WHEN i % 20 > 0 THEN 'table' || i % 20 WHEN i > :rare THEN 'reports'
        ELSE 'customers' END,
    i % 4000, 'update', '{"name": "x"}', 'tenant' || i % 41,
    CASE WHEN i % 500 = 0 THEN 'tenant7' END,
    CASE WHEN i <= 500 THEN 'long gone' ELSE 'user' || i % 43 END,
    'request' || i, CAST(:begin AS timestamptz) + i * CAST(:step AS interval),
    CAST(:begin AS timestamptz) + i * CAST(:step AS interval) + interval '10 seconds'
FROM generate_series(1, :changes) AS i
"""

HEAD = """
INSERT INTO sync_feeds (context, position, numbered, audited)
VALUES ('test', :changes, '2026-05-01 00:00:00Z', true)
"""


@pytest.fixture(scope="module")
def many(server, template):
    """An audit with many changes."""
    with cloned(server, template) as dsn:
        context = create_default_registry().register_context("test")
        context.set_setting("dsn", dsn)
        models.register(registry_of(context))
        Sync(context).register_core()
        audit = Audit(context)
        fill(audit.session)
        yield audit
        context.get_service("session_provider").stop_service()


def fill(session):
    """Write changes as if they had been numbered, and gather statistics."""
    for month in MONTHS:
        partitions.ensure(session.connection(), month)
    values = {"changes": CHANGES, "begin": BEGIN, "step": STEP, "rare": CHANGES // 2}
    session.execute(text(FILL), values)
    session.execute(text(HEAD), {"changes": CHANGES})
    session.commit()
    session.execute(text("ANALYZE sync_changes"))
    session.commit()


@pytest.fixture
def explained(many):
    """Explains what a page sends, and returns the changes it looks at."""
    engine = many.session.get_bind()

    def run(**asked):
        sent = []

        def note(_connection, _cursor, statement, parameters, *_):
            sent.append((statement, parameters))

        event.listen(engine, "before_cursor_execute", note)
        try:
            found = many.history(limit=100, **asked)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        with engine.connect() as connection:
            plans = [explain(connection, *each) for each in sent]
        return found, sum(looked_at(nodes, "sync_changes") for nodes in plans)

    return run


def at(number):
    """Tell when a change was made."""
    return BEGIN + number * STEP


HALF = at(CHANGES // 2)
USER = {"user": "user7"}
MODEL = {"model": Customer}
LATE = {"since": at(CHANGES - 100)}
LONG_AGO = {"until": HALF, "since": HALF - timedelta(days=5)}

TOLERATED = 400
"""Changes that finding 100 may look at, those of an hour and of halving included."""


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({}, 100),
        ({"before": 20_000}, 100),
        (MODEL, 100),  # there were none for the last two months
        (USER, 100),
        ({"user": "long gone"}, 100),  # nobody of them has done anything since
        ({"user": "nobody"}, 0),
        ({"model": Customer, "id": 20}, 5),
        ({"until": HALF}, 100),
        ({"until": at(50)}, 49),
        (LATE, 100),
        (LONG_AGO, 100),
        ({"since": at(10 * CHANGES)}, 0),
        ({"until": BEGIN}, 0),
        (MODEL | {"until": HALF - timedelta(days=20)}, 100),
        (MODEL | LONG_AGO, 90),
        (USER | LONG_AGO, 42),
        (USER | {"until": at(5000)}, 100),
        ({"tenants": ["tenant7"]}, 100),
        ({"tenants": ["tenant7"], "until": HALF}, 100),
        ({"tenants": ["tenant7", "tenant8"]}, 100),
        ({"tenants": ["nobody"]}, 0),
        ({"request": "request20000", "since": at(19_950), "until": at(20_050)}, 1),
    ],
)
def test_page(explained, asked, count):
    """A page looks at about as many changes as it tells, whatever was asked for."""
    found, seen = explained(**asked)
    assert len(found) == count
    assert len(found) == count
    assert seen <= TOLERATED
