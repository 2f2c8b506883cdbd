"""Every test that uses a database is audited afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.fixtures.auditing import check_committed, check_session, is_damaged

if TYPE_CHECKING:
    from libres.db.scheduler import Scheduler

DAMAGE = """
INSERT INTO reservations (token, target, target_type, type, resource, status, email,
    quota, created)
VALUES (gen_random_uuid(), gen_random_uuid(), 'group', 'generic', gen_random_uuid(),
    'pending', 'a@example.org', 1, now())
"""


@pytest.mark.damaged("the auditor is to find it")
def test_committed(scheduler: Scheduler, dsn: str) -> None:
    """What is committed is found afterwards, with or without a session."""
    check_committed(dsn)
    scheduler.session.execute(text(DAMAGE))
    check_committed(dsn)
    scheduler.commit()
    for check, place in ((check_committed, dsn), (check_session, scheduler.session)):
        with pytest.raises(AssertionError, match="group-without-members"):
            check(place)


def test_not_committed(scheduler: Scheduler) -> None:
    """So is what is not, as most tests do not commit."""
    assert check_session(scheduler.session)
    scheduler.session.execute(text(DAMAGE))
    with pytest.raises(AssertionError, match="group-without-members"):
        check_session(scheduler.session)
    assert check_session(scheduler.session)


@pytest.mark.damaged("the auditor is to find it")
def test_after_a_failure(scheduler: Scheduler) -> None:
    """Of a transaction that has failed nothing is left but what came before it."""
    scheduler.session.execute(text(DAMAGE))
    scheduler.commit()
    with pytest.raises(DBAPIError, match="nonsense"):
        scheduler.session.execute(text("SELECT nonsense"))
    with pytest.raises(AssertionError, match="group-without-members"):
        check_session(scheduler.session)


def test_marker(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> None:
    """The marker is known, and this test does not carry it."""
    assert any(each.startswith("damaged(") for each in pytestconfig.getini("markers"))
    assert not is_damaged(request)
