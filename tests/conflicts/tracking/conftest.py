"""A host whose bookings are tracked."""

from __future__ import annotations

import pytest

from libres.conflicts import ClaimMapping
from tests.conflicts.times import hours
from tests.conflicts.tracking.host import SERIAL, Base, Booking, Equipment


def mapping(**more):
    """What of a booking is a claim."""
    values = {
        "resource": SERIAL,
        "start": Booking.starts,
        "end": Booking.ends,
        "where": ~Booking.cancelled,
        "label": Booking.note,
    }
    return ClaimMapping(**{**values, **more})


@pytest.fixture
def host(claims):
    """Claims, and the tables of the host with two vehicles, which are not tracked."""
    Base.metadata.create_all(claims.session.connection())
    claims.session.add_all([Equipment(serial="T-1"), Equipment(serial="T-2")])
    claims.commit()
    return claims


@pytest.fixture
def tracked(host):
    """The same, with the bookings tracked."""
    host.track(Booking, mapping(), depends_on=[Equipment.serial])
    host.commit()
    return host


@pytest.fixture
def book(host):
    """Give a function that books a vehicle by the ORM."""

    def make(start=9, end=10, equipment=1, **more):
        starts, ends = hours(start, end)
        booking = Booking(equipment_id=equipment, starts=starts, ends=ends, **more)
        host.session.add(booking)
        host.session.flush()
        return booking

    return make
