"""What is audited is kept though devices are not told any more, until it is dropped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from libres.modules.errors import Misuse
from libres.sync.feed import partitions
from libres.sync.keyring import configure
from libres.sync.models import SyncChange, SyncFeed
from tests.sync.audit.tampering import recompute, tamper

LATER = datetime(2999, 1, 1, tzinfo=UTC)


@pytest.fixture
def left(session):
    """Tells which changes are kept."""

    def read():
        query = select(SyncChange.position).order_by(SyncChange.position)
        found = list(session.scalars(query))
        session.rollback()
        return found

    return read


@pytest.fixture
def middle(sync, trail, customer):
    """A moment between three changes and two later ones; all are numbered."""
    for number in range(3):
        customer(f"Name {number}")
    sync.number()
    found = trail.session.scalar(select(SyncFeed.numbered))
    for number in range(2):
        customer(f"Late {number}")
    sync.number()
    return found + timedelta(microseconds=1)


def test_kept_for_the_audit(sync, trail, middle, left):
    """Devices are not told any more, but the audit has all of it."""
    assert sync.drop_old_changes(middle) == 3
    assert sync.drop_old_changes(middle) == 0
    assert left() == [1, 2, 3, 4, 5]
    assert trail.session.scalar(select(SyncFeed.kept)) == 3
    trail.session.rollback()
    assert trail.verify().checked == 5


def test_dropped(trail, middle, left):
    """What is dropped is gone, and what is left still verifies."""
    assert trail.drop_old(middle) == 3
    assert trail.drop_old(middle) == 0
    assert left() == [4, 5]
    verdict = trail.verify()
    assert (verdict.is_good, verdict.first, verdict.checked) == (True, 4, 2)


def test_devices_are_not_told(sync, trail, middle):
    """What is dropped is not told to devices either."""
    trail.drop_old(middle)
    assert trail.session.scalar(select(SyncFeed.kept)) == 3
    trail.session.rollback()
    assert sync.drop_old_changes(middle) == 0


def test_all(trail, middle, left, customer):
    """Even if all of it goes, numbers and the chain go on."""
    assert middle < LATER
    assert trail.drop_old(LATER) == 5
    assert trail.verify().is_good
    customer("New")
    verdict = trail.verify()
    assert (verdict.is_good, verdict.first, verdict.checked) == (True, 6, 1)
    assert left() == [6]


def test_signed_before(context, trail, middle):
    """The end of what is dropped is signed, if somebody can."""
    configure(context, {"one": "s" * 40})
    trail.drop_old(middle)
    assert [each["position"] for each in trail.anchors()] == [3]
    assert trail.verify().anchored == 3
    tamper(trail.session, "UPDATE sync_changes SET actor = 'eve' WHERE position = 4")
    assert trail.verify().bad == 4


def test_beginning_is_forged(context, trail, middle):
    """What follows upon another beginning than the one that was signed is found."""
    configure(context, {"one": "s" * 40})
    trail.drop_old(middle)
    tamper(trail.session, "UPDATE sync_feeds SET dropped_digest = sha256('x')")
    assert trail.verify().bad == 3
    recompute(trail.session)
    assert trail.verify().bad == 3


def test_old_signatures_remain(context, trail, customer, middle):
    """Signatures of what is dropped are not compared with anything."""
    configure(context, {"one": "s" * 40})
    assert trail.anchor() == 5
    customer("Later")
    assert trail.anchor() == 6
    assert trail.drop_old(LATER) == 6
    assert trail.verify().is_good
    assert middle < LATER


def test_partitions(session, trail, middle):
    """A month that is over goes as a whole."""
    earlier = partitions.borders(middle)[0] - timedelta(days=1)
    partitions.ensure(session.connection(), earlier)
    first = partitions.borders(earlier)[0]
    move = "UPDATE sync_changes SET numbered = :first WHERE position <= 3"
    tamper(session, move, first=first)
    assert trail.drop_old(partitions.borders(middle)[0]) == 3
    name = partitions.name_of(earlier)
    assert session.scalar(select(func.to_regclass(name))) is None


def test_ahead(session):
    """Partitions are made for months to come, guarded like all others."""
    now = datetime(2031, 11, 30, 23, tzinfo=UTC)
    made = partitions.ahead(session.connection(), now, 2)
    wanted = ["sync_changes_2031_11", "sync_changes_2031_12", "sync_changes_2032_01"]
    assert made == wanted
    assert partitions.ahead(session.connection(), now, 2) == []
    query = "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass(:name)"
    assert session.scalar(text(query), {"name": wanted[-1]}) == 2


def test_without_timezone(trail):
    """A moment without timezone is none."""
    with pytest.raises(Misuse):
        trail.drop_old(datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point
