"""Spaces, doorways and sensors: added, again, changed, refused."""

from __future__ import annotations

import uuid
from datetime import UTC, time, timedelta

import pytest
from sqlalchemy import create_engine, inspect, select

from libres.context.core import Context
from libres.db.models.base import ORMBase
from libres.modules.errors import Misuse
from libres.occupancy import InvalidMoment, InvalidPlace, Occupancy, UnknownPlace
from libres.occupancy.models import OccDoorway, OccSensor, OccSpace
from tests.occupancy.conftest import LONG_AGO, SAMPLE, at, counts, event, furnished

HOSTILE = "Robert'); DROP TABLE occ_spaces;-- %s :name {0} \\ \" 🚪"

NAMES = [
    pytest.param("", id="empty"),
    pytest.param("  ", id="blank"),
    pytest.param("x" * 501, id="too long"),
    pytest.param("a\0b", id="NUL"),
    pytest.param("a\nb", id="line break"),
    pytest.param("\ud800", id="half of a surrogate pair"),
    pytest.param(7, id="a number"),
    pytest.param(b"A", id="bytes"),
    pytest.param(None, id="nothing"),
]

UNKNOWN = [
    pytest.param("nowhere", id="a name"),
    pytest.param("", id="no name"),
    pytest.param("\ud800", id="a name that cannot be stored"),
    pytest.param("a\0b", id="a name with NUL"),
    pytest.param("x" * 10_000, id="a long name"),
    pytest.param(10**9, id="a number"),
    pytest.param(-1, id="a negative number"),
    pytest.param(2**63, id="a number beyond bigint"),
    pytest.param(True, id="a bool is no number"),
    pytest.param(1.0, id="a float is no number"),
    pytest.param(uuid.UUID(int=7), id="an id"),
    pytest.param(["A"], id="a list"),
]


@pytest.fixture
def house(lent):
    """The sample; nothing is committed."""
    return lent


@pytest.fixture
def empty(lent):
    """Nothing is there yet."""
    return beside(lent, "empty")


def beside(house, name):
    """Make an occupancy of another context, in the session of a house."""
    context = Context(name, parent=house.context)
    provider = house.context.get_service("session_provider")
    context.set_service("session_provider", lambda _: provider)
    return Occupancy(context)


def rows(house, model):
    """How many there are in the table."""
    return len(house.session.execute(select(model.id)).all())


