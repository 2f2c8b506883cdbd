"""How many statements are sent, and that their plans use the indexes."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import event, text

from libres import occupancy
from libres.context.registry import create_default_registry
from tests.fixtures.statements import counted
from tests.occupancy.conftest import LONG_AGO, SAMPLE, at, furnished

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def house(lent):
    """The sample; nothing is committed."""
    return lent


def walked(number, hours=1, sensor="283", clock="08:00"):
    """So many events within so many hours."""
    step = hours * HOUR / number
    return [
        {
            "timestamp": at(clock) + step * place,
            "direction": 1,
            "dpu_id": sensor,
        }
        for place in range(number)
    ]


def sent_by(house, act):
    """How many statements something sends."""
    with counted(house.session) as sent:
        act()
    return len(sent)


class TestNumbers:
    @pytest.mark.parametrize("events", [1, 500])
    def test_count(self, house, events):
        """One for the space, one for the count, one for what is known of it."""
        house.record(walked(events))
        made = sent_by(house, lambda: house.count("A", at("09:00")))
        assert made == 3

    @pytest.mark.parametrize("events", [1, 500])
    @pytest.mark.parametrize(
        ("step", "sent"), [(HOUR, 3), (timedelta(minutes=7), 4)], ids=["hours", "odd"]
    )
    def test_history(self, house, events, step, sent):
        """The space, the count before, then tallies, or calibrations and events."""
        house.record(walked(events))
        end = at("08:00", 25)
        made = sent_by(house, lambda: house.history("A", at("08:00"), end, step))
        assert made == sent

    @pytest.mark.parametrize("hours", [1, 500])
    def test_extremes(self, house, hours):
        """The hours in which the extremes lie are read, and no other ones."""
        house.record(walked(500, hours))
        house.session.flush()
        start, end = LONG_AGO, at("08:30") + hours * HOUR
        made = sent_by(house, lambda: house.extremes("building", start, end))
        assert made <= 10

    @pytest.mark.parametrize("hours", [1, 20])
    @pytest.mark.parametrize("events", [1, 1000])
    def test_record(self, house, events, hours):
        """One stores, one asks for the spaces, two count anew, one keeps the tallies:
        five for an event, and for a thousand in twenty hours of two spaces."""
        house.record(SAMPLE)
        made = sent_by(house, lambda: house.record(walked(events, hours)))
        assert made == 5

    def test_record_batches(self, house):
        """The 5,001st begins a batch of its own; hours are counted once for all."""
        made = sent_by(house, lambda: house.record(walked(5001)))
        assert made == 6

    def test_duplicates(self, house):
        """What was there already is not counted anew: one statement."""
        house.record(walked(1000))
        assert sent_by(house, lambda: house.record(walked(1000))) == 1

    def test_late(self, house):
        """What is sixty days late costs as much as what is not."""
        house.record(SAMPLE)
        late = {**SAMPLE[1], "timestamp": at("08:00") - 50 * DAY}
        assert sent_by(house, lambda: house.record([late])) == 5

    def test_nothing(self, house):
        """Nothing costs nothing."""
        assert sent_by(house, lambda: house.record([])) == 0

    def test_unreadable(self, house):
        """What is no event is not asked for."""
        assert sent_by(house, lambda: house.record(["hello"] * 5)) == 0


# Plans --------------------------------------------------------------------------------

TABLES = ("occ_events", "occ_tallies", "occ_calibrations")


@pytest.fixture(scope="module")
def many(module_dsn):
    """Fifty rooms, each with a sensor that was moved once, and 50,000 events."""
    context = create_default_registry().register_context("plans")
    context.set_setting("dsn", module_dsn)
    made = furnished(occupancy.Occupancy(context))
    for number in range(50):
        made.add_space(f"room {number}", timezone="UTC", parent="building")
        made.add_doorway(f"door {number}", f"room {number}", None)
        made.add_doorway(f"back {number}", f"room {number}", None)
        made.add_sensor(f"{number}")
        made.assign(f"{number}", f"back {number}", 1, LONG_AGO)
        made.assign(f"{number}", f"door {number}", 1, LONG_AGO + DAY)
    made.session.execute(
        text(
            "INSERT INTO occ_events "
            "(context, sensor, ts, direction, source, state, received) "
            "SELECT 'plans', sensor.id, ts, 1 - number % 2 * 2, 'test', 'counted', ts "
            "FROM occ_sensors AS sensor, generate_series(1, 1000) AS number, "
            "LATERAL (SELECT timestamptz '2018-02-01 00:00Z' "
            "+ number * interval '40 minutes' AS ts) AS at "
            "WHERE code NOT IN ('283', '423') ORDER BY ts"
        )
    )
    made.session.execute(
        text(
            "INSERT INTO occ_calibrations "
            "(context, space, ts, value, kind, drift, passages) "
            "SELECT 'plans', space.id, timestamptz '2018-02-01 03:00Z' "
            "+ day * interval '1 day', 0, 'manual', 1, 10 "
            "FROM occ_spaces AS space, generate_series(1, 100) AS day"
        )
    )
    vacuum(made)
    made.rebuild()
    vacuum(made)
    yield made
    context.get_service("session_provider").stop_service()


def vacuum(house):
    """Commit, and let PostgreSQL know what there is."""
    house.session.commit()
    with house.session.get_bind().connect() as connection:
        outside = connection.execution_options(isolation_level="AUTOCOMMIT")
        outside.execute(text("VACUUM ANALYZE"))


def explained(house, act):
    """The plans of the statements that something sends, but for those that write."""
    connection = house.session.connection()
    plans = []

    def explain(_connection, cursor, statement, parameters, *_):
        if "SAVEPOINT" not in statement:
            plans.append(plan_of(cursor, statement, parameters))

    event.listen(connection, "before_cursor_execute", explain)
    try:
        act()
    finally:
        event.remove(connection, "before_cursor_execute", explain)
        house.session.rollback()
    return plans


def plan_of(cursor, statement, parameters):
    """Ask for the plan of a statement, before it is run."""
    cursor.execute(f"EXPLAIN {statement}", parameters)
    return "\n".join(row[0] for row in cursor.fetchall())


def moved(house):
    """Move a sensor an hour back, and there again."""
    house.assign("7", "back 7", 1, at("08:00"))


ASKED = {
    "count": lambda house: house.count("room 7", at("08:30")),
    "count of all": lambda house: house.count("building", at("08:30")),
    "hours": lambda house: house.history("room 7", at("00:00"), at("12:00")),
    "odd steps": lambda house: house.history(
        "room 7", at("08:01"), at("12:01"), timedelta(minutes=7)
    ),
    "extremes": lambda house: house.extremes("room 7", at("08:01"), at("12:01")),
    "silences": lambda house: house.silences("room 7", at("08:01"), at("12:01")),
    "passages": lambda house: house.passages("7", at("08:01"), at("12:01")),
    "record": lambda house: house.record(walked(1, 1, "7", "08:01")),
    "record many": lambda house: house.record(walked(1000, 20, sensor="7")),
    "calibrate": lambda house: house.calibrate("room 7", 3, at("09:30")),
    "move": moved,
    "health": lambda house: house.health(at("16:00", 28)),
}

READ_BY_INDEX = {
    "count": ("ix_occ_events_counted", "occ_tallies_pkey"),
    "odd steps": ("ix_occ_events_counted", "occ_calibrations_moment"),
    "passages": ("ix_occ_events_counted", "ix_occ_events_left"),
    "move": ("ix_occ_events_counted", "ix_occ_events_left", "occ_tallies_pkey"),
    "health": ("ix_occ_events_received", "ix_occ_events_counted"),
    "record": ("ix_occ_events_counted", "occ_tallies_pkey"),
    "record many": ("ix_occ_events_counted", "occ_tallies_pkey"),
}


class TestPlans:
    @pytest.mark.parametrize("name", ASKED)
    def test_no_scan(self, many, name):
        """Nothing that grows with time is read from end to end."""
        plans = explained(many, lambda: ASKED[name](many))
        assert plans
        for plan in plans:
            for table in TABLES:
                assert f"Seq Scan on {table}" not in plan, plan

    @pytest.mark.parametrize("name", READ_BY_INDEX)
    def test_indexes(self, many, name):
        """Events and tallies are found by the sensor or the space, and the time."""
        plans = "\n".join(explained(many, lambda: ASKED[name](many)))
        for index in READ_BY_INDEX[name]:
            assert index in plans, plans
        conditions = re.findall(r"ix_occ_events_counted.*\n *Index Cond: (.*)", plans)
        assert all(each.startswith("((sensor = ") for each in conditions), plans
