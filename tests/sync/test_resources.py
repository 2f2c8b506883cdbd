"""A resource belongs to one organisation, and to nobody else."""

from __future__ import annotations

import pytest

from libres.db.scheduler import Scheduler
from libres.modules.errors import Misuse
from libres.sync.errors import AlreadyThere, InvalidName, UnknownEntity
from tests.sync.rooms import at, organization, pending

ROOM = "Room 201"


@pytest.fixture
def session(sync):
    """The session of the context."""
    return sync.session


@pytest.fixture
def acme(session):
    """An organisation."""
    return organization(session, "acme-corp")


@pytest.fixture
def retail(session):
    """Another one."""
    return organization(session, "global-retail")


def test_same_resource_as_the_scheduler(sync, acme, context):
    """The scheduler of the host and that of the resource are one."""
    made = sync.resources.add(acme, ROOM, "Europe/Zurich", ["Room 202"])
    scheduler = Scheduler(context, ROOM, "Europe/Zurich")
    assert made.resource == scheduler.resource
    mine = made.scheduler(context)
    assert (mine.resource, mine.timezone) == (scheduler.resource, "Europe/Zurich")
    assert mine.blocking_names == ("Room 202",)


def test_found_again(sync, acme, retail):
    """It is found by its resource, and among those of its organisation."""
    second = sync.resources.add(acme, "Room 202", "UTC")
    first = sync.resources.add(acme, ROOM, "UTC")
    other = sync.resources.add(retail, "Shop", "UTC")
    assert sync.resources.of(first.resource) == first
    assert sync.resources.all(acme) == [first, second]
    assert sync.resources.all() == [first, second, other]


def test_unknown(sync, context):
    """What is nobody's is not found."""
    assert sync.resources.of(Scheduler(context, ROOM, "UTC").resource) is None


def test_second_owner(sync, acme, retail):
    """What belongs to somebody cannot be given to others, nor once more."""
    sync.resources.add(acme, ROOM, "UTC")
    for each in (retail, acme):
        with pytest.raises(AlreadyThere):
            sync.resources.add(each, ROOM, "UTC")


@pytest.mark.parametrize(
    ("name", "zone", "error"),
    [
        pytest.param(" ", "UTC", InvalidName, id="blank"),
        pytest.param("x" * 201, "UTC", InvalidName, id="too long"),
        pytest.param("a\0b", "UTC", InvalidName, id="NUL, which SQL has not"),
        pytest.param(ROOM, "Europe/Nowhere", Misuse, id="no zone"),
    ],
)
def test_not_possible(sync, acme, name, zone, error):
    """Names and zones are checked."""
    with pytest.raises(error):
        sync.resources.add(acme, name, zone)


def test_blocked_by_others(sync, acme, retail):
    """What others have reserved must not show in what is free."""
    sync.resources.add(retail, "Shop", "UTC")
    with pytest.raises(InvalidName):
        sync.resources.add(acme, ROOM, "UTC", ["Shop"])


def test_removed(sync, acme):
    """What was taken away can be given to somebody again."""
    made = sync.resources.add(acme, ROOM, "UTC")
    sync.resources.remove(made.resource)
    assert sync.resources.all() == []
    with pytest.raises(UnknownEntity):
        sync.resources.remove(made.resource)
    assert sync.resources.add(acme, ROOM, "UTC") == made


def test_whose_changes_are(sync, acme, context, session):
    """The feed knows whose a change is; of nobody, before it belongs to somebody."""
    scheduler = Scheduler(context, ROOM, "UTC")
    scheduler.allocate((at("8:00"), at("9:00")))
    sync.resources.add(acme, ROOM, "UTC")
    scheduler.allocate((at("9:00"), at("10:00")))
    tenants = [
        (each.operation, each.tenant, each.tenant_before)
        for each in pending(session, "allocations")
    ]
    assert tenants == [
        ("insert", "", None),
        ("update", "acme-corp", ""),
        ("insert", "acme-corp", None),
    ]


def test_given_with_what_is_reserved(sync, acme, context, session):
    """What was reserved already comes to the devices of the owner."""
    scheduler = Scheduler(context, ROOM, "UTC")
    scheduler.allocate((at("8:00"), at("9:00")))
    scheduler.book("ada@example.org", (at("8:00"), at("9:00")))
    sync.resources.add(acme, ROOM, "UTC")
    *_, last = pending(session)
    assert (last.tenant, last.tenant_before) == ("acme-corp", "")
    assert last.after["email"] == "ada@example.org"
    assert last.before == last.after


def test_taken_with_what_is_reserved(sync, acme, context, session):
    """Who loses a resource is told that its rows are gone; they remain."""
    made = sync.resources.add(acme, ROOM, "UTC")
    scheduler = Scheduler(context, ROOM, "UTC")
    scheduler.allocate((at("8:00"), at("9:00")))
    sync.resources.remove(made.resource)
    *_, last = pending(session, "allocations")
    assert (last.tenant, last.tenant_before) == ("", "acme-corp")
    assert scheduler.managed_allocations().count() == 1


def test_not_noted(sync, acme, context, session):
    """Where nothing is noted, nothing is noted of a new owner, either."""
    Scheduler(context, ROOM, "UTC").allocate((at("8:00"), at("9:00")))
    sync.stop()
    before = len(pending(session, "allocations"))
    sync.resources.add(acme, ROOM, "UTC")
    assert len(pending(session, "allocations")) == before
