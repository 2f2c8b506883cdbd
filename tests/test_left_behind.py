"""Every test that uses a database is audited afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

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
    """What is committed is found afterwards."""
    check_committed(dsn)
    scheduler.session.execute(text(DAMAGE))
    check_committed(dsn)
    scheduler.commit()
    with pytest.raises(AssertionError, match="group-without-members"):
        check_committed(dsn)


def test_not_committed(scheduler: Scheduler) -> None:
    """So is what is not, as most tests do not commit."""
    check_session(scheduler.session)
    scheduler.session.execute(text(DAMAGE))
    with pytest.raises(AssertionError, match="group-without-members"):
        check_session(scheduler.session)
    scheduler.rollback()


def test_after_a_failure(scheduler: Scheduler) -> None:
    """A transaction that has failed cannot be audited, and is not."""
    scheduler.session.execute(text(DAMAGE))
    with pytest.raises(Exception, match="nonsense"):
        scheduler.session.execute(text("SELECT nonsense"))
    check_session(scheduler.session)


def test_marker(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> None:
    """The marker is known, and this test does not carry it."""
    assert any(each.startswith("damaged(") for each in pytestconfig.getini("markers"))
    assert not is_damaged(request)
