"""What becomes of each event, of files, of calibrations and resets; what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from io import BytesIO, StringIO
from itertools import pairwise

import pytest
from sqlalchemy import select, text

from libres.db.models.timestamp import TimestampMixin
from libres.domain.spans import Span
from libres.modules.errors import Misuse
from libres.occupancy import (
    AlreadyWatched,
    InvalidMoment,
    InvalidPlace,
    Occupancy,
    Reading,
    UnknownPlace,
    UnreadableFile,
)
from libres.occupancy.models import OccCalibration, OccEvent
from tests.occupancy.conftest import LONG_AGO, SAMPLE, at, counts, event, furnished

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
HEAD = "timestamp,direction,dpu_id\n"


@pytest.fixture
def house(lent):
    """The sample; nothing is committed."""
    return lent


@pytest.fixture
def own_house(context):
    """The sample, in a database of its own, for what is committed."""
    made = furnished(Occupancy(context))
    made.session.commit()
    return made


def stored(house):
    """How many events there are."""
    return house.session.execute(text("SELECT count(*) FROM occ_events")).scalar()


def row(sensor, clock, direction):
    """A row of a file."""
    return f"{at(clock).isoformat()},{direction},{sensor}\n"


GOOD = event("283", "09:00", 1)

INVALID = [
    pytest.param({**GOOD, "timestamp": "2018-02-24T09:00:00"}, id="no zone"),
    pytest.param({**GOOD, "timestamp": datetime(2018, 2, 24, 9)}, id="naive"),  # noqa: DTZ001
    pytest.param({**GOOD, "timestamp": "2018-02-30T09:00:00Z"}, id="no such day"),
    pytest.param({**GOOD, "timestamp": "yesterday"}, id="no time"),
    pytest.param({**GOOD, "timestamp": 1519462800}, id="a number is no time"),
    pytest.param({**GOOD, "timestamp": "1969-12-31T23:59:59Z"}, id="too long ago"),
    pytest.param({**GOOD, "timestamp": "9999-01-01T00:00:00Z"}, id="too far away"),
    pytest.param({**GOOD, "timestamp": None}, id="time is missing"),
    pytest.param({**GOOD, "direction": 0}, id="nobody walks"),
    pytest.param({**GOOD, "direction": 2}, id="two walk"),
    pytest.param({**GOOD, "direction": "up"}, id="up is no direction"),
    pytest.param({**GOOD, "direction": True}, id="a bool is no direction"),
    pytest.param({**GOOD, "direction": 1.0}, id="a float is no direction"),
    pytest.param({**GOOD, "dpu_id": ""}, id="no sensor"),
    pytest.param({**GOOD, "dpu_id": "a\0b"}, id="sensor with NUL"),
    pytest.param({**GOOD, "dpu_id": "\ud800"}, id="sensor that cannot be stored"),
    pytest.param({**GOOD, "dpu_id": 283}, id="a number is no code"),
    pytest.param({**GOOD, "seq": -1}, id="seq below zero"),
    pytest.param({**GOOD, "seq": 2**63}, id="seq beyond bigint"),
    pytest.param({}, id="nothing told"),
    pytest.param("2018-02-24T09:00:00Z,1,283", id="a row is no mapping"),
    pytest.param(None, id="nothing"),
    pytest.param([GOOD], id="a list in a list"),
]


class TestEvents:
    @pytest.mark.parametrize("wrong", INVALID)
    def test_invalid(self, house, wrong):
        """What is no event is refused by itself; the others count."""
        made = house.record([SAMPLE[0], wrong, SAMPLE[1]])
        assert made.outcomes == ["counted", "invalid", "counted"]
        (refused,) = made.refused
        assert refused.line == 2
        assert refused.reason
        assert stored(house) == 2

    def test_unknown_sensor(self, house):
        """Nothing is known of another sensor, so nothing is stored."""
        made = house.record([event("7", "09:00", 1), GOOD])
        assert made.outcomes == ["unknown_sensor", "counted"]
        assert "'7'" in made.refused[0].reason
        assert stored(house) == 1

    def test_all_outcomes(self, house):
        """Each outcome is told of its event, in order, and counted."""
        house.add_sensor("off", active=False)
        house.add_sensor("bare")
        sent = [
            event("bare", "09:00", 1),
            GOOD,
            "hello",
            event("off", "09:00", 1),
            GOOD,
            event("7", "09:00", 1),
        ]
        made = house.record(sent)
        assert made.outcomes == [
            *("unassigned", "counted", "invalid"),
            *("quarantined", "duplicate", "unknown_sensor"),
        ]
        assert set(made.totals.values()) == {1}
        assert [each.line for each in made.refused] == [3, 6]

    def test_batches(self, house):
        """Positions go on over batches of a thousand."""
        many = [
            {**GOOD, "timestamp": at("09:00") + each * MINUTE / 60}
            for each in range(2100)
        ]
        many[1500] = "hello"
        made = house.record(iter(many))
        assert made.outcomes.count("counted") == 2099
        assert [each.line for each in made.refused] == [1501]
        assert house.count("A", at("12:00")).count == 2099
        assert house.record(many[::-1]).totals == {"duplicate": 2099, "invalid": 1}

    def test_readings(self, house):
        """A Reading is an event, in any zone."""
        zone = datetime.fromisoformat("2018-02-24T10:00:00+01:00")
        assert house.record([Reading("283", zone, 1)]).outcomes == ["counted"]
        assert house.record([GOOD]).outcomes == ["duplicate"]

    def test_seq(self, house):
        """A number that the sensor gave is of one event, whatever its time."""
        first = {**GOOD, "seq": 7}
        other = {**event("283", "09:30", -1), "seq": 7}
        assert house.record([first]).outcomes == ["counted"]
        assert house.record([other, first]).outcomes == ["duplicate", "duplicate"]
        assert house.record([{**other, "seq": 8}]).outcomes == ["counted"]
        assert house.record([{**other, "dpu_id": "423"}]).outcomes == ["counted"]

    def test_seq_in_batch(self, house):
        """In one batch as well, exactly one of them is stored."""
        first = {**GOOD, "seq": 7}
        other = {**event("283", "09:30", -1), "seq": 7}
        made = house.record([first, other])
        assert sorted(made.outcomes) == ["counted", "duplicate"]
        assert stored(house) == 1
        assert house.verify() == []

    def test_no_seq(self, house):
        """Two walk in at once if their numbers differ; without, it is one of them."""
        sent = [GOOD, GOOD, {**GOOD, "seq": 1}, {**GOOD, "seq": 2}]
        made = house.record(sent)
        assert made.outcomes == ["counted", "duplicate", "counted", "counted"]
        assert house.count("A", at("09:00")).count == 3

    @pytest.mark.parametrize(
        ("numbers", "count"),
        [
            pytest.param((None, None), 0, id="who enters is first"),
            pytest.param((1, 2), 0, id="the lower number is first"),
            pytest.param((2, 1), 1, id="the lower number leaves"),
            pytest.param((None, 1), 1, id="a number is before none"),
        ],
    )
    def test_order(self, house, numbers, count):
        """In one moment it is numbers, then who enters: nobody is below zero, so it
        makes a difference."""
        sent = [
            {**event("283", "09:00", direction), "seq": seq}
            for direction, seq in zip((1, -1), numbers, strict=True)
        ]
        house.record(sent[::-1])
        moments = at("09:00"), at("09:59"), at("10:00"), at("10:00", 25)
        found = [house.count("A", each, policy="saturate").count for each in moments]
        assert found == [count] * 4
        house.calibrate("A", 0, at("09:00"))
        found = [house.count("A", each, policy="saturate").count for each in moments]
        assert found == [count] * 4
        assert house.verify() == []

    def test_inactive(self, house):
        """What an inactive sensor tells is kept, but not trusted: it is not alive."""
        house.add_sensor("283", active=False)
        assert house.record([GOOD]).outcomes == ["quarantined"]
        assert counts(house, "10:00") == [0, 0, 0]
        assert house.sensors()[0].last_seen is None
        house.add_sensor("283")
        assert house.record([GOOD]).outcomes == ["duplicate"]
        assert house.record([event("283", "09:01", 1)]).outcomes == ["counted"]

    def test_quarantined_stays(self, house):
        """To hang a sensor elsewhere does not make it trusted."""
        house.add_sensor("283", active=False)
        house.record([GOOD])
        house.add_sensor("283")
        house.assign("283", "X", -1, at("08:00"))
        assert counts(house, "10:00") == [0, 0, 0]

    def test_future(self, house, clock):
        """The clock of a sensor may be five minutes ahead, and not more."""
        clock.now = at("09:00")
        sent = [
            {**GOOD, "timestamp": at("09:05")},
            {**GOOD, "timestamp": at("09:05") + TICK},
        ]
        assert house.record(sent).outcomes == ["counted", "quarantined"]

    def test_retention(self, house, clock):
        """What arrives later than it may is kept, and not counted."""
        clock.now = at("09:00")
        short = Occupancy(house.context, retention=HOUR)
        sent = [
            {**GOOD, "timestamp": at("08:00")},
            {**GOOD, "timestamp": at("08:00") - TICK},
        ]
        assert short.record(sent).outcomes == ["counted", "quarantined"]
        assert house.count("A", at("09:00")).count == 1

    @pytest.mark.parametrize("wrong", [timedelta(-1), timedelta.max, 60])
    def test_impossible_retention(self, house, wrong):
        """It is a time."""
        with pytest.raises(InvalidMoment):
            Occupancy(house.context, retention=wrong)

    def test_long_retention(self, house):
        """A hundred years are a time, too."""
        long = Occupancy(house.context, retention=timedelta(days=36_600))
        assert long.record([GOOD]).outcomes == ["counted"]


class TestFiles:
    def test_bad_rows(self, own_house):
        """Bad rows are told by their lines; what is around them is stored."""
        lines = [
            HEAD,
            row("283", "09:00", 1),
            "yesterday,1,283\n",
            row("283", "09:01", "0"),
            "\n",
            row("7", "09:02", 1),
            row("283", "09:03", '"1"'),
            "one,two\n",
            row("283", "09:04", '"-1"'),
            row("283", "09:00", 1),
        ]
        made = own_house.load_csv(StringIO("".join(lines)))
        found = made.read, made.inserted, made.duplicates, made.unknown, made.invalid
        assert found == (8, 3, 1, 1, 3)
        assert sorted(each.line for each in made.refused) == [3, 4, 6, 8]
        assert own_house.count("A", at("10:00")).count == 1

    def test_commits(self, own_house):
        """Each batch is committed by itself, also those before a file ends badly."""
        lines = [HEAD.encode()]
        lines += [
            f"{(at('09:00') + each * MINUTE / 60).isoformat()},1,283\n".encode()
            for each in range(5500)
        ]
        with pytest.raises(UnreadableFile):
            own_house.load_csv([*lines, b"\xff\xfe\n"])
        own_house.session.rollback()
        assert stored(own_house) == 5000
        told = []
        made = own_house.load_csv(BytesIO(b"".join(lines)), progress=told.append)
        assert (made.inserted, made.duplicates) == (500, 5000)
        assert told == [5000, 5500]
        assert own_house.verify() == []

    @pytest.mark.parametrize(
        "wrong", ["yesterday,1,283\n", row("7", "09:00", 1)], ids=["invalid", "unknown"]
    )
    def test_atomic(self, house, wrong):
        """All of a file or nothing; what was recorded before remains."""
        house.record([SAMPLE[0]])
        lines = [HEAD, row("283", "09:00", 1), wrong, row("283", "09:01", 1)]
        made = house.load_csv(StringIO("".join(lines)), atomic=True)
        assert (made.read, made.inserted) == (3, 0)
        assert [each.line for each in made.refused] == [3]
        assert stored(house) == 1
        assert counts(house, "10:00") == [1, -1, 0]
        assert house.verify() == []
        del lines[2]
        assert house.load_csv(StringIO("".join(lines)), atomic=True).inserted == 2

    def test_atomic_unreadable(self, house):
        """Nothing of a file that breaks off is stored either."""
        lines = [HEAD.encode(), row("283", "09:00", 1).encode(), b"\xff\n"]
        with pytest.raises(UnreadableFile):
            house.load_csv(lines, atomic=True)
        assert stored(house) == 0

    @pytest.mark.parametrize("head", ["", "a,b,c\n", "timestamp,direction\n"])
    def test_header(self, house, head):
        """A file says what its columns are."""
        with pytest.raises(UnreadableFile):
            house.load_csv(StringIO(head))

    def test_left_out(self, house):
        """What is stored, but does not count, is told apart."""
        house.add_sensor("off", active=False)
        house.add_sensor("bare")
        lines = [HEAD, row("off", "09:00", 1), row("bare", "09:00", 1)]
        made = house.load_csv(StringIO("".join(lines)), atomic=True)
        assert (made.inserted, made.quarantined, made.unassigned) == (2, 1, 1)


class TestMoving:
    def test_assigned_later(self, house):
        """What was told before anybody knew where the sensor hung counts afterwards."""
        house.add_sensor("bare")
        house.add_doorway("Y", "B", None)
        sent = [event("bare", "09:00", 1), event("bare", "10:00", 1)]
        assert house.record(sent).outcomes == ["unassigned"] * 2
        assert counts(house, "11:00") == [0, 0, 0]
        house.assign("bare", "Y", 1, at("09:00"))
        assert counts(house, "09:00") == [0, 1, 1]
        assert counts(house, "11:00") == [0, 2, 2]
        assert house.verify() == []

    def test_unassigned_later(self, house):
        """What it told since it was taken down counts no more; and again if it was."""
        house.record(SAMPLE)
        assert house.unassign("283", at("09:05")) is True
        assert counts(house, "10:00") == [2, -1, 1]
        assert house.unassign("283", at("09:00")) is True
        assert counts(house, "10:00") == [1, -1, 0]
        assert house.unassign("283", at("09:00")) is False
        states = select(OccEvent.state).order_by(OccEvent.state)
        assert house.session.scalars(states).all() == ["counted"] + ["unassigned"] * 3
        house.assign("283", "X", 1, at("09:00"))
        assert counts(house, "10:00") == [2, -1, 1]
        assert house.verify() == []

    def test_turned(self, house):
        """The sign says which way it looks."""
        house.record(SAMPLE)
        house.assign("283", "X", -1, at("09:05"))
        assert house.count("A", at("10:00")).count == 2
        house.assign("283", "X", -1, LONG_AGO - HOUR)
        assert house.count("A", at("08:50")).count == 1
        assert house.verify() == []

    def test_until(self, house):
        """It hangs there until it is known to hang elsewhere."""
        house.add_doorway("Y", "B", None)
        first = house.assign("283", "Y", 1, at("12:00"))
        between = house.assign("283", "Y", -1, at("09:00"))
        assert (first.until, between.until) == (None, at("12:00"))
        before = house.assign("283", "Y", 1, LONG_AGO - HOUR)
        assert before.until == LONG_AGO

    def test_refused(self, house):
        """What is refused changes nothing: the sensor hangs where it hung."""
        house.record(SAMPLE)
        with pytest.raises(AlreadyWatched):
            house.assign("423", "X", 1, at("08:00"))
        assert counts(house, "10:00") == [2, -1, 1]
        assert house.record([event("423", "09:30", 1)]).outcomes == ["counted"]
        assert house.verify() == []

    @pytest.mark.parametrize(
        "moment",
        [None, "2018-02-24", datetime(2018, 2, 24)],  # noqa: DTZ001
    )
    def test_moment(self, house, moment):
        """Since when is an aware moment."""
        with pytest.raises(InvalidMoment):
            house.assign("283", "X", 1, moment)
        with pytest.raises(InvalidMoment):
            house.unassign("283", moment)

    def test_passages(self, house):
        """Who walked beneath a sensor, wherever it hung; not what is quarantined."""
        house.record(SAMPLE)
        house.unassign("283", at("09:05"))
        house.add_sensor("283", active=False)
        house.record([event("283", "09:20", 1)])
        found = house.passages("283", at("09:00"), at("10:00"))
        assert (found.positive, found.negative) == (2, 1)
        found = house.passages("283", at("09:00") + TICK, at("09:10"))
        assert (found.positive, found.negative) == (1, 0)


class TestMoments:
    @pytest.mark.parametrize(
        ("start", "end"),
        [
            pytest.param(datetime(2018, 2, 24), at("09:00"), id="naive"),  # noqa: DTZ001
            pytest.param(at("09:00"), datetime(2018, 2, 25), id="naive end"),  # noqa: DTZ001
            pytest.param(at("09:00"), at("08:00"), id="reversed"),
            pytest.param(at("09:00"), at("09:00"), id="empty"),
            pytest.param("09:00", at("09:00"), id="a text"),
            pytest.param(datetime.min.replace(tzinfo=UTC), at("09:00"), id="too early"),
            pytest.param(at("09:00"), datetime.max.replace(tzinfo=UTC), id="too late"),
        ],
    )
    def test_span(self, house, start, end):
        """A time has two aware moments, one after the other."""
        asked = (
            lambda: house.history("A", start, end),
            lambda: house.extremes("A", start, end),
            lambda: house.silences("A", start, end),
            lambda: house.passages("283", start, end),
        )
        for ask in asked:
            with pytest.raises(InvalidMoment):
                ask()

    @pytest.mark.parametrize(
        "moment",
        [
            datetime(2018, 2, 24),  # noqa: DTZ001
            "2018-02-24T09:00:00Z",
            datetime.min.replace(tzinfo=UTC),
            datetime.max.replace(tzinfo=UTC),
            5,
        ],
    )
    def test_moment(self, house, moment):
        """A moment is a datetime with a zone."""
        asked = (
            house.count,
            lambda key, at: house.calibrate(key, 1, at),
            lambda _, at: house.sign_alive("283", at=at),
            lambda _, at: house.health(at),
            lambda _, at: house.apply_resets(at),
        )
        for ask in asked:
            with pytest.raises(InvalidMoment):
                ask("A", moment)

    @pytest.mark.parametrize("step", [timedelta(), -HOUR, 60, None, timedelta.max])
    def test_step(self, house, step):
        """A step is a time."""
        with pytest.raises(InvalidMoment):
            house.history("A", at("08:00"), at("09:00"), step)

    def test_too_many_steps(self, house):
        """Two thousand are enough."""
        end = at("08:00") + 2000 * MINUTE
        assert len(house.history("A", at("08:00"), end, MINUTE)) == 2000
        with pytest.raises(InvalidMoment):
            house.history("A", at("08:00"), end + TICK, MINUTE)

    def test_long_step(self, house):
        """A step that is longer than the time is one; also of a hundred years."""
        house.record(SAMPLE)
        for step in (timedelta(days=7), timedelta(days=36_600)):
            (only,) = house.history("A", at("00:00"), at("09:06"), step)
            assert (only.end, only.count, only.ins) == (at("09:06"), 3, 3)

    def test_part_of_a_day(self, house):
        """The last step ends where it is told to, and not with its day."""
        house.record([*SAMPLE, event("283", "18:00", 1)])
        day = timedelta(days=1)
        (only,) = house.history("A", at("00:00"), at("12:00"), day)
        assert (only.count, only.ins) == (2, 3)
        first, last = house.history("A", at("00:00", 23), at("12:00"), day)
        assert (first.ins, last.count, last.ins) == (0, 2, 3)

    @pytest.mark.parametrize("moment", [datetime(1970, 1, 1, tzinfo=UTC), at("09:00")])
    def test_first_and_last(self, house, moment):
        """The first and the last moment that there are can be asked for."""
        last = datetime(9999, 1, 1, tzinfo=UTC) - TICK
        house.record(SAMPLE)
        assert house.count("A", last).count == 2
        assert house.extremes("A", moment, last).highest.count == 3
        assert house.count("A", moment).count == (2 if moment == at("09:00") else 0)

    @pytest.mark.parametrize("policy", ["never", "", 1, ["raw"]])
    def test_policy(self, house, policy):
        """A policy is one of three."""
        with pytest.raises(InvalidPlace):
            house.count("A", policy=policy)
        with pytest.raises(InvalidPlace):
            house.history("A", at("08:00"), at("09:00"), policy=policy)


class TestAlive:
    def test_stale(self, house):
        """A count is stale if a sensor was not heard for longer than it may be."""
        house.record([event("283", "09:00", 1), event("423", "09:00", 1)])
        beat = house.sensors()[0].heartbeat
        assert house.count("A", at("09:00") + beat).stale is False
        assert house.count("A", at("09:00") + beat + TICK).stale is True

    def test_one_of_two(self, house):
        """Both of its sensors have to be heard."""
        house.record([event("283", "09:00", 1)])
        assert house.count("A", at("09:01")).stale is True
        assert house.count("B", at("09:01")).stale is True
        house.sign_alive("423", at=at("09:00"))
        assert house.count("A", at("09:01")).stale is False

    def test_unwatched(self, house):
        """Nor does anybody know if nothing hangs above one of its doorways."""
        house.sign_alive("283", "423", at=at("09:00"))
        assert house.count("A", at("09:01")).stale is False
        house.add_doorway("hole", "A", None)
        assert house.count("A", at("09:01")).stale is True
        assert house.silences("A", at("09:00"), at("09:10")) == [
            Span(at("09:00"), at("09:10"))
        ]

    def test_no_doorways(self, house):
        """Nobody knows of a space without doorways."""
        house.add_space("cellar", timezone="UTC")
        assert house.count("cellar").stale is True
        span = at("09:00"), at("10:00")
        assert house.silences("cellar", *span) == [Span(*span)]

    def test_signs(self, house):
        """Signs tell that a sensor is alive, however often, and in any order."""
        for clock in ("09:00", "08:50", "09:00"):
            assert house.sign_alive("283", "7", at=at(clock)) == ["283"]
        assert house.sensors()[0].last_seen == at("09:00")
        assert house.sign_alive() == []

    def test_silences(self, house):
        """A silence begins when it should have been heard, and ends when it is."""
        house.sign_alive("423", at=at("09:00"))
        for minute in range(0, 65, 5):
            house.sign_alive("423", at=at("09:00") + minute * MINUTE)
        house.record([event("283", "09:00", 1), event("283", "09:40", -1)])
        assert house.silences("A", at("09:00"), at("10:00")) == [
            Span(at("09:15"), at("09:40")),
            Span(at("09:55"), at("10:00")),
        ]
        assert house.silences("B", at("09:00"), at("10:00")) == []
        assert house.silences("A", at("09:20"), at("09:30")) == [
            Span(at("09:20"), at("09:30"))
        ]

    def test_silences_moved(self, house):
        """A sensor has to be heard while it hangs there; nobody knows while none
        does."""
        for minute in range(0, 65, 5):
            house.sign_alive("283", at=at("09:00") + minute * MINUTE)
        house.sign_alive("423", at=at("09:00"))
        house.unassign("423", at("09:10"))
        house.assign("283", "Z", 1, at("09:30"))
        assert house.silences("B", at("09:00"), at("10:00")) == [
            Span(at("09:10"), at("09:30"))
        ]


class TestCalibrating:
    @pytest.mark.parametrize("value", [-1, True, None, 1.0, "3", 2**31, 10**40])
    def test_value(self, house, value):
        """A number of people is told."""
        with pytest.raises(InvalidPlace):
            house.calibrate("A", value)

    @pytest.mark.parametrize(
        "wrong",
        [{"kind": "guess"}, {"kind": None}, {"actor": "a\0b"}, {"note": "\ud800"},
         {"note": 7}],
    )  # fmt: skip
    def test_impossible(self, house, wrong):
        """What cannot be stored is refused."""
        with pytest.raises(InvalidPlace):
            house.calibrate("A", 1, at("09:00"), **wrong)

    def test_huge(self, house):
        """A thousand million people are a number, even if one less than none is
        counted."""
        house.record([event("283", "08:00", -1)])
        told = house.calibrate("A", 10**9, at("09:00"))
        assert told.drift == -(10**9) - 1
        assert house.count("A", at("09:00")).count == 10**9

    def test_repeated(self, house):
        """A second one of the same moment replaces the first, and tells the same of
        what was before."""
        house.record(SAMPLE)
        first = house.calibrate("A", 5, at("09:07"), actor="Ann", note="counted")
        again = house.calibrate("A", 4, at("09:07"))
        assert (first.drift, again.drift) == (-2, -1)
        assert house.count("A", at("09:30")).count == 3
        rows = house.session.execute(select(OccCalibration.value)).all()
        assert [tuple(each) for each in rows] == [(4,)]

    def test_drift_hint(self, house):
        """How many too many are counted in a thousand passages."""
        house.record(SAMPLE)
        assert house.count("A", at("10:00")).drift_hint is None
        told = house.calibrate("A", 1, at("10:00"))
        assert (told.drift, told.passages) == (1, 4)
        assert house.count("A", at("10:00")).drift_hint == 250
        house.calibrate("A", 0, at("11:00"), kind="schedule")
        assert house.count("A", at("10:00")).drift_hint == 250

    def test_drift_of_floor(self, house):
        """Below zero it drifts, too, though zero is shown."""
        house.add_space("A", timezone="UTC", parent="building", policy="floor")
        house.record([event("283", "08:00", -1)])
        assert house.calibrate("A", 0, at("09:00")).drift == -1


ZURICH = "Europe/Zurich"


def resets(house):
    """When spaces were reset."""
    query = select(OccCalibration.ts).order_by(OccCalibration.ts)
    return list(house.session.scalars(query))


class TestResets:
    @pytest.mark.parametrize(
        "first",
        [
            pytest.param(datetime(2018, 3, 23, 12, tzinfo=UTC), id="spring"),
            pytest.param(datetime(2018, 10, 26, 12, tzinfo=UTC), id="autumn"),
        ],
    )
    def test_clock_change(self, house, first):
        """Once a day, also on the days on which half past two is missing, or twice."""
        house.schedule_reset("A", time(2, 30), ZURICH)
        assert house.apply_resets(first) == 1
        done = [house.apply_resets(first + timedelta(days=day)) for day in (1, 2, 3)]
        assert done == [1, 1, 1]
        found = resets(house)
        assert len(found) == len({each.date() for each in found}) == 4
        assert all(23 * HOUR <= b - a <= 25 * HOUR for a, b in pairwise(found))

    def test_local(self, house):
        """Three o'clock is another hour of UTC in summer."""
        house.schedule_reset("A", time(3), ZURICH)
        house.apply_resets(datetime(2018, 3, 24, 12, tzinfo=UTC))
        assert house.apply_resets(datetime(2018, 3, 26, 12, tzinfo=UTC)) == 2
        assert [each.astimezone(UTC).hour for each in resets(house)] == [2, 1, 1]

    def test_counts(self, house):
        """It is empty then, whatever was counted; later ones count from there."""
        house.record([*SAMPLE, event("283", "12:00", 1)])
        house.schedule_reset("A", time(11))
        assert house.apply_resets(at("13:00")) == 1
        assert house.count("A", at("10:59")).count == 2
        assert house.count("A", at("11:00")).count == 0
        assert house.count("A", at("13:00")).count == 1
        assert house.verify() == []

    def test_repeated(self, house):
        """Done again, nothing is to be done; nor for a moment before."""
        house.schedule_reset("A", time(3))
        assert house.apply_resets(at("12:00")) == 1
        assert house.apply_resets(at("12:00")) == 0
        assert house.apply_resets(at("12:00", 20)) == 0
        assert house.apply_resets(at("12:00")) == 0
        assert house.apply_resets(at("12:00", 27)) == 3

    def test_exactly(self, house):
        """At the moment itself it is due, once."""
        house.schedule_reset("A", time(3))
        assert house.apply_resets(at("03:00") - TICK) == 1
        assert house.apply_resets(at("03:00")) == 1
        assert house.apply_resets(at("03:00") + TICK) == 0
        assert resets(house) == [at("03:00", 23), at("03:00")]

    def test_ended(self, house):
        """None ends it; and what was due until it is scheduled again is not done."""
        house.schedule_reset("A", time(3))
        house.apply_resets(at("12:00", 1))
        house.schedule_reset("A", None)
        assert house.apply_resets(at("12:00", 10)) == 0
        house.schedule_reset("A", time(4))
        assert house.apply_resets(at("12:00", 20)) == 1
        assert resets(house) == [at("03:00", 1), at("04:00", 20)]

    @pytest.mark.parametrize("wrong", ["03:00", 3, time(3, tzinfo=UTC)])
    def test_time(self, house, wrong):
        """A local time has no zone."""
        with pytest.raises(InvalidPlace):
            house.schedule_reset("A", wrong)

    def test_zone(self, house):
        """A zone is one that exists; the space is in it then."""
        with pytest.raises(Misuse):
            house.schedule_reset("A", time(3), "Mars/Olympus")
        house.schedule_reset("A", time(3), ZURICH)
        assert house.space("A").timezone == ZURICH
        with pytest.raises(UnknownPlace):
            house.schedule_reset("C", time(3))


