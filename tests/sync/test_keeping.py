"""Old changes go; who missed them gets all rows anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, text, update

from libres.modules.errors import Misuse
from libres.sync.errors import ResyncRequired
from libres.sync.feed import partitions
from libres.sync.keyring import configure
from libres.sync.models import SyncChange, SyncFeed
from tests.sync.models import Customer
from tests.sync.pulls import ACME, SECRET, Phone, member_of

LATER = datetime(2999, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def keys(context):
    """A secret to sign cursors by."""
    configure(context, SECRET)


@pytest.fixture
def write(sync):
    """Inserts so many customers, commits, and numbers them."""

    def run(count):
        rows = [{"name": f"n{i}", "organization_id": ACME} for i in range(count)]
        sync.session.execute(insert(Customer).values(rows))
        sync.session.commit()
        sync.number()

    return run


@pytest.fixture
def now(sync):
    """Tells the time of the last number."""

    def read():
        found = sync.session.scalar(select(SyncFeed.numbered))
        sync.session.rollback()
        return found

    return read


@pytest.fixture
def left(sync):
    """Tells which positions are kept."""

    def read():
        query = select(SyncChange.position).order_by(SyncChange.position)
        found = list(sync.session.scalars(query))
        sync.session.rollback()
        return found

    return read


def test_drops_what_is_before(sync, write, now, left):
    """What was numbered before a moment is dropped, and nothing else."""
    write(3)
    first = now()
    write(2)
    assert sync.drop_old_changes(first) == 0
    assert sync.drop_old_changes(first + timedelta(microseconds=1)) == 3
    assert left() == [4, 5]


def test_twice(sync, write):
    """What was dropped is not dropped again."""
    write(3)
    assert sync.drop_old_changes(LATER) == 3
    assert sync.drop_old_changes(LATER) == 0


def test_nothing_ever_happened(sync):
    """Without any change there is nothing to drop."""
    assert sync.drop_old_changes(LATER) == 0


def test_numbers_go_on(sync, write, left):
    """New changes get the numbers after those that were dropped."""
    write(3)
    sync.drop_old_changes(LATER)
    write(1)
    assert left() == [4]


def test_resync(sync, write):
    """A device that missed what was dropped gets all rows anew."""
    phone = Phone(sync, member_of())
    phone.catch_up()
    write(3)
    sync.drop_old_changes(LATER)
    with pytest.raises(ResyncRequired) as caught:
        sync.pull(phone.member, {"cursor": phone.cursor})
    assert "myapp.Customer" in caught.value.models
    assert len(phone.ids()) == 3


def test_rows_that_went_meanwhile(sync, write):
    """Then it forgets rows whose deletion it never heard of."""
    write(3)
    phone = Phone(sync, member_of())
    phone.catch_up()
    sync.session.execute(text("DELETE FROM customers"))
    sync.session.commit()
    sync.number()
    sync.drop_old_changes(LATER)
    assert phone.ids() == []


def test_who_has_everything_goes_on(sync, write):
    """A device that had everything does not notice."""
    write(3)
    phone = Phone(sync, member_of())
    phone.catch_up()
    sync.drop_old_changes(LATER)
    write(1)
    assert len(phone.pull()["data"]) == 1


def test_time_that_is_not_kept(sync, write):
    """A time of which changes are missing asks for all rows as well."""
    write(3)
    sync.drop_old_changes(LATER)
    write(1)
    asked = {"models": {"myapp.Customer": "2001-01-01T00:00:00Z"}}
    with pytest.raises(ResyncRequired) as caught:
        sync.pull(member_of(), asked)
    body = sync.pull(member_of(), {"cursor": caught.value.cursor}).body
    assert len(body["data"]) == 4
    assert list(body["metadata"]) == ["myapp.Customer"]


def age(sync, months, context="test"):
    """Move all changes of a context into the partition of an earlier month."""
    with sync.session.get_bind().begin() as connection:
        now = connection.scalar(select(func.now()))
        earlier = partitions.borders(now)[0]
        for _ in range(months):
            earlier = partitions.borders(earlier - timedelta(days=1))[0]
        partitions.ensure(connection, earlier)
        match = SyncChange.context == context
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        moved = update(SyncChange).where(match).values(numbered=earlier)
        connection.execute(moved)
    return earlier


def has(sync, moment):
    """Tell whether the partition of a month is there."""
    name = partitions.name_of(moment)
    found = sync.session.scalar(select(func.to_regclass(name).is_not(None)))
    sync.session.rollback()
    return found


def test_drops_partitions(sync, write, left):
    """A month that is over is dropped as a whole."""
    write(3)
    month = age(sync, 4)
    write(2)
    assert sync.drop_old_changes(month + timedelta(days=40)) == 3
    assert not has(sync, month)
    assert left() == [4, 5]


def test_partition_that_is_not_over(sync, write, left):
    """Of a month that is not over, the rows are deleted."""
    write(3)
    month = age(sync, 4)
    assert sync.drop_old_changes(month + timedelta(days=3)) == 3
    assert has(sync, month)
    assert left() == []


def test_partition_of_others(sync, write, left):
    """A month with changes of another context remains for it."""
    write(3)
    with sync.session.get_bind().begin() as connection:
        copied = text(
            "INSERT INTO sync_changes SELECT 'other', position, seq, xid, tx_end, "
            "relation, key, operation, before, after, tenant, tenant_before, actor, "
            "request, reason, at, numbered FROM sync_changes"
        )
        connection.execute(copied)
    month = age(sync, 4)
    age(sync, 4, "other")
    assert sync.drop_old_changes(month + timedelta(days=40)) == 3
    assert has(sync, month)
    assert left() == [1, 2, 3]


def test_partition_in_use(sync, write, left, monkeypatch):
    """A month that somebody reads for long is emptied, and not waited for."""
    monkeypatch.setattr("libres.sync.feed.keeping.LONGEST_WAIT", 0.05)
    write(3)
    month = age(sync, 4)
    with sync.session.get_bind().connect() as reader:
        reader.execute(text("SELECT count(*) FROM sync_changes"))
        assert sync.drop_old_changes(month + timedelta(days=40)) == 3
    assert has(sync, month)
    assert left() == []


def test_without_timezone(sync):
    """A moment without timezone is none."""
    with pytest.raises(Misuse):
        sync.drop_old_changes(datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point


# Lag ----------------------------------------------------------------------------------


def test_no_lag(sync, write):
    """When all is numbered, nothing waits."""
    write(3)
    lag = sync.lag()
    assert (lag.pending, lag.age, lag.position) == (0, None, 3)


def test_lag(sync):
    """What is committed and has no number waits; what is not committed does not."""
    sync.session.execute(insert(Customer).values(name="Ada", organization_id=ACME))
    assert sync.lag().pending == 0
    sync.session.commit()
    lag = sync.lag()
    assert lag.pending == 1
    assert timedelta(0) <= lag.age < timedelta(minutes=1)
    assert lag.position == 0
