"""What is pushed is stored as it was sent, in sets, and only where it belongs."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text

from tests.fixtures.statements import counted
from tests.sync.models import Country, Customer, Note, Seat
from tests.sync.pushes import ACME, RETAIL, customer, member_of, statuses, stored


@pytest.fixture
def push(sync):
    """Pushes items, and returns the answer."""

    def run(*items, member=None, **more):
        return sync.push(member or member_of(), {"data": list(items), **more})

    return run


def test_create(sync, push):
    """S2: a row is made, belongs to the organisation, and is counted."""
    answer = push(customer("John Doe", age=45, department="SALES"))
    body = answer.body
    assert (answer.http, answer.status) == (200, "success")
    assert (body["success_count"], body["error_count"]) == (1, 0)
    counts = {"created": 1, "updated": 0, "deleted": 0}
    assert body["processed_models"] == {"myapp.Customer": counts}
    [row] = stored(sync, Customer)
    assert (row.name, row.age, row.department) == ("John Doe", 45, "SALES")
    assert row.organization_id == ACME


def test_answer_has_the_version(sync, push):
    """The version is that of the change in the feed, also for the next change."""
    [made] = push(customer()).body["results"]
    item = customer("Eve", id=made["id"], _version=made["version"])
    [changed] = push(item).body["results"]
    assert 0 < made["version"] < changed["version"]
    sync.number()
    query = text("SELECT version FROM sync_versions WHERE relation = 'customers'")
    assert sync.session.execute(query).scalar() == changed["version"]


def test_unchanged_row_keeps_its_version(push):
    """What is as it was is no change."""
    [made] = push(customer()).body["results"]
    [same] = push(customer(id=made["id"])).body["results"]
    assert same["version"] == made["version"]


def test_only_what_was_sent_is_changed(sync, push):
    """Fields that are missing remain."""
    [made] = push(customer("Ada", age=3, department="x")).body["results"]
    push({"_model": "myapp.Customer", "id": made["id"], "age": 4})
    [row] = stored(sync, Customer)
    assert (row.name, row.age, row.department) == ("Ada", 4, "x")


def test_delete(sync, push):
    """What is deleted is gone, and has a version."""
    [made] = push(customer()).body["results"]
    item = {"_model": "myapp.Customer", "id": made["id"], "_op": "delete"}
    [gone] = push(item).body["results"]
    assert (gone["status"], gone["id"]) == ("deleted", made["id"])
    assert gone["version"] > made["version"]
    assert stored(sync, Customer) == []


def test_delete_twice(push):
    """The second time there is no such row."""
    [made] = push(customer()).body["results"]
    item = {"_model": "myapp.Customer", "id": made["id"], "_op": "delete"}
    push(item)
    assert statuses(push(item)) == ["not_found"]


def test_every_kind_of_value(sync, push):
    """Values arrive as they were sent, and nulls as nulls."""
    [made] = push(customer()).body["results"]
    note = {
        "_model": "myapp.Note",
        "customer_id": made["id"],
        "price": "12.50",
        "due": "2035-05-04",
        "text": "a 'quoted' \\ line\n",
    }
    empty = {"_model": "myapp.Note", "price": None, "due": None, "customer_id": None}
    assert statuses(push(note, empty)) == ["created", "created"]
    first, second = sorted(stored(sync, Note), key=lambda each: each.text)[::-1]
    assert (first.price, first.due) == (Decimal("12.50"), date(2035, 5, 4))
    assert first.text == note["text"]
    assert (second.text, second.price, second.due) == ("", None, None)


def test_temporary_ids(sync, push):
    """A row is referred to by the name that the device has for it."""
    items = [
        customer(id="tmp:a"),
        {"_model": "myapp.Note", "customer_id": "tmp:a", "text": "of a"},
        customer("Renamed", id="tmp:a"),
    ]
    assert statuses(push(*items)) == ["created", "created", "updated"]
    [row] = stored(sync, Customer)
    [note] = stored(sync, Note)
    assert (row.name, note.customer_id) == ("Renamed", row.id)


@pytest.mark.parametrize(
    "item",
    [
        pytest.param({"customer_id": "tmp:b"}, id="nowhere"),
        pytest.param({"customer_id": "tmp:later"}, id="later"),
        pytest.param({"id": "tmp:b", "_op": "update", "text": "x"}, id="own"),
    ],
)
def test_temporary_id_of_nothing(sync, push, item):
    """What is made later, or by nobody, cannot be referred to."""
    items = [{"_model": "myapp.Note", **item}, customer(id="tmp:later")]
    assert statuses(push(*items)) == ["invalid", "created"]
    assert stored(sync, Note) == []


def test_temporary_id_of_a_refused_row(push):
    """What refers to a row that was refused is refused."""
    items = [
        customer("x" * 60, id="tmp:a"),
        {"_model": "myapp.Note", "customer_id": "tmp:a"},
    ]
    assert statuses(push(*items)) == ["invalid", "invalid"]


def test_temporary_id_of_two_rows(push):
    """One name cannot stand for two rows."""
    items = [customer(id="tmp:a", _op="create"), customer(id="tmp:a", _op="create")]
    assert statuses(push(*items)) == ["created", "invalid"]


def test_order_of_a_reference(sync, push):
    """Items of other models do not pass what refers to them."""
    [made] = push(customer()).body["results"]
    items = [
        {"_model": "myapp.Note", "customer_id": made["id"]},
        {"_model": "myapp.Customer", "id": made["id"], "_op": "delete"},
        {"_model": "myapp.Note", "customer_id": made["id"]},
    ]
    assert statuses(push(*items)) == ["created", "deleted", "invalid"]
    assert stored(sync, Note) == []


def test_id_of_the_device(sync, push):
    """Devices may draw ids that are no numbers, and say them by upsert."""
    item = {"_model": "myapp.Note", "id": str(UUID(int=5)), "text": "mine"}
    assert statuses(push(item)) == ["created"]
    assert statuses(push(item | {"text": "still mine"})) == ["updated"]
    [note] = stored(sync, Note)
    assert (note.id, note.text) == (UUID(int=5), "still mine")


def test_id_that_is_gone(push):
    """Who changes what was deleted does not bring it back."""
    item = {"_model": "myapp.Note", "id": str(UUID(int=5))}
    push(item)
    push(item | {"_op": "delete"})
    assert statuses(push(item)) == ["not_found"]
    assert statuses(push(item | {"_op": "create"})) == ["invalid"]


def test_create_again(push):
    """A row with the id is there: it is told."""
    item = {"_model": "myapp.Note", "id": str(UUID(int=5)), "text": "old"}
    push(item)
    [result] = push(item | {"_op": "create", "text": "new"}).body["results"]
    assert result["status"] == "conflict"
    assert result["error"]["row"]["text"] == "old"


def test_id_that_others_have(sync, push):
    """It cannot be used, in the same words as for one that is gone."""
    item = {"_model": "myapp.Note", "id": str(UUID(int=5)), "_op": "create"}
    push(item, member=member_of(RETAIL))
    push(item | {"id": str(UUID(int=6))})
    push({"_model": "myapp.Note", "id": str(UUID(int=6)), "_op": "delete"})
    [theirs] = push(item).body["errors"]
    [gone] = push(item | {"id": str(UUID(int=6))}).body["errors"]
    assert theirs == gone
    [row] = stored(sync, Note)
    assert row.organization_id == RETAIL


def test_id_of_a_number(push):
    """Numbers are drawn by the database."""
    assert statuses(push(customer(id=77, _op="create"))) == ["invalid"]
    assert statuses(push(customer(id=77))) == ["not_found"]


def test_key_of_two_columns(sync, push):
    """An id may be a list."""
    item = {"_model": "myapp.Seat", "id": [3, "A"], "holder": "Ada"}
    assert statuses(push(item)) == ["created"]
    assert statuses(push(item | {"holder": "Eve"})) == ["updated"]
    assert [each.holder for each in stored(sync, Seat)] == ["Eve"]
    assert statuses(push(item | {"_op": "delete"})) == ["deleted"]


def test_shared_rows(sync, push):
    """Rows of a shared model belong to nobody."""
    item = {"_model": "myapp.Country", "id": "CH", "name": "Switzerland"}
    assert statuses(push(item)) == ["created"]
    changed = push(item | {"name": "Suisse"}, member=member_of(RETAIL))
    assert statuses(changed) == ["updated"]
    assert [each.name for each in stored(sync, Country)] == ["Suisse"]


def test_many_in_few_statements(sync, push):
    """S13: a thousand changes take as many statements as two, and at most 20."""
    rows = [{"name": f"n{n}", "organization_id": ACME} for n in range(1000)]
    sync.session.execute(insert(Customer), rows)
    sync.session.commit()
    ids = sync.session.scalars(select(Customer.id).order_by(Customer.id)).all()
    sync.session.commit()
    items = [{"_model": "myapp.Customer", "id": each, "age": each} for each in ids]
    with counted(sync.session) as few:
        assert push(*items[:2]).status == "success"
    with counted(sync.session) as many:
        assert push(*items).status == "success"
    assert len(many) == len(few) <= 20
    assert {each.age == each.id for each in stored(sync, Customer)} == {True}


@pytest.mark.parametrize("op", ["create", "delete"])
def test_statements_of_other_operations(sync, push, op):
    """So do new rows, and those that are deleted."""
    items = [customer(f"n{n}", id=f"tmp:{n}") for n in range(1000)]
    with counted(sync.session) as statements:
        made = push(*items).body["results"]
    if op == "delete":
        gone = [
            {"_model": "myapp.Customer", "id": each["id"], "_op": "delete"}
            for each in made
        ]
        with counted(sync.session) as statements:
            push(*gone)
        assert stored(sync, Customer) == []
    assert len(statements) <= 20
    assert [each["status"] for each in made] == ["created"] * 1000


def test_ids_are_those_of_the_rows(sync, push):
    """Of many new rows, each has the id that is told of it."""
    items = [customer(f"n{n}") for n in range(300)]
    results = push(*items).body["results"]
    names = {each.id: each.name for each in stored(sync, Customer)}
    told = [names[each["id"]] for each in results]
    assert told == [f"n{n}" for n in range(300)]


def test_mixed_models_are_grouped(sync, push):
    """Customers and their notes, one after the other, are written in two sets."""
    items = []
    for n in range(200):
        items.append(customer(f"n{n}", id=f"tmp:{n}"))
        items.append({"_model": "myapp.Note", "customer_id": f"tmp:{n}"})
    with counted(sync.session) as statements:
        assert push(*items).status == "success"
    assert len(statements) <= 25
    assert len(stored(sync, Note)) == 200


def test_actor_and_request(sync):
    """The feed says who it was."""
    sync.push(member_of(), {"data": [customer()]}, request="r1")
    row = sync.session.execute(text("SELECT actor, request FROM sync_pending")).one()
    assert row == ("user7", "r1")


def test_log_without_payload(sync, push):
    """What was pushed is noted, and not what was in it."""
    push(customer("Secret"), customer("x" * 60))
    log = sync.session.execute(text("SELECT * FROM sync_log")).mappings().one()
    assert (log["status"], log["succeeded"], log["failed"]) == ("partial_success", 1, 1)
    assert log["models"] == ["myapp.Customer"]
    assert "Secret" not in str(log)
    metric = sync.session.execute(text("SELECT * FROM sync_metrics")).mappings().one()
    assert (metric["operation"], metric["batch"]) == ("push", 2)
