"""A filter decides what comes, what goes, and what is not told."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, update

from libres.sync import pull_pages
from libres.sync.errors import ResyncRequired
from libres.sync.filters import Filter
from libres.sync.keyring import configure
from tests.sync.models import Customer, Report
from tests.sync.pulls import ACME, SECRET, Phone, filtered, member_of

MARY, OTHER = UUID(int=7), UUID(int=8)
NAME = "myapp.Customer"


@pytest.fixture(autouse=True)
def keys(context):
    """A secret to sign cursors by."""
    configure(context, SECRET)


@pytest.fixture
def write(sync):
    """Executes statements, and commits."""

    def run(*statements):
        for each in statements:
            sync.session.execute(each)
        sync.session.commit()

    return run


@pytest.fixture
def mary(sync):
    """Sees the customers that are hers."""
    filters = filtered(sync, NAME, ("assigned_sales_id", "eq", "{{user.id}}"))
    return Phone(sync, member_of(user=7, filters=filters))


def customers(count, sales=MARY, **values):
    """Insert customers of somebody."""
    rows = [
        {"name": f"n{i}", "organization_id": ACME, "assigned_sales_id": sales, **values}
        for i in range(count)
    ]
    return insert(Customer).values(rows)


def test_only_hers(write, mary):
    """Of all customers only her own come (S12)."""
    write(customers(2), customers(3, OTHER), customers(1, None))
    assert len(mary.ids()) == 2


def test_given_to_somebody_else(write, mary):
    """One that becomes another's comes as deleted (S12)."""
    write(customers(2))
    first, second = mary.ids()
    match = Customer.id == first
    write(update(Customer).where(match).values(assigned_sales_id=OTHER))
    body = mary.pull()
    assert [row["id"] for row in body["deleted"]] == [first]
    assert body["data"] == []
    assert mary.ids() == [second]


def test_enters(write, mary):
    """One that becomes hers comes as a row."""
    write(customers(1, OTHER))
    assert mary.ids() == []
    write(update(Customer).values(assigned_sales_id=MARY))
    assert len(mary.pull()["data"]) == 1


def test_outside(write, mary):
    """What happens to those of others is not told, not even that one is deleted."""
    write(customers(1, OTHER))
    mary.catch_up()
    write(update(Customer).values(age=4), delete(Customer))
    body = mary.pull()
    assert (body["data"], body["deleted"]) == ([], [])


def test_pages_of_rows(write, mary):
    """Pages are filled with what she sees, not cut out of what there is."""
    write(*[customers(1, each) for each in [MARY, OTHER] * 5])
    mary.batch = 3
    assert [len(mary.pull()["data"]) for _ in range(2)] == [3, 2]


def test_scanning_is_bounded(write, mary, monkeypatch):
    """Among many changes of others, a poll gets on, a part at a time."""
    monkeypatch.setattr(pull_pages, "SCANNED", 20)
    monkeypatch.setattr(pull_pages, "CHUNK", 10)
    mary.batch = 5
    mary.catch_up()
    write(customers(100, OTHER))
    write(customers(1))
    first = mary.pull()
    assert first["has_more"]
    assert first["data"] == []
    count = 1
    while mary.pull()["has_more"]:
        count += 1
    assert len(mary.ids()) == 1
    assert 3 <= count < 12


def test_another_filter(sync, write, mary):
    """Rows of another filter replace those of the one before, of that model only."""
    write(customers(2), customers(3, OTHER))
    write(insert(Report).values(organization_id=ACME, title="r"))
    mary.catch_up()
    mary.member = replace(mary.member, filters={})
    body = {"cursor": mary.cursor}
    with pytest.raises(ResyncRequired) as caught:
        sync.pull(mary.member, body)
    assert list(caught.value.models) == [NAME]
    told = []
    mary.cursor = caught.value.cursor
    while True:
        body = mary.pull()
        told += body["resync"]
        if not body["has_more"]:
            break
    assert told == [NAME]
    assert len(mary.ids()) == 5
    assert len(mary.ids("myapp.Report")) == 1


def test_narrower_filter(write, mary):
    """Rows that the new filter hides are gone afterwards."""
    mary.member, seen = replace(mary.member, filters={}), mary.member
    write(customers(2), customers(3, OTHER))
    assert len(mary.ids()) == 5
    mary.member = seen
    assert len(mary.ids()) == 2


def test_resync_answer_lost(sync, mary):
    """Who missed that rows are sent anew is told again."""
    mary.catch_up()
    changed = replace(mary.member, filters={})
    for _ in range(2):
        with pytest.raises(ResyncRequired):
            sync.pull(changed, {"cursor": mary.cursor})


def test_another_filter_between_pages(write, mary):
    """A filter that changes while rows are sent lets them be sent from the start."""
    write(customers(4), customers(4, OTHER))
    mary.batch = 3
    mary.pull()
    mary.member = replace(mary.member, filters={})
    assert len(mary.ids()) == 8


def test_filter_that_is_not_understood(sync, write):
    """A filter that makes no sense any more shows nothing."""
    write(customers(2))
    broken = Filter.stored(sync.registry.named(NAME), [{"field": "gone"}])
    phone = Phone(sync, member_of(filters={NAME: broken}))
    assert phone.ids() == []
    write(customers(1))
    assert phone.pull()["data"] == []


def test_placeholder_without_value(sync, write):
    """Whoever has no device sees nothing of a filter by devices."""
    write(customers(2))
    filters = filtered(sync, NAME, ("assigned_sales_id", "eq", "{{device.id}}"))
    assert Phone(sync, member_of(filters=filters)).ids() == []
