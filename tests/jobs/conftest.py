"""A house where there is something to do for all jobs."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from pytest_postgresql.factories import postgresql_noproc
from sqlalchemy import select

from libres.sync.models import SyncApplied, SyncLog, SyncMetric
from tests.conflicts.conftest import make_claims
from tests.fixtures.database import PREFIX, make_tables
from tests.occupancy.conftest import make_occupancy
from tests.sync.conftest import (  # noqa: F401 - fixtures
    acme,
    example,
    john,
    make_sync,
    member_of,
    retail,
    sync,
)
from tests.timetable.conftest import make_timetable
from tests.web.conftest import make_web

template = postgresql_noproc(
    dbname=f"{PREFIX}jobs",
    load=[
        *(make_tables, make_claims, make_timetable, make_occupancy),
        *(make_web, make_sync),
    ],
    load_autocommit=False,
    depends_on="server",
)
"""What the databases of these tests are cloned from."""


@pytest.fixture
def old(sync, clock):  # noqa: F811 - a fixture
    """Stores rows that are some days old: old(SyncLog, 3, days=91)."""

    def old(model, count, **age):
        at = clock.now - timedelta(**age)
        rows = [_row(model, sync.context.name, at) for _ in range(count)]
        sync.session.execute(model.__table__.insert(), rows)
        sync.commit()

    return old


def _row(model, context, at):
    told = {"operation": "push", "seconds": 0.5, "succeeded": 2, "status": "success"}
    of = {
        SyncLog: {"user": "1", "username": "john", **told},
        SyncMetric: {"operation": "push", "batch": 1, "seconds": 0.5},
        SyncApplied: {"device": "user:1", "fingerprint": "", "result": {}},
    }
    return {"context": context, "at": at, **of[model]}


@pytest.fixture
def applied(sync, acme, clock):  # noqa: F811 - fixtures
    """Stores results of pushes that are some days old."""

    def applied(count, **age):
        row = _row(SyncApplied, sync.context.name, clock.now - timedelta(**age))
        rows = [
            {**row, "organization": acme.id, "op_id": str(uuid.uuid4())}
            for _ in range(count)
        ]
        sync.session.execute(SyncApplied.__table__.insert(), rows)
        sync.commit()

    return applied


@pytest.fixture
def logged(sync):  # noqa: F811 - a fixture
    """Tells what was noted of jobs, the oldest first."""

    def logged():
        sync.rollback()
        found = SyncLog.__table__.c
        query = select(SyncLog.__table__).where(found.operation == "job")
        return sync.session.execute(query.order_by(found.id)).all()

    return logged
