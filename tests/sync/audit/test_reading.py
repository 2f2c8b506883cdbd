"""What the audit tells of changes: who, when, what; filtered, page by page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text

from libres.modules.errors import Misuse
from libres.sync.errors import UnknownEntity
from tests.fixtures.statements import counted
from tests.sync.audit.conftest import OWNER
from tests.sync.models import Country, Customer, Note, Seat

HOUR = timedelta(hours=1)
OTHER = UUID(int=2)


def told(found):
    """Tell what was changed, of which row, in short."""
    return [(each.action, each.key) for each in found]


def fields(entry):
    """Tell the fields that a change has changed."""
    return [(each.field, each.before, each.after) for each in entry.changes]


# Whose, what, when --------------------------------------------------------------------


def test_history_of_a_row(trail, customer):
    """The changes of a row are told, the latest first, field by field."""
    made = customer("Ann", age=4)
    customer("Ben")
    made.age = 5
    trail.commit()
    second, first = trail.history(Customer, made.id)
    assert (first.action, second.action) == ("insert", "update")
    assert fields(second) == [("age", 4, 5)]
    assert first.before is None
    assert first.after["name"] == "Ann"


def test_of_all(trail, customer, session):
    """Without a model all changes are told."""
    customer()
    session.add(Country(code="CH", name="Switzerland"))
    session.commit()
    models = [each.model for each in trail.history()]
    assert models == ["myapp.Country", "myapp.Customer"]


@pytest.mark.parametrize("wanted", [Customer, "myapp.Customer", "customers"])
def test_model(trail, customer, session, wanted):
    """A model is named by its class, its name or its table."""
    made = customer()
    session.add(Country(code="CH", name="Switzerland"))
    session.commit()
    assert told(trail.history(wanted)) == [("insert", str(made.id))]


def test_unknown_model(trail):
    """A model that is none is refused."""
    with pytest.raises(UnknownEntity):
        trail.history("myapp.Nobody")


@pytest.mark.parametrize("given", [(1, "A"), [1, "A"], '["1", "A"]', ("1", "A")])
def test_key_of_two_columns(trail, session, given):
    """A key of several columns is a tuple, a list, or what the audit says of it."""
    session.add(Seat(row=1, place="A", organization_id=OWNER))
    session.commit()
    (entry,) = trail.history(Seat, given)
    assert entry.key == '["1", "A"]'


@pytest.mark.parametrize("given", [1, (1,), (1, "A", 2), []])
def test_wrong_number_of_keys(trail, given):
    """Another number of values is a mistake."""
    with pytest.raises(Misuse, match="2 keys"):
        trail.history(Seat, given)


def test_wrong_key(trail, customer):
    """What cannot be the key of a row is that of none."""
    customer()
    hostile = ("\0", "\ud800", "9" * 5000, "' OR 1=1 --")
    for given in ("x", "", True, 1.5, 10**40, *hostile):
        assert trail.history(Customer, given) == []


def test_key_of_uuid(trail, session):
    """The key of a UUID is found as UUID, and as text however it is written."""
    session.add(Note(id=UUID(int=10), organization_id=OWNER))
    session.commit()
    for given in (UUID(int=10), str(UUID(int=10)).upper(), UUID(int=10).hex):
        assert len(trail.history(Note, given)) == 1


def test_action(trail, customer, session):
    """Changes of one kind are told."""
    made = customer()
    session.delete(made)
    session.commit()
    (entry,) = trail.history(action="delete")
    assert entry.after is None
    assert entry.before["name"] == "Ann"


def test_user_and_request(trail, customer):
    """Changes by one user, and those of one request, are told."""
    with trail.acting("john", request="r1"):
        customer("Ann")
    with trail.acting("mary", request="r2"):
        customer("Ben")
    (entry,) = trail.history(user="john")
    assert (entry.actor, entry.request) == ("john", "r1")
    (entry,) = trail.history(request="r2")
    assert (entry.actor, entry.request) == ("mary", "r2")


@pytest.mark.parametrize("name", ["user", "request"])
def test_hostile_text(trail, customer, name):
    """Texts that nobody is called find nothing, and break nothing."""
    customer()
    for value in ("", "\0", "\ud800", "<script>", "'; --"):
        assert trail.history(**{name: value}) == []


# Times --------------------------------------------------------------------------------


@pytest.fixture
def at(session):
    """Lets what is pending have been made at another time."""

    def move(moment):
        session.execute(text("UPDATE sync_pending SET at = :at"), {"at": moment})
        session.commit()

    return move


@pytest.fixture
def four(trail, customer, at):
    """Four customers, made an hour after another; the last one just now."""
    now = datetime.now(UTC)
    for number, name in enumerate("ABCD"):
        customer(name)
        at(now - (3 - number) * HOUR)
        trail.history()
    return now


def names(found):
    """Tell the names of customers that were made."""
    return "".join(each.after["name"] for each in found)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, "DCBA"),
        (2, None, "DCB"),  # that moment is part of it
        (None, 2, "A"),  # that moment is not
        (2, 1, "B"),
        (2, 0.5, "CB"),
        (0.5, 0.2, ""),
        (1, 1, ""),  # no time at all
        (4, 3.5, ""),
    ],
)
def test_times(trail, four, since, until, expected):
    """Changes from one moment on, and before another, are told."""
    moments = {"since": since, "until": until}
    asked = {name: four - n * HOUR for name, n in moments.items() if n is not None}
    assert names(trail.history(**asked)) == expected


def test_numbered_long_after(trail, customer, at):
    """A change is found by when it was made, though it was numbered much later."""
    now = datetime.now(UTC)
    customer("A")
    at(now - 100 * HOUR)
    customer("B")
    before = {"until": now - 99 * HOUR, "tenants": [str(OWNER)]}
    assert names(trail.history(**before)) == "A"
    assert names(trail.history(**before, limit=1, before=2)) == "A"
    assert names(trail.history(since=now - 99 * HOUR)) == "B"


@pytest.mark.usefixtures("four")
def test_extreme_times(trail):
    """The first and the last moments there are do no harm."""
    first = datetime(1, 1, 1, tzinfo=UTC)
    last = datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)
    assert names(trail.history(since=first, until=last)) == "DCBA"
    assert names(trail.history(until=first)) == ""
    assert names(trail.history(since=last)) == ""


@pytest.mark.parametrize(
    "asked",
    [
        {"since": datetime(2026, 1, 1)},  # noqa: DTZ001 - naive on purpose
        {"until": datetime(2026, 1, 1)},  # noqa: DTZ001
        {
            "since": datetime(2026, 1, 2, tzinfo=UTC),
            "until": datetime(2026, 1, 1, tzinfo=UTC),
        },
        {"action": "truncate"},
        {"id": 1},
        {"limit": 0},
        {"limit": -1},
        {"limit": 10_001},
        {"limit": 10**30},
        {"limit": True},
        {"limit": "10"},
        {"limit": None},
        {"before": "10"},
        {"before": True},
        {"tenants": "acme"},
    ],
)
def test_misuse(trail, asked):
    """What can only be a mistake is refused."""
    with pytest.raises(Misuse):
        trail.history(**asked)


# Pages --------------------------------------------------------------------------------


def test_pages(trail, customer):
    """Pages go on where the one before has ended."""
    for name in "ABCDE":
        customer(name)
    first = trail.history(limit=2)
    second = trail.history(limit=2, before=first[-1].position)
    assert names(first + second) == "EDCB"
    assert names(trail.entries(model=Customer)) == "EDCBA"


@pytest.mark.parametrize("before", [1, 0, -5, -(10**30)])
def test_before_the_first(trail, customer, before):
    """Before the first change there is none."""
    customer()
    assert trail.history(before=before) == []


def test_before_a_huge_number(trail, customer):
    """Before a number that will never be reached are all."""
    customer()
    assert len(trail.history(before=10**30)) == 1


def test_statements(trail, customer):
    """The number of statements is the same for one change and for fifty."""
    asked = {"model": Customer, "since": datetime.now(UTC) - HOUR}
    counts = []
    for count in (1, 50):
        for _ in range(count):
            customer()
        trail.history()
        with counted(trail.session) as statements:
            trail.history(**asked)
        counts.append(len(statements))
    assert counts == [3, 3]


def test_entry(trail, customer):
    """A change is told by its number."""
    customer()
    (entry,) = trail.history()
    assert trail.entry(entry.position) == entry


@pytest.mark.parametrize("position", [0, -1, 2, 10**30])
def test_no_entry(trail, customer, position):
    """A number that no change has is unknown."""
    customer()
    trail.history()
    with pytest.raises(UnknownEntity):
        trail.entry(position)


@pytest.mark.parametrize("position", ["1", True, None])
def test_wrong_number(trail, position):
    """What is no number is a mistake."""
    with pytest.raises(Misuse):
        trail.entry(position)


# Organisations ------------------------------------------------------------------------


@pytest.fixture
def moved(customer, session):
    """A customer of an organisation, who then went to another one, and was renamed."""
    made = customer("Ann", age=4)
    made.organization_id, made.name = OTHER, "Zoe"
    session.commit()
    return made


def test_tenants(trail, customer):
    """Of the changes of several organisations those of some are told."""
    for number, name in enumerate("ABC", 1):
        customer(name, UUID(int=number))
    asked = [str(UUID(int=1)), str(UUID(int=3)), "\0", str(UUID(int=9))]
    assert names(trail.history(tenants=asked)) == "CA"
    assert trail.history(tenants=[]) == []


@pytest.mark.usefixtures("moved")
def test_many_tenants(trail):
    """However many organisations there are, no change is told twice."""
    asked = [str(UUID(int=number)) for number in range(50)]
    assert len(trail.history(tenants=asked)) == 2
    assert len(trail.history(tenants=[str(OWNER), str(OTHER)])) == 2


@pytest.mark.usefixtures("moved")
def test_taken(trail):
    """Of what was taken from an organisation it sees that, but not what it is now."""
    taken, made = trail.history(tenants=[str(OWNER)])
    assert (made.action, taken.action) == ("insert", "update")
    assert taken.before["name"] == "Ann"
    assert taken.after is None
    assert taken.tenant == str(OWNER)
    assert "Zoe" not in str(fields(taken))


@pytest.mark.usefixtures("moved")
def test_given(trail):
    """Of what came to an organisation it does not see what it was before."""
    (given,) = trail.history(tenants=[str(OTHER)])
    assert given.before is None
    assert given.after["name"] == "Zoe"
    assert "Ann" not in str(fields(given))


@pytest.mark.usefixtures("moved")
def test_moved_for_staff(trail):
    """Who sees both organisations sees what has changed."""
    for tenants in (None, [str(OWNER), str(OTHER)]):
        entry = trail.history(tenants=tenants)[0]
        assert ("name", "Ann", "Zoe") in fields(entry)


@pytest.mark.usefixtures("moved")
def test_entry_for_tenants(trail):
    """The same holds for a change by its number; that of others is unknown."""
    last, first = (each.position for each in trail.history())
    assert trail.entry(last, tenants=[str(OWNER)]).after is None
    assert trail.entry(last, tenants=[str(OTHER)]).before is None
    for tenants in ([], [str(OTHER)]):
        with pytest.raises(UnknownEntity):
            trail.entry(first, tenants=tenants)


# What rows have ever been -------------------------------------------------------------


def test_find(trail, customer):
    """Rows are found by what they have ever been."""
    first, second = customer("Ann"), customer("Ben")
    first.name = "Zoe"
    second.name = "Ann"
    trail.commit()
    both = sorted([str(first.id), str(second.id)])
    assert trail.find(Customer, name="Ann") == both
    assert trail.find(Customer, name="Zoe") == [str(first.id)]
    assert trail.find(Customer, name="Nobody") == []


def test_find_all_at_once(trail, customer):
    """They had all of the values at the same time."""
    made = customer("Ann", age=4)
    made.name, made.age = "Ben", 5
    trail.commit()
    assert trail.find(Customer, name="Ann", age=4) == [str(made.id)]
    assert trail.find(Customer, name="Ann", age=5) == []


def test_find_gone(trail, customer, session):
    """Rows that are gone are found as well."""
    made = customer("Ann")
    key = str(made.id)
    session.delete(made)
    session.commit()
    assert trail.find(Customer, name="Ann") == [key]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", Decimal("12.5")),  # noted as 12.50
        ("price", 12.5),
        ("price", "12.50"),  # as it is noted
        ("due", datetime(2026, 5, 1, tzinfo=UTC).date()),
        ("customer_id", None),
        ("organization_id", OWNER),
        ("id", UUID(int=10)),
    ],
)
def test_find_kinds(trail, session, field, value):
    """Values are found as what Python holds of them."""
    due = datetime(2026, 5, 1, tzinfo=UTC).date()
    note = {"organization_id": OWNER, "price": Decimal("12.50"), "due": due}
    session.add(Note(id=UUID(int=10), **note))
    session.commit()
    assert trail.find(Note, **{field: value}) == [str(UUID(int=10))]


def test_find_moment(trail, customer, session):
    """A moment is found in whatever zone it is asked for, and was noted."""
    session.execute(text("SET LOCAL timezone = 'Asia/Tokyo'"))
    moment = datetime(2026, 5, 1, 12, tzinfo=UTC)
    made = customer(since=moment)
    assert trail.find(Customer, since=moment) == [str(made.id)]
    assert trail.find(Customer, since=moment + HOUR) == []


def test_find_hostile(trail, customer):
    """What no row can have is found nowhere."""
    customer()
    for value in ("\0", "\ud800", float("nan"), 10**400, {}, [1], "' OR 1=1 --"):
        assert trail.find(Customer, name=value) == []


@pytest.mark.parametrize("values", [{}, {"nonsense": 1}, {"secret_note": "x"}])
def test_find_what_is_not_noted(trail, values):
    """What is not noted cannot be looked for."""
    with pytest.raises(Misuse):
        trail.find(Customer, **values)
