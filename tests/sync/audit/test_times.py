"""How rows were at a moment, and in what they differ."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from libres.modules.errors import Misuse
from libres.sync import Sync
from libres.sync.audit.values import ERASED
from libres.sync.errors import NotKept, UnknownEntity
from tests.fixtures.statements import counted
from tests.sync.audit.conftest import OWNER
from tests.sync.models import Customer, Seat

HOUR = timedelta(hours=1)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def at(session):
    """Lets the last change that is pending have been made at another time."""
    move_last = """
    UPDATE sync_pending SET at = :at WHERE seq = (SELECT max(seq) FROM sync_pending)
    """

    def move(moment):
        session.execute(text(move_last), {"at": moment})
        session.commit()

    return move


@pytest.fixture
def life(trail, customer, session, at):
    """A customer who came at noon, was renamed at one, and left at two; their id."""
    made = customer("Ann", age=4)
    id_ = made.id
    at(NOON)
    trail.history()
    made.name = "Zoe"
    session.commit()
    at(NOON + HOUR)
    trail.history()
    session.delete(made)
    session.commit()
    at(NOON + 2 * HOUR)
    return id_


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (-1, None),
        (0, "Ann"),  # that moment is part of it
        (0.5, "Ann"),
        (1, "Zoe"),
        (1.9, "Zoe"),
        (2, None),
        (1000, None),
    ],
)
def test_as_of(trail, life, hours, expected):
    """A row is what the last change before the moment has made of it."""
    found = trail.as_of(Customer, life, NOON + hours * HOUR)
    assert (found and found["name"]) == expected


def test_image(trail, life):
    """All columns are told, but for secret ones."""
    found = trail.as_of(Customer, life, NOON)
    assert found.keys() == {
        *("id", "organization_id", "name", "age", "department"),
        *("assigned_sales_id", "since"),
    }


def test_never_there(trail):
    """Of a row that has never been there was none."""
    for key in (5, "x", "\0", 10**40, True, None):
        assert trail.as_of(Customer, key, NOON) is None
    assert trail.as_of(Seat, (1, "A"), NOON) is None


def unnoted(session, sql, **values):
    """Run a statement that no trigger sees."""
    session.execute(text("SET LOCAL session_replication_role = replica"))
    session.execute(text(sql), values)
    session.commit()


@pytest.fixture
def old(session):
    """A customer from before changes were noted; their id."""
    insert = "INSERT INTO customers (id, organization_id, name, secret_note)"
    unnoted(session, f"{insert} VALUES (7, :owner, 'Old', 'x')", owner=OWNER)
    return 7


def test_never_changed(trail, old):
    """A row that has not changed since changes are noted is what it is now."""
    found = trail.as_of(Customer, old, NOON)
    assert found["name"] == "Old"
    assert "secret_note" not in found


def test_before_the_audit(trail, session, old, at):
    """Before changes were noted, a row was what they have found."""
    session.get(Customer, old).name = "New"
    session.commit()
    at(NOON)
    assert trail.as_of(Customer, old, NOON - HOUR)["name"] == "Old"
    assert trail.as_of(Customer, old, NOON)["name"] == "New"


def test_uncommitted(trail, session, old):
    """What is not committed is not told."""
    session.get(Customer, old).name = "New"
    session.flush()
    assert trail.as_of(Customer, old, datetime.now(UTC) + HOUR)["name"] == "Old"
    session.rollback()


def test_waited(trail, session, customer, at):
    """What began before, but waited for another, was not there before that one."""
    made = customer("Ann")
    at(NOON)
    trail.history()
    for name, moment in (("Ben", NOON + 2 * HOUR), ("Cyd", NOON + HOUR)):
        made.name = name
        session.commit()
        at(moment)
        trail.history()
    told = [
        trail.as_of(Customer, made.id, NOON + hours * HOUR)["name"]
        for hours in (0, 1, 1.5, 2)
    ]
    assert told == ["Ann", "Ann", "Ann", "Cyd"]


def test_statements(trail, customer):
    """The number of statements is the same for one change and for fifty."""
    made, counts = customer("Ann"), []
    for count in (1, 49):
        for number in range(count):
            made.age = number
            trail.commit()
        trail.history()
        with counted(trail.session) as statements:
            trail.diff(Customer, made.id, NOON, datetime.now(UTC))
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 8


# What is not kept ---------------------------------------------------------------------


def drop(session, upto):
    """Drop changes, as `libres.sync.audit.keeping` does it."""
    unnoted(session, "DELETE FROM sync_changes WHERE position <= :upto", upto=upto)
    session.execute(text("UPDATE sync_feeds SET dropped = :upto"), {"upto": upto})
    session.commit()


def test_dropped(trail, session, life):
    """What may have been changed by what is not kept is not told."""
    trail.history()
    drop(session, 2)
    (kept,) = trail.history(Customer, life)
    for moment in (NOON, NOON + 1.5 * HOUR):  # long before it was numbered
        with pytest.raises(NotKept):
            trail.as_of(Customer, life, moment)
    assert trail.as_of(Customer, life, kept.numbered) is None


def test_known_though_dropped(trail, session, life):
    """What is known from a change that is kept is told, whatever else was dropped."""
    trail.history()
    drop(session, 1)
    assert trail.as_of(Customer, life, NOON + HOUR)["name"] == "Zoe"
    with pytest.raises(NotKept):
        trail.as_of(Customer, life, NOON)


def test_all_dropped(trail, session, customer):
    """Where nothing is kept, a row is told from when the last change was numbered."""
    made = customer("Ann")
    (entry,) = trail.history()
    drop(session, 1)
    assert trail.as_of(Customer, made.id, entry.numbered)["name"] == "Ann"
    with pytest.raises(NotKept, match="not kept"):
        trail.as_of(Customer, made.id, NOON)


def test_erased(trail, session, life):
    """What was erased is told to be erased."""
    trail.history()
    unnoted(
        session,
        """
        UPDATE sync_changes SET before = before || '{"name": null}',
            after = after || '{"name": null}', salts[2] = NULL
        """,
    )
    found = trail.as_of(Customer, life, NOON)
    assert [name for name, value in found.items() if value is ERASED] == ["age"]


# Differences --------------------------------------------------------------------------


def told(changes):
    """Tell changes as tuples."""
    return [(each.field, each.before, each.after) for each in changes]


def test_diff(trail, life):
    """The fields are told that differ."""
    assert told(trail.diff(Customer, life, NOON, NOON + HOUR)) == [
        ("name", "Ann", "Zoe")
    ]
    assert told(trail.diff(Customer, life, NOON + HOUR, NOON)) == [
        ("name", "Zoe", "Ann")
    ]
    assert trail.diff(Customer, life, NOON, NOON) == []


def test_diff_of_coming_and_going(trail, life):
    """Of a row that came or went all fields differ; of none, none."""
    came = trail.diff(Customer, life, NOON - HOUR, NOON)
    assert {each.before for each in came} == {None}
    assert ("name", None, "Ann") in told(came)
    went = trail.diff(Customer, life, NOON, NOON + 2 * HOUR)
    assert {each.after for each in went} == {None}
    assert trail.diff(Customer, life, NOON - HOUR, NOON + 2 * HOUR) == []


@pytest.mark.parametrize("moment", [datetime(2026, 5, 1), None, "2026-05-01"])  # noqa: DTZ001 - naive on purpose
def test_misuse(trail, moment):
    """A moment needs a timezone."""
    with pytest.raises(Misuse):
        trail.as_of(Customer, 1, moment)
    with pytest.raises(Misuse):
        trail.diff(Customer, 1, NOON, moment)


def test_unknown_model(trail):
    """A model that is none is refused."""
    with pytest.raises(UnknownEntity):
        trail.as_of("myapp.Nobody", 1, NOON)


# Any life -----------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.integers(1, 5),  # hours since the one before
        st.sampled_from([None, "A", "B", "C"]),  # the name from then on; None: gone
        st.booleans(),  # whether it is numbered at once
    ),
    min_size=1,
    max_size=8,
)


class Life:
    """Lives a life of one row, and knows how it was."""

    def __init__(self, session, number):
        self.session, self.id = session, number
        self.names = [(NOON - 1000 * HOUR, None)]

    def step(self, moment, name):
        """Let the row have a name, or be gone, from a moment on."""
        row = self.session.get(Customer, self.id)
        if row is None:
            self.session.add(Customer(id=self.id, organization_id=OWNER, name=name))
        elif name is None:
            self.session.delete(row)
        else:
            row.name = name
        self.session.commit()
        self.names.append((moment, name))

    def name_at(self, moment):
        """Tell what it was called, by looking through all of it."""
        return [name for since, name in self.names if since <= moment][-1]


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_any_life(context, session, trail, at, steps):
    """Whatever a row has lived through, it is told as it was at each moment."""
    number = session.scalar(text("SELECT nextval('customers_id_seq')"))
    life, moment = Life(session, number), NOON
    for hours, name, is_numbered in steps:
        moment += hours * HOUR
        if name != life.names[-1][1]:
            life.step(moment, name)
            at(moment)
        if is_numbered:
            Sync(context).number()
    trail.history()
    whole = int((moment - NOON) / HOUR) + 2
    for half in range(2 * whole):
        asked = NOON + half * HOUR / 2
        found = trail.as_of(Customer, number, asked)
        assert (found and found["name"]) == life.name_at(asked)
