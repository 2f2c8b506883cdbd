"""An operation with an id has its effect once, however often it is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from libres.context.registry import create_default_registry
from libres.sync import Sync
from libres.sync.models import SyncApplied
from libres.sync.registry import registry_of
from libres.sync.values import ALL
from tests.fixtures.races import race_threads
from tests.sync import models
from tests.sync.models import Customer, Note
from tests.sync.pushes import customer, statuses, stored

NOTE = {"_model": "myapp.Note", "customer_id": "tmp:a", "_op_id": "note"}


@pytest.fixture
def push(sync, john):
    """Pushes items for John."""

    def run(*items, member=None, **more):
        return sync.push(member or john, {"data": list(items), **more})

    return run


def told(answer):
    """What is the same of an answer that is told once more."""
    return {**answer.body, "processing_time": None}


def test_same_push_twice(sync, push):
    """S14: one effect, equal results."""
    items = [customer(id="tmp:a", _op_id="ada"), NOTE]
    first, second = push(*items), push(*items)
    assert first.status == "success"
    assert told(first) == told(second)
    assert len(stored(sync, Customer)) == len(stored(sync, Note)) == 1


def test_part_of_it_again(sync, push):
    """What was refused is tried again; it may refer to what was done before."""
    broken = {**NOTE, "text": 7}
    answer = push(customer(id="tmp:a", _op_id="ada"), broken)
    assert statuses(answer) == ["created", "invalid"]
    answer = push(customer(id="tmp:a", _op_id="ada"), NOTE)
    assert statuses(answer) == ["created", "created"]
    [row] = stored(sync, Customer)
    [note] = stored(sync, Note)
    assert note.customer_id == row.id


def test_update_and_deletion(sync, push, john):
    """Also of rows that have changed since, or are gone."""
    john = replace(john, flags={"myapp.Customer": ALL})
    [made] = push(customer()).body["results"]
    change = customer("Eve", id=made["id"], _version=made["version"], _op_id="eve")
    gone = {"_model": "myapp.Customer", "id": made["id"], "_op": "delete"}
    first = push(change)
    push(gone | {"_op_id": "gone"}, member=john)
    assert told(push(change)) == told(first)
    assert statuses(push(gone | {"_op_id": "gone"}, member=john)) == ["deleted"]
    assert stored(sync, Customer) == []


def test_refused_has_no_effect_and_is_judged_anew(push):
    """What was refused is not remembered, and so may succeed later."""
    [made] = push(customer()).body["results"]
    stale = customer("Eve", id=made["id"], _version=1, _op_id="eve")
    stale["_version"] = made["version"] - 1
    assert statuses(push(stale)) == statuses(push(stale)) == ["conflict"]


def test_another_operation_under_the_same_id(sync, push):
    """An id stands for what was sent with it first."""
    push(customer("Ada", _op_id="a"))
    answer = push(customer("Eve", _op_id="a"))
    [error] = answer.body["errors"]
    assert (error["type"], error["field"]) == ("invalid", "_op_id")
    assert [each.name for each in stored(sync, Customer)] == ["Ada"]


def test_twice_in_one_push(sync, push):
    """The second one is told what the first one did."""
    first, second = push(*[customer(_op_id="a")] * 2).body["results"]
    assert {**first, "index": 1} == second
    assert len(stored(sync, Customer)) == 1


def test_ids_of_other_users(sync, push, member_of):
    """Two users may draw the same id."""
    push(customer(_op_id="a"))
    other = push(customer(_op_id="a"), member=member_of("mary_sales"))
    assert other.status == "success"
    assert len(stored(sync, Customer)) == 2


def test_atomic_refusal_remembers_nothing(sync, push):
    """What was rolled back can be sent again under the same id."""
    good = customer(_op_id="a")
    push(good, customer("x" * 60), mode="atomic")
    assert sync.session.scalar(select(func.count()).select_from(SyncApplied)) == 0
    assert statuses(push(good)) == ["created"]


# At the same moment -------------------------------------------------------------------


def pusher(dsn, member, items):
    """Pushes in a context of its own, as another process does; returns the results."""

    def run():
        context = create_default_registry().register_context("test")
        context.set_setting("dsn", dsn)
        models.register(registry_of(context))
        own = Sync(context)
        try:
            return [own.push(member, {"data": each}).body for each in items]
        finally:
            context.get_service("session_provider").stop_service()

    return run


def test_same_operation_at_once(sync, dsn, john):
    """S14: of those who send the same at once one has the effect; all are told."""
    items = [customer(_op_id=f"a{n}") for n in range(20)]
    sync.session.commit()
    outcomes = race_threads([pusher(dsn, john, [items])] * 4)
    assert all(each.ok for each in outcomes), outcomes
    [results, *others] = [each.value[0]["results"] for each in outcomes]
    assert all(each == results for each in others)
    assert len(stored(sync, Customer)) == 20


def test_no_update_is_lost(sync, dsn, john):
    """Those who change the same rows at once: each change is there, or was refused."""
    made = sync.push(john, {"data": [customer(age=0) for _ in range(5)]}).body
    start = made["results"]

    def counting(rounds):
        def run():
            context = create_default_registry().register_context("test")
            context.set_setting("dsn", dsn)
            models.register(registry_of(context))
            own = Sync(context)
            known = {each["id"]: (0, each["version"]) for each in start}
            done = 0
            for _ in range(rounds):
                items = [
                    {
                        "_model": "myapp.Customer",
                        "id": key,
                        "age": age + 1,
                        "_version": version,
                    }
                    for key, (age, version) in known.items()
                ]
                for item, result in zip(
                    items, own.push(john, {"data": items}).body["results"], strict=True
                ):
                    if result["status"] == "updated":
                        done += 1
                        known[item["id"]] = item["age"], result["version"]
                    else:
                        row = result["error"]["row"]
                        known[item["id"]] = row["age"], row["_version"]
            context.get_service("session_provider").stop_service()
            return done

        return run

    outcomes = race_threads([counting(15)] * 3)
    assert all(each.ok for each in outcomes), outcomes
    ages = [each.age for each in stored(sync, Customer)]
    assert sum(ages) == sum(each.value for each in outcomes)