class TestHealth:
    def test_well(self, house):
        """Nothing is wrong."""
        house.sign_alive("283", "423", at=at("09:00"))
        assert house.health(at("09:15")).is_well

    def test_silent(self, house):
        """Sensors that were not heard, unless they are not active."""
        house.add_sensor("off", active=False)
        house.sign_alive("283", at=at("09:00"))
        found = house.health(at("09:15"))
        assert [each.code for each in found.silent] == ["423"]
        found = house.health(at("09:15") + TICK)
        assert [each.code for each in found.silent] == ["283", "423"]
        assert not found.is_well

    def test_strange(self, house):
        """Counts below zero, and above the capacity."""
        house.add_space("A", timezone="UTC", parent="building", capacity=1)
        house.record(SAMPLE)
        found = house.health(at("09:30")).strange
        assert [(each.space, each.count, each.capacity) for each in found] == [
            ("A", 2, 1),
            ("B", -1, None),
        ]
        house.add_space("A", timezone="UTC", parent="building", capacity=2)
        house.add_space("B", timezone="UTC", parent="building", policy="saturate")
        assert house.health(at("09:30")).strange == []

    def test_left_out(self, house):
        """What does not count, of which sensor, and of how much."""
        house.add_sensor("bare")
        house.add_sensor("off", active=False)
        house.record([*SAMPLE, event("bare", "09:00", 1), event("bare", "09:01", 1)])
        house.record([event("off", "09:00", 1)])
        found = house.health().left_out
        assert [
            (each.sensor, each.unassigned, each.quarantined, each.received)
            for each in found
        ] == [("bare", 2, 0, 2), ("off", 0, 1, 1)]


def test_heard_just_now(house):
    """A sensor that is heard at the very moment is not silent."""
    house.add_space("hall", timezone="UTC")
    house.add_doorway("gate", "hall", None)
    house.add_sensor("900")
    house.assign("900", "gate", 1, LONG_AGO)
    assert house.count("hall", at("09:00")).stale
    house.record([event("900", "09:00:00", 1)])
    assert not house.count("hall", at("09:00")).stale


class TestRefused:
    def test_alive_tomorrow(self, house):
        """Nobody knows that a sensor will be alive; it would never be silent again."""
        ahead = TimestampMixin.timestamp() + timedelta(minutes=6)
        with pytest.raises(InvalidMoment, match="Nobody knows"):
            house.sign_alive("283", at=ahead)

    @pytest.mark.parametrize("source", ["", "a\0b", None, "x" * 501])
    def test_source(self, house, source):
        """A source is a short text."""
        with pytest.raises(InvalidPlace):
            house.record(SAMPLE, source=source)
