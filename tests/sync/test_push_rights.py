"""Who may push what, and that nothing of others is touched or told."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text, update

from libres.sync.permissions import Permissions
from libres.sync.values import Flags
from tests.sync.models import Customer, Note, Report
from tests.sync.pulls import filtered
from tests.sync.pushes import ACME, RETAIL, customer, member_of, statuses, stored

CREATING = Flags(push=True, create=True)


@pytest.fixture
def theirs(sync):
    """The id of a customer of Global Retail."""
    row = {"name": "Theirs", "age": 3, "organization_id": RETAIL}
    made = sync.session.execute(insert(Customer).values(row).returning(Customer.id))
    found = made.scalar()
    sync.session.commit()
    return found


def rows_of(sync):
    """All customers, in every column."""
    return sync.session.execute(select(Customer.__table__)).all()


@pytest.mark.parametrize("op", ["upsert", "update", "delete"])
def test_row_of_others(sync, theirs, op):
    """S8: it is not found, in the words of one that is missing, and stays as it is."""
    before = rows_of(sync)
    there = customer(id=theirs, _op=op)
    missing = customer(id=10**6, _op=op)
    first, second = sync.push(member_of(), {"data": [there, missing]}).body["errors"]
    assert first["type"] == "not_found"
    assert {**first, "index": 0} == {**second, "index": 0}
    assert rows_of(sync) == before


def test_row_of_others_with_version(sync, theirs):
    """A version does not make a conflict of it, which would tell that there is one."""
    answer = sync.push(member_of(), {"data": [customer(id=theirs, _version=0)]})
    assert statuses(answer) == ["not_found"]


@pytest.mark.parametrize(
    ("flags", "statuses_of_ops"),
    [
        pytest.param(Flags(), ["forbidden"] * 3, id="nothing"),
        pytest.param(
            Flags(create=True, update=True, delete=True),
            ["forbidden"] * 3,
            id="all but",
        ),
        pytest.param(Flags(push=True), ["forbidden"] * 3, id="push alone"),
        pytest.param(CREATING, ["created", "forbidden", "forbidden"], id="create"),
        pytest.param(
            Flags(push=True, update=True),
            ["forbidden", "updated", "forbidden"],
            id="update",
        ),
        pytest.param(
            Flags(push=True, delete=True),
            ["forbidden", "forbidden", "deleted"],
            id="delete",
        ),
    ],
)
def test_flags(sync, flags, statuses_of_ops):
    """Push and the flag of the operation are needed, both."""
    made = sync.push(member_of(), {"data": [customer(), customer()]}).body["results"]
    items = [
        customer(),
        customer("Eve", id=made[0]["id"]),
        {"_model": "myapp.Customer", "id": made[1]["id"], "_op": "delete"},
    ]
    answer = sync.push(member_of(flags=flags), {"data": items})
    assert statuses(answer) == statuses_of_ops


def test_upsert_needs_the_right_of_what_it_does(sync):
    """An upsert that changes a row needs the right to update."""
    note = {"_model": "myapp.Note", "id": str(UUID(int=5))}
    member = member_of(flags=CREATING)
    assert statuses(sync.push(member, {"data": [note]})) == ["created"]
    assert statuses(sync.push(member, {"data": [note]})) == ["forbidden"]


def test_no_hint_of_models(sync):
    """A model that somebody may do nothing with is as if it were not there."""
    member = member_of(models=["Report"])
    items = [{"_model": "myapp.Customer"}, {"_model": "myapp.Nothing"}]
    first, second = sync.push(member, {"data": items}).body["errors"]
    names = {"index": 0, "model": ""}
    assert {**first, **names} == {**second, **names}


def test_rights_count_at_once(context, sync, member_of, university):
    """S11: the analyst may push nothing, and then what was granted."""
    analyst = member_of("bob_analyst")
    assert sync.push(analyst, {"data": [customer()]}).status == "error"
    report = {"_model": "myapp.Report", "title": "Numbers"}
    assert sync.push(analyst, {"data": [report]}).status == "error"
    names = "push", "create"
    rights = Permissions(context)
    rights.grant(university, analyst.role, "myapp.Report", *names)
    sync.commit()
    answer = sync.push(member_of("bob_analyst"), {"data": [report]})
    assert answer.status == "success"
    [row] = stored(sync, Report)
    assert str(row.organization_id) == university.reference


def test_organization_of_nobody(sync):
    """A reference that is empty owns nothing, also not what belongs to nobody."""
    member = member_of()
    nobody = replace(member.organization, reference="")
    member = replace(member, organization=nobody)
    answer = sync.push(member, {"data": [customer(id=1), customer()]})
    assert "created" not in statuses(answer)
    assert stored(sync, Customer) == []


# Filters ------------------------------------------------------------------------------


@pytest.fixture
def seller(sync):
    """Sees customers of the department SALES only."""
    return member_of(
        filters=filtered(sync, "myapp.Customer", ("department", "eq", "SALES"))
    )


@pytest.fixture
def rows(sync):
    """The ids of a customer of SALES, and of one of another department."""
    items = [customer(department="SALES"), customer(department="HR")]
    results = sync.push(member_of(), {"data": items}).body["results"]
    return [each["id"] for each in results]


@pytest.mark.parametrize("op", ["update", "delete"])
def test_filter_before(sync, seller, rows, op):
    """What a filter hides is not found."""
    answer = sync.push(seller, {"data": [customer(id=rows[1], _op=op)]})
    assert statuses(answer) == ["not_found"]
    assert len(stored(sync, Customer)) == 2


def test_filter_after(sync, seller, rows):
    """Nobody may move a row to where they do not see it; others are written."""
    items = [
        {"_model": "myapp.Customer", "id": rows[0], "department": "HR"},
        customer("New", department="SALES"),
        customer("Outside", department="HR"),
        customer("Nowhere"),
    ]
    answer = sync.push(seller, {"data": items})
    assert statuses(answer) == ["forbidden", "created", "forbidden", "forbidden"]
    assert sorted((r.name, r.department) for r in stored(sync, Customer)) == [
        ("Ada", "HR"),
        ("Ada", "SALES"),
        ("New", "SALES"),
    ]


def test_reference_to_a_row_of_others(sync, theirs):
    """It is invalid, in the words of one that is missing; nothing is stored."""
    items = [
        {"_model": "myapp.Note", "customer_id": theirs},
        {"_model": "myapp.Note", "customer_id": 10**6},
    ]
    first, second = sync.push(member_of(), {"data": items}).body["errors"]
    assert first["type"] == "invalid"
    assert first["field"] == "customer_id"
    assert {**first, "index": 0} == {**second, "index": 0}
    assert stored(sync, Note) == []


def test_reference_to_a_hidden_row(sync, seller, rows):
    """What a filter hides cannot be referred to anew."""
    notes = [{"_model": "myapp.Note", "customer_id": each} for each in rows]
    assert statuses(sync.push(seller, {"data": notes})) == ["created", "invalid"]


def test_reference_that_stays(sync, seller, rows):
    """What a row refers to already may be sent along."""
    note = {"_model": "myapp.Note", "customer_id": rows[1]}
    [made] = sync.push(member_of(), {"data": [note]}).body["results"]
    changed = {**note, "id": made["id"], "text": "x"}
    assert statuses(sync.push(seller, {"data": [changed]})) == ["updated"]
    moved = {"_model": "myapp.Note", "id": made["id"], "customer_id": rows[1]}
    assert statuses(sync.push(seller, {"data": [moved]})) == ["updated"]


def test_conflict_shows_what_may_be_read(sync):
    """Who may not read is not shown the row of the server."""
    [made] = sync.push(member_of(), {"data": [customer("Secret")]}).body["results"]
    sync.session.execute(update(Customer).values(age=7))
    sync.session.commit()
    blind = member_of(flags=Flags(push=True, update=True))
    item = customer(id=made["id"], _version=made["version"])
    [error] = sync.push(blind, {"data": [item]}).body["errors"]
    assert error["type"] == "conflict"
    assert "row" not in error


def test_constraint_of_the_database_tells_no_values(sync):
    """What a unique index refuses is told without what is there."""
    sync.session.execute(text("CREATE UNIQUE INDEX ON customers (name)"))
    sync.session.commit()
    sync.push(member_of(RETAIL), {"data": [customer("Hidden")]})
    [error] = sync.push(member_of(), {"data": [customer("Hidden")]}).body["errors"]
    assert error["type"] == "invalid"
    assert "Hidden" not in str(error)
    assert str(RETAIL) not in str(error)


def test_moved_away_meanwhile(sync):
    """A row that was given to others is theirs."""
    [made] = sync.push(member_of(), {"data": [customer()]}).body["results"]
    sync.session.execute(update(Customer).values(organization_id=RETAIL))
    sync.session.commit()
    item = customer("Mine", id=made["id"])
    assert statuses(sync.push(member_of(), {"data": [item]})) == ["not_found"]
    assert statuses(sync.push(member_of(RETAIL), {"data": [item]})) == ["updated"]
    assert ACME != RETAIL
