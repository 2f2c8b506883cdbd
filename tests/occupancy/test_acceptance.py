"""The acceptance checks of the specification, O1 to O10 and O14 to O16."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from random import Random

import pytest

from libres.db.models.timestamp import TimestampMixin
from libres.occupancy import AlreadyWatched
from tests.occupancy.conftest import (
    E1,
    FIRST,
    LONG_AGO,
    SAMPLE,
    at,
    counts,
    event,
)

HOUR = timedelta(hours=1)

CSV = "timestamp,direction,dpu_id\n" + "".join(
    f"{each['timestamp']},{each['direction']},{each['dpu_id']}\n" for each in SAMPLE
)


class TestSample:
    @pytest.mark.parametrize(
        ("policy", "found"),
        [
            pytest.param("raw", [1, -1, 0], id="O1: raw"),
            pytest.param("floor", [1, 0, 0], id="O2: floor"),
            pytest.param("saturate", [1, 0, 0], id="O2: saturate"),
        ],
    )
    def test_first(self, house, policy, found):
        """An event exactly at the moment counts, and one later does not."""
        house.record([FIRST])
        assert counts(house, E1, policy) == found
        assert counts(house, "08:45:21.892", policy) == [0, 0, 0]

    def test_all(self, house):
        """O3: from A to B changes nothing for the building."""
        house.record(SAMPLE)
        assert counts(house, "09:30") == [2, -1, 1]

    @pytest.mark.parametrize(("policy", "found"), [("raw", 0), ("floor", 0)])
    def test_back(self, house, policy, found):
        """O4: below zero, a count comes back to zero if it may go there."""
        house.record([*SAMPLE, event("423", "09:40", -1)])
        assert house.count("B", at("10:00"), policy=policy).count == found

    def test_back_saturated(self, house):
        """O4: one that never goes below zero is one higher ever after."""
        house.record([*SAMPLE, event("423", "09:40", -1)])
        assert house.count("B", at("10:00"), policy="saturate").count == 1

    def test_twice(self, house):
        """O5: a file that is loaded again inserts nothing."""
        first = house.load_csv(StringIO(CSV))
        again = house.load_csv(StringIO(CSV))
        assert (first.read, first.inserted, first.duplicates) == (4, 4, 0)
        assert (again.read, again.inserted, again.duplicates) == (4, 0, 4)
        assert counts(house, "09:30") == [2, -1, 1]

    @pytest.mark.parametrize("seed", range(5))
    def test_shuffled(self, house, seed):
        """O6: neither order nor repetition matters."""
        sent = SAMPLE * 2
        Random(seed).shuffle(sent)  # noqa: S311 - nothing is secret
        for each in sent:
            house.record([each])
        assert counts(house, "09:30") == [2, -1, 1]
        assert house.verify() == []

    def test_calibrated(self, house):
        """O7: from then on it is what was told."""
        house.record(SAMPLE)
        told = house.calibrate("A", 5, at("09:07"))
        assert told.drift == -2
        found = [
            house.count("A", at(clock)).count for clock in ("9:06", "9:07", "9:30")
        ]
        assert found == [3, 5, 4]

    def test_late(self, house):
        """O8, O9: what is late counts, unless it was calibrated since."""
        house.record(SAMPLE)
        house.calibrate("A", 5, at("09:07"))
        house.record([event("283", "09:06:30", 1)])
        assert house.count("A", at("09:06:45")).count == 4
        assert house.count("A", at("09:30")).count == 4
        house.record([event("283", "09:08", 1)])
        assert house.count("A", at("09:30")).count == 5

    def test_moved(self, house):
        """O10: events count where the sensor hung at their moment."""
        house.record(SAMPLE)
        house.add_doorway("Y", "B", None)
        house.assign("283", "Y", 1, at("09:06"))
        assert house.count("A", at("09:30")).count == 3
        assert house.count("B", at("09:30")).count == -2
        assert house.verify() == []

    def test_future(self, house):
        """O14: what cannot have happened yet is quarantined, and visible."""
        ahead = TimestampMixin.timestamp() + timedelta(minutes=10)
        sent = {"timestamp": ahead.isoformat(), "direction": 1, "dpu_id": "283"}
        assert house.record([sent]).outcomes == ["quarantined"]
        assert house.count("A", ahead).count == 0
        (left,) = house.health().left_out
        assert (left.sensor, left.quarantined) == ("283", 1)

    def test_two_sensors(self, house):
        """O15: a doorway has one sensor at a time."""
        house.add_sensor("500")
        with pytest.raises(AlreadyWatched):
            house.assign("500", "X", 1, at("09:00"))
        house.add_doorway("gate", "A", None, several=True)
        for code in ("500", "283"):
            house.assign(code, "gate", 1, LONG_AGO + HOUR)

    def test_history(self, house):
        """O16: ins, outs, the count at the end, the extremes."""
        house.record(SAMPLE)
        first, second = house.history("A", at("08:00"), at("10:00"), HOUR)
        assert (first.ins, first.outs, first.count) == (1, 0, 1)
        assert (second.ins, second.outs, second.count) == (2, 1, 2)
        assert second.most == 3
