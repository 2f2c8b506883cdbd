"""Rows change while they are sent; in the end a device holds what is visible."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, text, update

from libres.sync import snapshots
from libres.sync.keyring import configure
from libres.sync.tenancy import owned_by
from tests.sync.models import Customer
from tests.sync.pulls import ACME, RETAIL, SECRET, Phone, filtered, member_of

MARY, OTHER = UUID(int=7), UUID(int=8)
NAME = "myapp.Customer"
LATER = datetime(2999, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def keys(context):
    """A secret to sign cursors by."""
    configure(context, SECRET)


@pytest.fixture
def write(sync):
    """Executes statements, and commits."""

    def run(*statements):
        for each in statements:
            sync.session.execute(each)
        sync.session.commit()

    return run


def customer(id_, organization=ACME, sales=MARY, **values):
    """Insert a customer of an id."""
    return insert(Customer).values(
        id=id_,
        name="n",
        organization_id=organization,
        assigned_sales_id=sales,
        **values,
    )


# One thing between two pages ----------------------------------------------------------


@pytest.fixture
def phone(sync, write):
    """Has got the first two of four customers, 10, 20, 30 and 40."""
    write(*(customer(id_) for id_ in (10, 20, 30, 40)))
    phone = Phone(sync, member_of(models=["Customer"]), batch=2)
    phone.pull()
    return phone


def test_changed_after_being_sent(write, phone):
    """A row that was sent and has changed comes again."""
    write(update(Customer).where(Customer.id == 10).values(age=5))
    assert phone.catch_up()[NAME, "10"]["age"] == 5


def test_changed_before_being_sent(write, phone):
    """A row that has changed before it is sent is not taken back by the feed."""
    write(update(Customer).where(Customer.id == 30).values(age=5))
    write(update(Customer).where(Customer.id == 30).values(age=6))
    ages = []
    while phone.pull()["has_more"]:
        ages.append(phone.rows.get((NAME, "30"), {}).get("age"))
    assert set(ages) <= {None, 6}
    assert phone.catch_up()[NAME, "30"]["age"] == 6


def test_deleted_after_being_sent(write, phone):
    """A row that was sent and is deleted goes."""
    write(delete(Customer).where(Customer.id == 10))
    assert phone.ids() == [20, 30, 40]


def test_inserted_before_the_keyset(write, phone):
    """A row whose key was passed already comes by the feed."""
    write(customer(5))
    assert phone.ids() == [5, 10, 20, 30, 40]


def test_last_key_deleted(write, phone):
    """That the row to go on behind has gone is no matter."""
    write(delete(Customer).where(Customer.id == 20))
    assert phone.ids() == [10, 30, 40]


def test_no_row_twice(phone):
    """If nothing changes, no row is sent twice."""
    phone.catch_up()
    assert phone.told == 4


def test_seen_in_between(sync, write):
    """A row that entered the filter, was sent, and left again before its changes were
    sent, goes."""
    write(*(customer(id_) for id_ in (10, 20, 30)), customer(40, sales=OTHER))
    filters = filtered(sync, NAME, ("assigned_sales_id", "eq", "{{user.id}}"))
    mary = Phone(sync, member_of(models=["Customer"], filters=filters), batch=2)
    mary.pull()
    match = Customer.id == 40
    write(update(Customer).where(match).values(assigned_sales_id=MARY))
    mary.pull()
    assert mary.rows[NAME, "40"] is not None
    write(update(Customer).where(match).values(assigned_sales_id=OTHER))
    assert mary.ids() == [10, 20, 30]


def test_change_without_number(sync, write, phone):
    """What is committed and has no number yet is the version of a row already."""
    write(update(Customer).where(Customer.id == 10).values(age=5))
    model = sync.registry.named(NAME)
    (first,) = snapshots.rows(sync.session, "test", phone.member, model, None, 1)
    pending = sync.session.scalar(text("SELECT max(seq) FROM sync_pending"))
    assert first.version == pending


# Anything between any pages -----------------------------------------------------------

IDS = st.integers(1, 6)
STEPS = st.one_of(
    st.tuples(st.just("put"), IDS, st.sampled_from([MARY, OTHER, None])),
    st.tuples(st.just("change"), IDS, st.sampled_from([MARY, OTHER, None])),
    st.tuples(st.just("move"), IDS, st.sampled_from([ACME, RETAIL])),
    st.tuples(st.just("delete"), IDS, st.none()),
    st.tuples(st.just("rename"), IDS, IDS),
    st.tuples(st.just("commit"), st.none(), st.none()),
    st.tuples(st.just("pull"), st.integers(0, 2), st.just(False)),
    st.tuples(st.just("pull"), st.just(1), st.booleans()),
    st.tuples(st.just("filter"), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("number"), st.none(), st.none()),
    st.tuples(st.just("drop"), st.none(), st.none()),
)


class World:
    """Some devices, and customers that change."""

    def __init__(self, sync):
        self.sync = sync
        self.hers = filtered(sync, NAME, ("assigned_sales_id", "eq", "{{user.id}}"))
        members = [
            member_of(models=["Customer"]),
            member_of(models=["Customer"], filters=self.hers),
            member_of(RETAIL, models=["Customer"]),
        ]
        self.phones = [Phone(sync, each, batch=2) for each in members]
        sync.session.execute(delete(Customer))
        for id_ in range(1, 6):
            self._put(id_, MARY if id_ % 2 else OTHER)
        self._commit()

    def do(self, verb, one, other):
        """Do a step."""
        getattr(self, f"_{verb}")(one, other)

    def _put(self, id_, sales):
        self.sync.session.execute(delete(Customer).where(Customer.id == id_))
        self.sync.session.execute(customer(id_, sales=sales))

    def _change(self, id_, sales):
        match = Customer.id == id_
        values = {"assigned_sales_id": sales, "age": text("coalesce(age, 0) + 1")}
        self.sync.session.execute(update(Customer).where(match).values(**values))

    def _move(self, id_, organization):
        match = Customer.id == id_
        moved = update(Customer).where(match).values(organization_id=organization)
        self.sync.session.execute(moved)

    def _delete(self, id_, _):
        self.sync.session.execute(delete(Customer).where(Customer.id == id_))

    def _rename(self, id_, other):
        if id_ != other:
            self._delete(other, None)
            match = Customer.id == id_
            self.sync.session.execute(update(Customer).where(match).values(id=other))

    def _commit(self, *_):
        self.sync.session.commit()

    def _pull(self, number, is_lost):
        self.sync.session.commit()
        self.phones[number].pull(is_lost=is_lost)

    def _filter(self, number, is_on):
        phone = self.phones[number]
        filters = self.hers if is_on else {}
        phone.member = replace(phone.member, filters=filters)

    def _number(self, *_):
        self.sync.number()

    def _drop(self, *_):
        self.sync.session.commit()
        self.sync.drop_old_changes(LATER)

    def visible(self, phone):
        """Tell what a device should hold."""
        query = text(
            "SELECT id, age, assigned_sales_id::text FROM customers "
            "WHERE organization_id::text = :owner"
        )
        owner = {"owner": phone.member.organization.reference}
        rows = self.sync.session.execute(query, owner).all()
        self.sync.session.rollback()
        is_hers = bool(phone.member.filters)
        return {
            row.id: (row.age, row.assigned_sales_id)
            for row in rows
            if not is_hers or row.assigned_sales_id == str(MARY)
        }


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEPS, max_size=25))
def test_converges(sync, steps):
    """Whatever happens between pages, all end with what is visible to them."""
    world = World(sync)
    for step in steps:
        world.do(*step)
    world.do("commit", None, None)
    for phone in world.phones:
        held = {
            row["id"]: (row["age"], row["assigned_sales_id"])
            for row in phone.catch_up().values()
        }
        assert held == world.visible(phone)


# Whose rows ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param("", id="nobody"),
        pytest.param("7", id="no UUID"),
        pytest.param(str(ACME).upper().replace("-", ""), id="not as PostgreSQL has it"),
    ],
)
def test_reference_that_fits_no_row(sync, write, reference):
    """A reference that no row can have belongs to no row."""
    write(customer(1))
    model = sync.registry.named(NAME)
    query = model.table.select().where(owned_by(model, reference, "test"))
    assert sync.session.execute(query).all() == []


def test_told_by_a_statement(sync, write, phone):
    """Rows whose owner is told by SQL are sent as others are."""
    sql = "SELECT {row}.organization_id::text WHERE {context} = 'test' AND '::' = '::'"
    model = replace(sync.registry.named(NAME), tenant=None, tenant_sql=sql)
    write(customer(1, RETAIL))
    found = snapshots.rows(sync.session, "test", phone.member, model, None, 10)
    assert [row.key for row in found] == [(10,), (20,), (30,), (40,)]