class TestSpaces:
    def test_added(self, empty):
        """What was told of a space is there again."""
        made = empty.add_space(
            "A", timezone="Europe/Zurich", capacity=0, policy="floor", opens=time(8),
            closes=time(2),
        )  # fmt: skip
        assert empty.space("A") == empty.space(made.id) == empty.space(made.number)
        assert empty.space(made) == made
        found = made.timezone, made.capacity, made.policy, made.opens, made.closes
        assert found == ("Europe/Zurich", 0, "floor", time(8), time(2))

    def test_repeated(self, house):
        """One that is added again is the same, and there once."""
        first = house.space("A")
        again = house.add_space("A", timezone="UTC", parent="building")
        assert again == first
        assert rows(house, OccSpace) == 3

    def test_changed(self, house):
        """Adding it again changes what is told of it, but not its id and number."""
        house.record(SAMPLE)
        first = house.space("A")
        again = house.add_space(
            "A", timezone="Asia/Tokyo", parent="building", capacity=9, policy="saturate"
        )
        assert (again.id, again.number) == (first.id, first.number)
        found = again.timezone, again.capacity, again.policy
        assert found == ("Asia/Tokyo", 9, "saturate")
        assert counts(house, "09:30") == [2, -1, 1]

    def test_resource(self, house):
        """The name of a scheduler is the resource that it has."""
        named = house.add_space("room", timezone="UTC", resource="room")
        assert named.resource == house.generate_uuid("room")
        by_id = house.add_space("hall", timezone="UTC", resource=uuid.UUID(int=1))
        assert by_id.resource == uuid.UUID(int=1)

    @pytest.mark.parametrize("name", NAMES)
    def test_name(self, empty, name):
        """A name is a text that can be printed."""
        with pytest.raises(InvalidPlace):
            empty.add_space(name, timezone="UTC")
        assert empty.spaces() == []

    @pytest.mark.parametrize("name", [HOSTILE, "x" * 500, "é", "  A  "])
    def test_hostile(self, empty, name):
        """A name is data, whatever is in it."""
        made = empty.add_space(name, timezone="UTC")
        assert made.name == name
        assert empty.space(name) == made
        assert empty.count(name).count == 0

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param({"capacity": -1}, id="capacity below zero"),
            pytest.param({"capacity": True}, id="a bool is no capacity"),
            pytest.param({"capacity": 2**31}, id="capacity beyond integer"),
            pytest.param({"capacity": 10**40}, id="capacity beyond all"),
            pytest.param({"capacity": 1.5}, id="half a person"),
            pytest.param({"capacity": "9"}, id="a text is no capacity"),
            pytest.param({"policy": "never"}, id="no such policy"),
            pytest.param({"policy": None}, id="no policy"),
            pytest.param({"policy": ["raw"]}, id="a list of policies"),
            pytest.param({"opens": time(8)}, id="opens without closes"),
            pytest.param({"closes": time(8)}, id="closes without opens"),
            pytest.param({"opens": "08:00", "closes": time(9)}, id="no time"),
            pytest.param(
                {"opens": time(8, tzinfo=UTC), "closes": time(9)}, id="time with zone"
            ),
            pytest.param({"resource": 7}, id="a number is no resource"),
        ],
    )
    def test_impossible(self, empty, wrong):
        """What cannot be is refused, and nothing is added."""
        with pytest.raises(InvalidPlace):
            empty.add_space("A", **{"timezone": "UTC", **wrong})
        assert empty.spaces() == []

    @pytest.mark.parametrize("zone", ["", "Mars/Olympus", None, 7, "../etc", "a\0b"])
    def test_zone(self, empty, zone):
        """A timezone is the name of one that exists."""
        with pytest.raises(Misuse):
            empty.add_space("A", timezone=zone)

    @pytest.mark.parametrize("parent", UNKNOWN)
    def test_parent_unknown(self, empty, parent):
        """A space lies in one that is there."""
        with pytest.raises(UnknownPlace):
            empty.add_space("A", timezone="UTC", parent=parent)

    def test_parent_itself(self, empty):
        """No space lies in itself."""
        with pytest.raises(UnknownPlace):
            empty.add_space("A", timezone="UTC", parent="A")
        empty.add_space("A", timezone="UTC")
        with pytest.raises(InvalidPlace):
            empty.add_space("A", timezone="UTC", parent="A")

    def test_parent_changed(self, house):
        """A space does not move into another one: its tallies would be wrong."""
        with pytest.raises(InvalidPlace):
            house.add_space("A", timezone="UTC", parent="B")
        with pytest.raises(InvalidPlace):
            house.add_space("A", timezone="UTC")

    @pytest.mark.parametrize("key", UNKNOWN)
    def test_unknown(self, house, key):
        """What is not there is unknown, by whatever it is asked for."""
        asked = (
            house.space,
            house.count,
            lambda key: house.history(key, at("08:00"), at("09:00")),
            lambda key: house.extremes(key, at("08:00"), at("09:00")),
            lambda key: house.silences(key, at("08:00"), at("09:00")),
            lambda key: house.calibrate(key, 1),
            lambda key: house.schedule_reset(key, time(3)),
            house.rebuild,
            house.verify,
        )
        for ask in asked:
            with pytest.raises(UnknownPlace):
                ask(key)

    def test_levels(self, house):
        """Who enters a room on a floor of a house enters all three."""
        house.add_space("floor", timezone="UTC", parent="building")
        house.add_space("room", timezone="UTC", parent="floor")
        house.add_doorway("stairs", "floor", None)
        house.add_doorway("door", "room", "floor")
        house.add_doorway("bridge", "room", "B")
        for code, doorway in (("1", "stairs"), ("2", "door"), ("3", "bridge")):
            house.add_sensor(code)
            house.assign(code, doorway, 1, LONG_AGO)

        def found():
            names = ("room", "floor", "B", "building")
            return [house.count(name, at("10:00")).count for name in names]

        house.record([event("1", "09:00", 1)])
        assert found() == [0, 1, 0, 1], "up the stairs"
        house.record([event("2", "09:01", 1)])
        assert found() == [1, 1, 0, 1], "into the room, on the same floor"
        house.record([event("3", "09:02", -1)])
        assert found() == [0, 0, 1, 1], "over the bridge, in the same house"
        assert house.verify() == []


class TestDoorways:
    def test_repeated(self, house):
        """One that is added again is the same, and counts as before."""
        house.record(SAMPLE)
        first = house.add_doorway("Z", "A", "B")
        assert house.add_doorway("Z", "A", "B") == first
        assert rows(house, OccDoorway) == 2
        assert counts(house, "09:30") == [2, -1, 1]
        assert house.verify() == []

    @pytest.mark.parametrize(
        "sides",
        [
            pytest.param(("B", "A"), id="reversed"),
            pytest.param(("A", None), id="elsewhere"),
            pytest.param((None, "B"), id="from outside"),
        ],
    )
    def test_changed(self, house, sides):
        """It cannot lead elsewhere: what was counted would be wrong."""
        with pytest.raises(InvalidPlace):
            house.add_doorway("Z", *sides)

    def test_several_changed(self, house):
        """Nor can it get room for several sensors."""
        with pytest.raises(InvalidPlace):
            house.add_doorway("Z", "A", "B", several=True)

    @pytest.mark.parametrize("sides", [("A", "A"), (None, None)])
    def test_same_sides(self, house, sides):
        """It leads from one space into another."""
        with pytest.raises(InvalidPlace):
            house.add_doorway("loop", *sides)

    @pytest.mark.parametrize("side", UNKNOWN)
    def test_unknown_side(self, house, side):
        """Its sides are there."""
        with pytest.raises(UnknownPlace):
            house.add_doorway("new", "A", side)

    @pytest.mark.parametrize("name", NAMES)
    def test_name(self, house, name):
        """Its name can be printed."""
        with pytest.raises(InvalidPlace):
            house.add_doorway(name, "A", None)

    @pytest.mark.parametrize("several", [None, "yes", 2])
    def test_several(self, house, several):
        """Several is yes or no."""
        with pytest.raises(InvalidPlace):
            house.add_doorway("new", "A", None, several=several)

    def test_hostile(self, house):
        """A name is data, whatever is in it."""
        house.add_doorway(HOSTILE, "A", None)
        house.add_sensor(HOSTILE)
        house.assign(HOSTILE, HOSTILE, 1, LONG_AGO)
        assert house.record([event(HOSTILE, "09:00", 1)]).outcomes == ["counted"]
        assert house.count("A", at("09:00")).count == 1


