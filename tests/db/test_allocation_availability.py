"""How much of an allocation is free, and what days of 23 or 25 hours look like."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
import pytz
from hypothesis import given
from hypothesis import strategies as st

from libres.db.models import Allocation, ReservedSlot

HOUR = ("08:00", "09:00")
DAY = "2030-06-03"
RESOURCE = UUID("11111111-2222-4333-8444-555555555555")
TICK = timedelta(microseconds=1)


def at(text):
    """Read a time: '08:00' of the day, or a whole one, in UTC without an offset."""
    moment = datetime.fromisoformat(text if "-" in text else f"{DAY} {text}")
    return moment if moment.tzinfo else moment.replace(tzinfo=pytz.UTC)


def make(start="08:00", end="10:00", *, raster=15, timezone="UTC", partly=True):
    """Make an allocation that no session knows."""
    return Allocation(
        resource=RESOURCE,
        start=at(start),
        end=at(end),
        raster=raster,
        timezone=timezone,
        partly_available=partly,
    )


def take(allocation, start, end, source_type="reservation"):
    """Occupy the slots between two times."""
    for slot_start, slot_end in allocation.all_slots(at(start), at(end)):
        slot = ReservedSlot()
        slot.resource = allocation.resource
        slot.start = slot_start
        slot.end = slot_end
        slot.source_type = source_type
        slot.source_id = 1
        slot.reservation_token = RESOURCE
        allocation.reserved_slots.append(slot)


class TestAvailability:
    @pytest.mark.parametrize(
        ("reserved", "blocked", "expected"),
        [
            pytest.param([], [], 100.0, id="free"),
            pytest.param([HOUR], [], 50.0, id="half"),
            pytest.param([("08:00", "10:00")], [], 0.0, id="full"),
            pytest.param([], [HOUR], 100.0, id="blockers shrink the whole"),
            pytest.param([("09:00", "09:30")], [HOUR], 50.0, id="half of the rest"),
            pytest.param([("09:00", "10:00")], [HOUR], 0.0, id="the rest"),
            pytest.param([], [("08:00", "10:00")], 0.0, id="wholly blocked"),
        ],
    )
    def test_percent(self, reserved, blocked, expected):
        """Availability is the free part of what is not blocked."""
        allocation = make()
        for span in reserved:
            take(allocation, *span)
        for span in blocked:
            take(allocation, *span, source_type="blocker")
        assert allocation.availability == pytest.approx(expected)
        assert allocation.normalized_availability == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("taken", "expected"),
        [
            pytest.param([], [(100, False)], id="free"),
            pytest.param(
                [("08:30", "09:00")],
                [(25, False), (25, True), (50, False)],
                id="the example of the specification",
            ),
            pytest.param(
                [("08:30", "08:45"), ("08:45", "09:00")],
                [(25, False), (25, True), (50, False)],
                id="neighbours are one block",
            ),
            pytest.param([("08:00", "10:00")], [(100, True)], id="full"),
            pytest.param([HOUR], [(50, True), (50, False)], id="from the start"),
        ],
    )
    def test_partitions(self, taken, expected):
        """Partitions are blocks of equal state, in percent, in order of time."""
        allocation = make()
        for span in taken:
            take(allocation, *span)
        assert allocation.availability_partitions() == expected

    @pytest.mark.parametrize("source_type", ["reservation", "blocker"])
    def test_partition_of_a_whole(self, source_type):
        """What is taken as a whole is one block, reserved or blocked alike."""
        allocation = make(partly=False)
        assert allocation.availability_partitions() == [(100.0, False)]
        take(allocation, "08:00", "10:00", source_type)
        assert allocation.availability_partitions() == [(100.0, True)]

    @given(st.sets(st.integers(0, 30)), st.integers(31, 97))
    def test_partitions_add_up(self, taken, count):
        """Partitions sum to 100, alternate, and agree with the availability."""
        allocation = make(end="20:00", raster=5)
        allocation.end = allocation.start + timedelta(minutes=5 * count)
        for number in taken:
            start = allocation.start + timedelta(minutes=5 * number)
            end = start + timedelta(minutes=5) - TICK
            take(allocation, start.isoformat(" "), end.isoformat(" "))
        partitions = allocation.availability_partitions()
        assert abs(sum(percent for percent, _ in partitions) - 100) < 1e-9
        assert all(one[1] != other[1] for one, other in pairwise(partitions))
        free = sum(percent for percent, reserved in partitions if not reserved)
        assert free == pytest.approx(allocation.availability)


AUTUMN = ("2022-10-29 22:00", "2022-10-30 03:00")
SPRING = ("2022-03-26 23:00", "2022-03-27 03:00")
LATE = ("2022-10-30 00:40", "2022-10-30 23:00")
ELEVEN = ("2022-10-29 23:00", "2022-10-30 00:00")
SKIPPED = ("2022-10-30 00:00", "2022-10-30 01:00")


def blocks(*percents, first=False):
    """Alternating partitions."""
    return [(percent, first ^ bool(n % 2)) for n, percent in enumerate(percents)]


class TestNormalised:
    @pytest.mark.parametrize(
        ("span", "raster", "taken", "normalised", "plain"),
        [
            (AUTUMN, 15, [ELEVEN], (75, 25, 25, 50), (80, 20, 20, 60)),
            (AUTUMN, 15, [ELEVEN, SKIPPED], (75, 25, 25, 50), (60, 20, 40, 40)),
            (SPRING, 15, [], (80, 40, 20, 40), (100, 100)),
            (
                LATE,
                5,
                [("2022-10-30 07:00", "2022-10-30 12:20")],
                (75, 25, 25, 50),
                None,
            ),
        ],
        ids=["25 hours", "skipped hour taken", "23 hours", "begins in the change"],
    )
    def test_worked_examples(self, span, raster, taken, normalised, plain):
        """On days with 23 or 25 hours, 24 hours are shown."""
        allocation = make(*span, raster=raster, timezone="Europe/Zurich")
        for part in taken:
            take(allocation, *part)
        partitions = [(pytest.approx(p), r) for p, r in blocks(*normalised[1:])]
        assert allocation.availability_partitions() == partitions
        assert allocation.normalized_availability == pytest.approx(normalised[0])
        if plain:
            partitions = [(pytest.approx(p), r) for p, r in blocks(*plain[1:])]
            assert allocation.availability_partitions(False) == partitions
            assert allocation.availability == pytest.approx(plain[0])

    def test_slots_in_autumn(self):
        """The hour that comes first, in summer time, is left out."""
        allocation = make(*AUTUMN, timezone="Europe/Zurich")
        slots = list(allocation.normalized_slots())
        assert len(slots) == 16
        assert not [s for s, _ in slots if at(SKIPPED[0]) <= s < at(SKIPPED[1])]

    def test_slots_in_spring(self):
        """The hour that does not exist is a row of empty slots."""
        slots = list(make(*SPRING, timezone="Europe/Zurich").normalized_slots())
        assert slots[8:12] == [(None, None)] * 4
        assert [s for s, _ in slots[7:13:5]] == [
            at("2022-03-27 00:45"),
            at("2022-03-27 01:00"),
        ]
        assert len(slots) == 20

    def test_ordinary_days(self):
        """On all other days, slots and availability are the ordinary ones."""
        allocation = make(timezone="Europe/Zurich")
        take(allocation, *HOUR)
        assert list(allocation.normalized_slots()) == list(allocation.all_slots())
        assert allocation.normalized_availability == allocation.availability == 50

    def test_taken_as_a_whole(self):
        """What is not partly available is not normalised."""
        allocation = make(*SPRING, timezone="Europe/Zurich", partly=False)
        assert allocation.availability_partitions() == [(100.0, False)]
        assert allocation.normalized_availability == 100
        assert len(list(allocation.normalized_slots())) == 1
