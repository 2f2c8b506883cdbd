"""One item that fails takes nothing along, unless it was asked to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from libres.context import transactions
from libres.modules.errors import LibresError
from libres.sync.errors import Unavailable
from libres.sync.handlers import Done
from libres.sync.models import SyncLog
from libres.sync.plain_rows import PlainRows
from libres.sync.registry import registry_of
from tests.fixtures.statements import counted
from tests.sync.models import Customer, Note
from tests.sync.pushes import customer, member_of, statuses, stored

BAD = "x" * 60


@pytest.fixture
def push(sync):
    """Pushes items, and returns the answer."""

    def run(*items, **more):
        return sync.push(member_of(), {"data": list(items), **more})

    return run


@pytest.fixture
def sql(sync):
    """Runs SQL, and commits."""

    def run(*statements):
        for each in statements:
            sync.session.execute(text(each))
        sync.session.commit()

    return run


def test_partial(sync, push):
    """S9: the good ones are stored, the bad one names its field."""
    answer = push(customer("A"), customer(BAD), customer("C"))
    assert (answer.http, answer.status) == (207, "partial_success")
    body = answer.body
    assert (body["success_count"], body["error_count"]) == (2, 1)
    assert body["success_rate"] == 66.67
    [error] = body["errors"]
    assert (error["index"], error["type"], error["field"]) == (1, "invalid", "name")
    assert sorted(each.name for each in stored(sync, Customer)) == ["A", "C"]


def test_atomic(sync, push):
    """S9: nothing is stored, and each item says so."""
    answer = push(customer("A"), customer(BAD), customer("C"), mode="atomic")
    assert (answer.http, answer.status) == (422, "error")
    assert answer.body["success_count"] == 0
    assert answer.body["error_count"] == 3
    assert statuses(answer) == ["rolled_back", "invalid", "rolled_back"]
    assert answer.body["processed_models"] == {}
    assert stored(sync, Customer) == []
    assert sync.session.scalar(select(func.count()).select_from(SyncLog)) == 1


@pytest.mark.parametrize(
    ("ddl", "item", "field"),
    [
        pytest.param(
            "ALTER TABLE customers ADD CHECK (age <> 13)",
            customer(age=13),
            None,
            id="check",
        ),
        pytest.param(
            "ALTER TABLE customers ADD CONSTRAINT customers_name_key UNIQUE (name)",
            customer("n7"),
            "name",
            id="unique",
        ),
        pytest.param(
            "ALTER TABLE customers ALTER department SET NOT NULL",
            customer(department=None),
            "department",
            id="not null",
        ),
        pytest.param(
            "ALTER TABLE customers ADD UNIQUE (age) DEFERRABLE INITIALLY DEFERRED",
            customer(age=7),
            "age",
            id="deferred",
        ),
    ],
)
def test_culprit_of_a_chunk(sync, push, sql, ddl, item, field):
    """What the database refuses is found among a hundred, which are stored."""
    sql(ddl)
    items = [customer(f"n{n}", age=100 + n, department="x") for n in range(100)]
    items[7]["age"] = 7
    items[40] = {"age": 999, "department": "x", **item}
    answer = push(*items)
    [error] = answer.body["errors"]
    assert (error["index"], error["type"]) == (40, "invalid")
    assert error.get("field") == field
    assert len(stored(sync, Customer)) == 99


def test_trigger_of_the_host(sync, push, sql):
    """What a trigger refuses is refused, without its words."""
    sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.age = 13 THEN RAISE EXCEPTION 'secret words'; END IF; "
        "RETURN NEW; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON customers "
        "FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    answer = push(customer(), customer(age=13), customer())
    assert statuses(answer) == ["created", "invalid", "created"]
    assert "secret" not in str(answer.body)
    assert len(stored(sync, Customer)) == 2


def test_trigger_that_takes_nothing(sync, push, sql):
    """A row that the database has not taken is not told as stored."""
    sql(
        "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RETURN CASE WHEN NEW.age = 13 THEN NULL ELSE NEW END; END $$",
        "CREATE TRIGGER skip BEFORE INSERT OR UPDATE ON customers "
        "FOR EACH ROW EXECUTE FUNCTION skip()",
    )
    [made] = push(customer()).body["results"]
    assert statuses(push(customer(id=made["id"], age=13))) == ["invalid"]
    assert statuses(push(customer(age=13))) == ["invalid"]
    assert len(stored(sync, Customer)) == 1


def test_row_that_others_refer_to(sync, push, sql):
    """It cannot be deleted; the others are."""
    sql(
        "ALTER TABLE notes DROP CONSTRAINT notes_customer_id_fkey",
        "ALTER TABLE notes ADD FOREIGN KEY (customer_id) REFERENCES customers",
    )
    made = push(customer("A", id="tmp:a"), customer("B")).body["results"]
    push({"_model": "myapp.Note", "customer_id": made[0]["id"]})
    gone = [
        {"_model": "myapp.Customer", "id": each["id"], "_op": "delete"} for each in made
    ]
    answer = push(*gone)
    assert statuses(answer) == ["invalid", "deleted"]
    assert answer.body["errors"][0]["message"] == "Others refer to this row."
    assert len(stored(sync, Note)) == 1


def test_missing_field(push):
    """A new row needs what has no default; a change does not."""
    [error] = push({"_model": "myapp.Customer", "age": 3}).body["errors"]
    assert (error["field"], error["message"]) == ("name", "is missing")


def test_unique_values_change_hands(sync, push, sql):
    """Changes that are right in the order sent succeed, whatever a set would do."""
    sql("CREATE UNIQUE INDEX customers_names ON customers (name)")
    made = push(customer("a"), customer("b")).body["results"]
    items = [
        customer("c", id=made[1]["id"]),
        customer("b", id=made[0]["id"]),
    ]
    assert statuses(push(*items)) == ["updated", "updated"]
    assert sorted(each.name for each in stored(sync, Customer)) == ["b", "c"]


def test_one_bad_of_a_thousand_is_cheap(sync, push, sql):
    """A bad one is found by halving."""
    sql("ALTER TABLE customers ADD CHECK (age <> 13)")
    items = [customer(age=n % 13) for n in range(999)] + [customer(age=13)]
    with counted(sync.session) as statements:
        answer = push(*items)
    assert answer.body["error_count"] == 1
    assert len(statements) < 120


# Handlers -----------------------------------------------------------------------------


@pytest.fixture
def handled(context, sync):
    """Lets something else write customers."""

    def use(handler):
        models = registry_of(context)._models
        models["myapp.Customer"] = replace(models["myapp.Customer"], handler=handler)

    assert sync
    return use


class Failing(PlainRows):
    """Raises for some names."""

    def __init__(self, error):
        self.error = error

    def write(self, work, items):
        """Write nothing, and raise for what is called 'bad'."""
        if any(each.values.get("name") == "bad" for each in items):
            raise self.error
        return [Done("created", (each.index + 1,), 7) for each in items]


def test_error_of_a_handler(push, handled):
    """What a handler raises as an error of the library concerns one item."""
    handled(Failing(LibresError("Not today.")))
    answer = push(customer(), customer("bad"), customer())
    assert statuses(answer) == ["created", "invalid", "created"]
    assert answer.body["errors"][0]["message"] == "Not today."


def test_defect_of_a_handler(sync, push, handled):
    """What is wrong with the program is no fault of an item, and stores nothing."""
    handled(Failing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        push({"_model": "myapp.Note"}, customer("bad"))
    assert stored(sync, Note) == []


def test_others_in_the_way(sync, push, handled, monkeypatch):
    """A conflict of transactions is tried again, the whole push; not the item."""
    monkeypatch.setattr(transactions, "LONGEST_PAUSE", 0.001)
    error = OperationalError("…", None, Exception())
    error.connection_invalidated = True
    handled(Failing(error))
    with pytest.raises(Unavailable):
        push({"_model": "myapp.Note"}, customer("bad"))
    assert stored(sync, Note) == []