class TestSensors:
    def test_repeated(self, house):
        """One that is added again is the same, and knows when it was heard."""
        house.record(SAMPLE)
        again = house.add_sensor("283", heartbeat=timedelta(hours=1), active=False)
        assert again.last_seen == at("09:10")
        assert (again.heartbeat, again.active) == (timedelta(hours=1), False)
        assert rows(house, OccSensor) == 2

    def test_key(self, house):
        """Of its key a hash is stored, which remains if no other one is told."""
        house.add_sensor("283", key="secret")
        query = select(OccSensor.secret_hash).where(OccSensor.code == "283")
        (first,) = house.session.execute(query).one()
        assert first
        assert "secret" not in first
        house.add_sensor("283")
        assert house.session.execute(query).scalar() == first
        house.add_sensor("283", key="other")
        assert house.session.execute(query).scalar() != first

    @pytest.mark.parametrize(
        "code", [*NAMES, pytest.param(" 283", id="blank"), "x" * 129]
    )
    def test_code(self, house, code):
        """Its code is what it can send: readings have no blanks around it."""
        with pytest.raises(InvalidPlace):
            house.add_sensor(code)

    @pytest.mark.parametrize(
        "beat", [timedelta(), timedelta(-1), timedelta.max, 60, None]
    )
    def test_heartbeat(self, house, beat):
        """It may be silent for a while, but not for ever."""
        with pytest.raises(InvalidMoment):
            house.add_sensor("283", heartbeat=beat)

    def test_long_heartbeat(self, house):
        """It may be silent for a hundred years."""
        house.add_sensor("283", heartbeat=timedelta(days=36_600))
        house.record(SAMPLE)
        assert house.count("A", at("09:30")).stale is True, "423 may not"
        assert "283" not in [each.code for each in house.health().silent]

    @pytest.mark.parametrize(
        "wrong", [{"active": "no"}, {"active": None}, {"key": ""}, {"key": 7}]
    )
    def test_impossible(self, house, wrong):
        """What cannot be is refused."""
        with pytest.raises(InvalidPlace):
            house.add_sensor("283", **wrong)

    def test_unknown(self, house):
        """What is not there hangs nowhere, and nothing hangs there."""
        asked = (
            lambda: house.assign("7", "X", 1, at("09:00")),
            lambda: house.assign("283", "nowhere", 1, at("09:00")),
            lambda: house.unassign("7", at("09:00")),
            lambda: house.passages("7", at("09:00"), at("10:00")),
        )
        for ask in asked:
            with pytest.raises(UnknownPlace):
                ask()
        assert house.sign_alive("7", "283") == ["283"]

    @pytest.mark.parametrize("sign", [0, 2, True, None, "1", 1.5])
    def test_sign(self, house, sign):
        """It looks one way or the other."""
        with pytest.raises(InvalidPlace):
            house.assign("283", "X", sign, at("09:00"))


class TestContexts:
    def test_apart(self, house):
        """Two contexts with the same names do not see each other."""
        other = furnished(beside(house, "other"))
        other.add_space("only here", timezone="UTC")
        house.record(SAMPLE)
        assert counts(other, "09:30") == [0, 0, 0]
        other.record([event("423", "09:00", -1)])
        other.calibrate("A", 7, at("09:20"))
        assert counts(other, "09:30") == [7, 1, 0]
        assert counts(house, "09:30") == [2, -1, 1]
        assert other.verify() == house.verify() == []
        assert len(other.spaces()) == len(house.spaces()) + 1
        for key in (house.space("A"), house.space("A").id, house.space("A").number):
            with pytest.raises(UnknownPlace):
                other.space(key)
        with pytest.raises(UnknownPlace):
            house.space("only here")
        assert [each.count for each in house.health(at("09:30")).strange] == [-1]
        assert other.health(at("09:30")).strange == []


def test_host_creates_tables(empty_dsn):
    """A host that creates all tables of the base gets ours, and the type they need."""
    engine = create_engine(empty_dsn)
    ORMBase.metadata.create_all(engine)
    assert "occ_assignments" in inspect(engine).get_table_names()
    engine.dispose()
