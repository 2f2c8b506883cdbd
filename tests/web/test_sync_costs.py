"""What a request has cost is written down as it was."""

from __future__ import annotations

import pytest

from tests.fixtures.statements import counted_on
from tests.web.syncing import (
    CUSTOMER,
    template,  # noqa: F401 - the database of these tests
)

ITEM = {"_model": CUSTOMER, "name": "Ada"}


@pytest.fixture
def costs(house, john):
    """The metrics of an operation, the latest last."""
    john.sign_in()
    (last,) = house.execute("SELECT coalesce(max(id), 0) AS id FROM sync_metrics")

    def read(operation):
        return house.execute(
            "SELECT * FROM sync_metrics WHERE operation = :it AND id > :id ORDER BY id",
            it=operation,
            id=last.id,
        )

    return read


@pytest.fixture
def engines(house):
    """The engines of the application."""
    provider = house.context.get_service("session_provider")
    return provider.engine, provider.read_only_engine


def test_statements(john, costs, engines):
    """All statements of a request count, those before the push itself as well."""
    john.push(ITEM)
    with counted_on(engines[0]) as written, counted_on(engines[1]) as read:
        john.push(ITEM)
    sent = len(written) + len(read)
    first, second = costs("push")
    after = 3  # the log, the metric itself, and one before the commit
    assert first.statements == second.statements == sent - after
    assert second.statements > 5


def test_memory(john, costs):
    """How much memory the process holds is told in megabytes."""
    john.push(ITEM)
    (found,) = costs("push")
    assert 10 < found.memory < 100_000


def test_pull(john, costs):
    """A pull is told with its model, and how many rows came."""
    john.push(ITEM, {**ITEM, "name": "Ben"})
    john.pull()
    (found,) = costs("pull")
    assert (found.model, found.batch) == (CUSTOMER, 2)
    assert found.statements > 3
    assert found.seconds > 0


def test_poll_in_vain(john, costs):
    """What has brought nothing is not written down."""
    cursor = john.pull()["cursor"]
    john.pull(cursor=cursor)
    assert costs("pull") == []


@pytest.mark.parametrize("operation", ["login", "refresh"])
def test_sign_in(house, john, costs, operation):
    """Who signs in is in the log, and what it has cost."""
    tokens = john.sign_in().json
    house.post("auth/refresh/", {"refresh_token": tokens["refresh_token"]})
    (found,) = costs(operation)
    assert found.statements > 3
    (noted,) = house.execute(
        'SELECT status FROM sync_log WHERE operation = :it AND "user" = :user'
        " ORDER BY id DESC LIMIT 1",
        it=operation,
        user=john.user.id,
    )
    assert noted.status == "success"


def test_wrong_password(house, john, costs):
    """Who fails to sign in is not: a password may be where the name should be."""
    wrong = {"username": john.user.username, "password": "wrong"}
    assert house.post("auth/token/", wrong).status_code == 401
    assert costs("login") == []
