"""Models whose claims are derived by Python, on events of sessions."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, text, update

from libres.conflicts import ConflictError, NotTrackable, Proposal
from libres.conflicts.tracking import watching
from tests.conflicts.times import at, hours, wish
from tests.conflicts.tracking.host import Booking, Equipment
from tests.conflicts.tracking.test_triggers import SOURCE, TABLE, rows, seen


def derive(booking):
    """What a booking claims, if it has a vehicle and is not cancelled."""
    if booking.cancelled or booking.equipment is None:
        return None
    return Proposal(
        resource=booking.equipment.serial, during=(booking.starts, booking.ends)
    )


@pytest.fixture
def watched(host):
    """A host whose bookings are watched."""
    host.track(Booking, derive)
    host.commit()
    yield host
    watching.forget(host.context, SOURCE)


class TestEvents:
    def test_flush(self, watched, book):
        """Inserted, changed and deleted by flushes."""
        booking = book()
        assert seen(watched) == [("T-1", 9, 10)]
        booking.starts, booking.ends = hours(11, 12)
        watched.session.flush()
        assert seen(watched) == [("T-1", 11, 12)]
        watched.session.delete(booking)
        watched.session.flush()
        assert seen(watched) == []

    def test_commit(self, watched):
        """What is flushed by the commit is claimed in the same transaction."""
        starts, ends = hours(9, 10)
        watched.session.add(Booking(equipment_id=1, starts=starts, ends=ends))
        watched.commit()
        assert seen(watched) == [("T-1", 9, 10)]

    def test_bulk(self, watched):
        """ORM bulk statements: insert, update, delete."""
        watched.session.execute(insert(Booking), rows((1, 9, 10), (2, 9, 10)))
        assert seen(watched) == [("T-1", 9, 10), ("T-2", 9, 10)]
        watched.session.execute(
            update(Booking)
            .where(Booking.equipment_id == 1)
            .values(starts=at(11), ends=at(12))
        )
        assert seen(watched) == [("T-1", 11, 12), ("T-2", 9, 10)]
        watched.session.execute(delete(Booking).where(Booking.equipment_id == 2))
        assert seen(watched) == [("T-1", 11, 12)]

    def test_bulk_by_key(self, watched, book):
        """An ORM update by primary key."""
        booking = book()
        watched.session.execute(
            update(Booking), [{"id": booking.id, "starts": at(8), "ends": at(9)}]
        )
        assert seen(watched) == [("T-1", 8, 9)]

    def test_conflict(self, watched, book):
        """The flush is refused; within guarded() the session can be used on."""
        book()
        with pytest.raises(ConflictError), watched.guarded():
            book()
        assert seen(watched) == [("T-1", 9, 10)]
        watched.commit()

    def test_several(self, host, book):
        """An object may claim several things."""
        host.track(
            Booking,
            lambda booking: [
                wish(9, 10, f"{name} of {booking.id}", part=number)
                for number, name in enumerate(("truck", "driver"))
            ],
        )
        booking = book()
        names = [resource for resource, *_ in seen(host)]
        assert names == [f"driver of {booking.id}", f"truck of {booking.id}"]
        watching.forget(host.context, SOURCE)

    def test_existing(self, host, book):
        """What is there already is claimed at once."""
        book()
        host.track(Booking, derive)
        assert seen(host) == [("T-1", 9, 10)]
        watching.forget(host.context, SOURCE)


class TestBlindness:
    def test_told(self, host):
        """What it cannot see is said."""
        tracking = host.track(Booking, derive)
        assert tracking.mode == "session"
        assert any("Core" in each for each in tracking.blind_to)
        watching.forget(host.context, SOURCE)

    @pytest.mark.parametrize(
        ("act", "kinds"),
        [
            (lambda c: c.execute(TABLE.update().values(ends=at(11))), ["stale"]),
            (lambda c: c.execute(TABLE.delete()), ["orphaned"]),
            (lambda c: c.execute(TABLE.insert(), rows((2, 9, 10))), ["missing"]),
            (lambda c: c.execute(text("DELETE FROM equipment")), ["orphaned"]),
        ],
    )
    def test_verify_finds_it(self, watched, book, act, kinds):
        """What Core, raw SQL and cascades did is found, and mended."""
        book()
        act(watched.session.connection())
        watched.session.expire_all()
        found = watched.verify(SOURCE, repair=True)
        assert [each.kind for each in found] == kinds
        assert watched.verify(SOURCE) == []

    def test_another_process(self, watched):
        """Who has not called track() cannot verify, and is told so."""
        watching.forget(watched.context, SOURCE)
        with pytest.raises(NotTrackable, match="has not called track"):
            watched.verify(SOURCE)

    def test_rebuild(self, watched, book):
        """All claims are made anew."""
        book()
        watched.session.execute(text("DELETE FROM conflict_claims"))
        assert watched.rebuild(SOURCE) == 1
        assert seen(watched) == [("T-1", 9, 10)]

    def test_untrack(self, watched, book):
        """What is not tracked any more claims nothing."""
        book()
        assert watched.untrack(Booking) == 1
        book()
        assert seen(watched) == []

    def test_gives_nonsense(self, host, book):
        """A function that gives anything else is told so."""
        book()
        with pytest.raises(NotTrackable, match="gives a Proposal"):
            host.track(Booking, lambda booking: [booking])
        assert host.session.get(Equipment, 1)
        watching.forget(host.context, SOURCE)
