"""Counts, histories and extremes equal a plain replay of everything that happened."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from libres import occupancy
from libres.context.registry import create_default_registry
from libres.occupancy import AlreadyWatched
from tests.occupancy.conftest import LONG_AGO, furnished

START = datetime(2018, 1, 15, tzinfo=UTC)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

INSIDE = {
    "A": {"A", "building"},
    "B": {"B", "building"},
    "C": {"C", "wing", "building"},
    "wing": {"wing", "building"},
    "building": {"building"},
    None: set(),
}
"""What somebody is in who is there: C is in the wing, and all is in the building."""

SPACES = ("A", "B", "C", "wing", "building")
DOORWAYS = {
    "X": ("A", None),
    "Z": ("A", "B"),
    "W": ("C", "B"),
    "V": ("wing", "C"),
    "gate": (None, "building"),
}
SENSORS = ("283", "423", "500")
POLICIES = ("raw", "floor", "saturate")


# The model ----------------------------------------------------------------------------


@dataclass
class Model:
    """A list of what happened; every question reads all of it."""

    events: set = field(default_factory=set)
    """Sensor, moment, direction, seq."""

    hung: dict = field(default_factory=lambda: {code: [] for code in SENSORS})
    """Where each sensor hung: from, until, doorway, sign."""

    told: dict = field(default_factory=dict)
    """Calibrations by space and moment."""

    def assign(self, sensor, moment, doorway=None, sign=0):
        """Hang a sensor somewhere, or nowhere, from a moment on."""
        ranges = self.hung[sensor]
        here = [each for each in ranges if each[0] <= moment < each[1]]
        later = [each[0] for each in ranges if each[0] > moment]
        until = here[0][1] if here else min(later, default=NEVER)
        for each in here:
            ranges.remove(each)
            if each[0] < moment:
                ranges.append((each[0], moment, *each[2:]))
        if doorway is not None:
            ranges.append((moment, until, doorway, sign))

    def effect(self, space, event):
        """What an event does to a space: 1, 0 or -1."""
        sensor, moment, direction, _ = event
        for since, until, doorway, sign in self.hung[sensor]:
            if since <= moment < until:
                side_a, side_b = DOORWAYS[doorway]
                factor = (space in INSIDE[side_a]) - (space in INSIDE[side_b])
                return direction * sign * factor
        return 0

    def items(self, space):
        """What happened in a space, in order: moment, effect, None or what was told."""
        found = [
            (moment, 0, 0, 0, value)
            for (name, moment), value in self.told.items()
            if name == space
        ]
        for event in self.events:
            if effect := self.effect(space, event):
                is_last, seq = event[3] is None, event[3] or 0
                found.append((event[1], 1 + is_last, seq, -effect, None))
        found.sort(key=lambda each: each[:4])
        return [(moment, -effect, told) for moment, _, _, effect, told in found]


def replay(items, policy, count=0):
    """The count after each item."""
    for _, effect, told in items:
        count = told if told is not None else count + effect
        if policy == "saturate":
            count = max(0, count)
        yield count


def last(items, policy, count=0):
    """The count after all items."""
    for each in replay(items, policy, count):
        count = each
    return count


def show(count, policy):
    """What a reader is told."""
    return max(0, count) if policy == "floor" else count


def within(items, start, end):
    """What happened in a time."""
    return [each for each in items if start <= each[0] < end]


def history(items, start, end, step, policy):
    """The steps as tuples, in the order of the fields of a Step."""
    while start < end:
        ends = min(start + step, end)
        inside = within(items, start, ends)
        first = last([each for each in items if each[0] < start], policy)
        counts = [first, *replay(inside, policy, first)]
        told = [show(each, policy) for each in counts]
        passed = [each[1] for each in inside if each[2] is None]
        tally = passed.count(1), passed.count(-1)
        yield (start, ends, told[-1], min(told), max(told), *tally)
        start = ends


def extremes(items, start, end, policy):
    """The lowest and the highest count, and when it was so first."""
    inside = within(items, start, end)
    first = last([each for each in items if each[0] < start], policy)
    counts = [first, *replay(inside, policy, first)]
    told = [show(each, policy) for each in counts]
    moments = [start, *(each[0] for each in inside)]
    return tuple(
        (value, moments[told.index(value)]) for value in (min(told), max(told))
    )


# Deeds --------------------------------------------------------------------------------

DAYS = (0, 16, 17, 44, 45, 69)
"""The 17th after the first is the first of February, the 45th that of March."""

MOMENT = st.builds(
    lambda day, hour, minute, tick: (
        START + day * DAY + hour * HOUR + timedelta(minutes=minute) + tick * TICK
    ),
    st.sampled_from(DAYS),
    st.sampled_from([0, 9, 23]),
    st.sampled_from([0, 5, 7, 59]),
    st.sampled_from([0, 0, 0, -1, 1]),
)
NUMBERED = st.sampled_from([None, None, 0, 1])
DIRECTION = st.sampled_from([1, -1])


def numbered(sensor, moment, direction, seq):
    """An event; one that is sent again has the number that it had."""
    if seq is not None:
        seq += 2 * (direction + 1) + 7 * ((moment - START) // TICK + 1)
    return sensor, moment, direction, seq


EVENT = st.builds(numbered, st.sampled_from(SENSORS), MOMENT, DIRECTION, NUMBERED)
MANY = st.lists(EVENT, min_size=15, max_size=40)
FEW = st.lists(EVENT, min_size=1, max_size=4)
PLACE = st.sampled_from(SPACES)
SENSOR = st.sampled_from(SENSORS)
DEED = st.one_of(
    st.tuples(st.just("record"), FEW),
    st.tuples(st.just("load"), FEW),
    st.tuples(st.just("again"), st.integers(0, 99)),
    st.tuples(st.just("calibrate"), PLACE, MOMENT, st.integers(0, 3)),
    st.tuples(
        st.just("assign"), SENSOR, MOMENT, st.sampled_from(sorted(DOORWAYS)), DIRECTION
    ),
    st.tuples(st.just("unassign"), SENSOR, MOMENT),
)


def sent(event):
    """An event as it is sent."""
    sensor, moment, direction, seq = event
    stamp = moment.isoformat()
    return {"timestamp": stamp, "direction": direction, "sensor": sensor, "seq": seq}


def do(house, model, deed):
    """Do something to the database and to the model."""
    kind, *what = deed
    globals()[f"do_{kind}"](house, model, *what)


def do_record(house, model, events):
    """Each event is new or a duplicate, and counts if its sensor hung somewhere."""
    made = house.record([sent(each) for each in events])
    expected = []
    for each in events:
        is_new = each not in model.events
        model.events.add(each)
        places = model.hung[each[0]]
        hangs = any(since <= each[1] < until for since, until, *_ in places)
        state = "counted" if hangs else "unassigned"
        expected.append(state if is_new else "duplicate")
    assert made.outcomes == expected


def do_load(house, model, events):
    """The same as a file."""
    rows = "".join(
        f'{moment.isoformat()},"{direction}",{sensor},{"" if seq is None else seq}\n'
        for sensor, moment, direction, seq in events
    )
    file = StringIO(f"timestamp,direction,dpu_id,seq\n{rows}")
    made = house.load_csv(file, atomic=True)
    assert made.inserted == len(set(events) - model.events)
    assert made.duplicates == len(events) - made.inserted
    model.events.update(events)


def do_again(house, model, seed):
    """All that was sent is sent again, in any order."""
    events = sorted(model.events, key=str)
    Random(seed).shuffle(events)  # noqa: S311 - nothing is secret
    made = house.record([sent(each) for each in events])
    assert made.outcomes == ["duplicate"] * len(events)


def do_calibrate(house, model, space, moment, value):
    """The drift is how far off the count was."""
    before = [each for each in model.items(space) if each[0] < moment]
    made = house.calibrate(space, value, moment)
    assert made.drift == last(before, "raw") - value
    model.told[space, moment] = value


def do_assign(house, model, sensor, moment, doorway, sign):
    """What is refused changes nothing."""
    try:
        house.assign(sensor, doorway, sign, moment)
    except AlreadyWatched:
        return
    model.assign(sensor, moment, doorway, sign)


def do_unassign(house, model, sensor, moment):
    """It hung somewhere, or nothing happens."""
    places = model.hung[sensor]
    hung = any(since <= moment < until for since, until, *_ in places)
    assert house.unassign(sensor, moment) == hung
    if hung:
        model.assign(sensor, moment)


# Questions ----------------------------------------------------------------------------

POLICY = st.sampled_from(POLICIES)
WINDOW = st.one_of(
    st.tuples(
        st.sampled_from([timedelta(minutes=5), timedelta(minutes=7)]),
        MOMENT,
        st.integers(1, 120).map(lambda minutes: timedelta(minutes=minutes)),
    ),
    st.tuples(
        st.sampled_from([HOUR, timedelta(minutes=90), 6 * HOUR]),
        MOMENT | MOMENT.map(lambda each: each.replace(minute=0, microsecond=0)),
        st.integers(1, 60).map(lambda hours: hours * HOUR),
    ),
    st.tuples(
        st.sampled_from([DAY, 7 * DAY]),
        st.sampled_from(DAYS).map(lambda day: START + day * DAY) | MOMENT,
        st.builds(
            lambda days, quarters: days * DAY + quarters * 6 * HOUR,
            st.sampled_from([0, 1, 17, 29, 45, 70]),
            st.integers(1, 4),
        ),
    ),
)
QUESTIONS = st.lists(st.tuples(PLACE, POLICY, MOMENT), min_size=8, max_size=8)
HISTORIES = st.lists(st.tuples(PLACE, POLICY, WINDOW), min_size=4, max_size=4)


def check_counts(house, model, questions, choose):
    """At any moment, and just before and at what happened."""
    asked = list(questions)
    for event in choose.sample(
        sorted(model.events, key=str), min(4, len(model.events))
    ):
        place, policy = choose.choice(SPACES), choose.choice(POLICIES)
        asked += [(place, policy, event[1]), (place, policy, event[1] - TICK)]
    asked += [
        (space, choose.choice(POLICIES), moment - tick * TICK)
        for space, moment in model.told
        for tick in (0, 1)
    ]
    for space, policy, moment in asked:
        items = [each for each in model.items(space) if each[0] <= moment]
        found = house.count(space, moment, policy=policy)
        assert found.count == show(last(items, policy), policy), (space, policy, moment)


def check_histories(house, model, histories):
    """In steps of any length, that begin at any moment."""
    for space, policy, (step, start, length) in histories:
        end = start + length
        items = model.items(space)
        found = house.history(space, start, end, step, policy=policy)
        expected = list(history(items, start, end, step, policy))
        assert [astuple(each) for each in found] == expected
        both = house.extremes(space, start, end, policy=policy)
        assert astuple(both) == extremes(items, start, end, policy)


def stored(house):
    """All tallies."""
    query = text("SELECT * FROM occ_tallies ORDER BY space, level, start")
    return house.session.execute(query).all()


@pytest.fixture(scope="module")
def house(module_dsn):
    """The sample with a wing; each example is rolled back."""
    context = create_default_registry().register_context("brute")
    context.set_setting("dsn", module_dsn)
    made = furnished(occupancy.Occupancy(context))
    made.add_space("wing", timezone="UTC", parent="building")
    made.add_space("C", timezone="UTC", parent="wing")
    for name, sides in DOORWAYS.items():
        made.add_doorway(name, *sides, several=name == "gate")
    made.add_sensor("500")
    made.session.commit()
    yield made
    context.get_service("session_provider").stop_service()


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    MANY,
    st.lists(DEED, min_size=3, max_size=12),
    QUESTIONS,
    HISTORIES,
    st.integers(0, 9).map(Random),
)
def test_equal(house, events, deeds, questions, histories, choose):
    """Whatever came in whatever order, the answers are those of a replay."""
    model = Model()
    for code, doorway in (("283", "X"), ("423", "Z")):
        model.assign(code, LONG_AGO, doorway, 1)
    try:
        for deed in [("record", events), *deeds]:
            do(house, model, deed)
        check_counts(house, model, questions, choose)
        check_histories(house, model, histories)
        assert house.verify() == []
        before = stored(house)
        house.rebuild()
        assert stored(house) == before
    finally:
        house.session.rollback()
