"""Who comes too late is told, and nothing of others is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from libres.sync.pushing.judging import changed_since, judge
from libres.sync.registry import registry_of
from libres.sync.row_versions import Change
from tests.sync.models import Customer, Note
from tests.sync.pushes import customer, member_of, statuses, stored


@pytest.fixture
def policy(context, sync):
    """Sets the policy of customers."""

    def choose(name):
        models = registry_of(context)._models
        models["myapp.Customer"] = replace(models["myapp.Customer"], policy=name)

    assert sync
    return choose


@pytest.fixture
def late(sync):
    """Makes a customer that others change; returns an item that comes too late."""

    def make(**values):
        item = customer("Ada", age=1, department="x")
        [made] = sync.push(member_of(), {"data": [item]}).body["results"]
        sync.session.execute(update(Customer).values(age=2))
        sync.session.commit()
        said = {"id": made["id"], "_version": made["version"]}
        return {"_model": "myapp.Customer", **said, **values}

    return make


@pytest.mark.parametrize("is_numbered", [True, False])
def test_reject(sync, late, is_numbered):
    """S15: it is a conflict, with the row of the server, and nothing is stored."""
    item = late(department="y")
    if is_numbered:
        sync.number()
    answer = sync.push(member_of(), {"data": [item]})
    assert answer.http == 422
    [error] = answer.body["errors"]
    assert error["type"] == "conflict"
    row = error["row"]
    assert (row["id"], row["age"], row["department"]) == (item["id"], 2, "x")
    assert row["_version"] == error["_version"] > item["_version"]
    assert answer.body["results"][0]["version"] == error["_version"]
    [kept] = stored(sync, Customer)
    assert kept.department == "x"


def test_version_of_the_answer_solves_it(sync, late):
    """With the version of the server's row the change is taken."""
    item = late(department="y")
    [error] = sync.push(member_of(), {"data": [item]}).body["errors"]
    again = item | {"_version": error["_version"]}
    assert statuses(sync.push(member_of(), {"data": [again]})) == ["updated"]


def test_reject_deletion(sync, late):
    """A row that others have changed is not deleted."""
    answer = sync.push(member_of(), {"data": [late(_op="delete")]})
    assert statuses(answer) == ["conflict"]
    assert len(stored(sync, Customer)) == 1


def test_unknown_version(sync, late):
    """A version that the server has never told is a conflict as well."""
    answer = sync.push(member_of(), {"data": [late(age=3) | {"_version": 10**9}]})
    assert statuses(answer) == ["conflict"]


def test_without_version(sync, late):
    """Who does not say what they have changed overwrites."""
    item = late(age=3)
    del item["_version"]
    assert statuses(sync.push(member_of(), {"data": [item]})) == ["updated"]


def test_never_changed(sync):
    """A row that was there before its model was registered has version 0."""
    session = sync.session
    session.connection().exec_driver_sql("SET LOCAL session_replication_role = replica")
    session.add(Customer(name="Old", organization_id=member_of().organization.id))
    session.commit()
    [old] = stored(sync, Customer)
    item = customer("New", id=old.id, _version=0)
    assert statuses(sync.push(member_of(), {"data": [item]})) == ["updated"]
    assert statuses(sync.push(member_of(), {"data": [item]})) == ["conflict"]


def test_client(sync, late, policy):
    """The device is right."""
    policy("client")
    [result] = sync.push(member_of(), {"data": [late(age=3)]}).body["results"]
    assert (result["status"], result["resolution"]) == ("updated", "client")
    assert stored(sync, Customer)[0].age == 3


@pytest.mark.parametrize("op", ["update", "delete"])
def test_server(sync, late, policy, op):
    """The server is right: the change is dropped, and its row told."""
    policy("server")
    answer = sync.push(member_of(), {"data": [late(age=3, _op=op)]})
    [result] = answer.body["results"]
    assert (answer.http, result["status"]) == (200, "unchanged")
    assert (result["resolution"], result["row"]["age"]) == ("server", 2)
    assert answer.body["processed_models"] == {}
    assert stored(sync, Customer)[0].age == 2


@pytest.mark.parametrize("is_numbered", [True, False])
def test_merge(sync, late, policy, is_numbered):
    """S15: changes of other fields are both kept."""
    policy("merge")
    item = late(department="y")
    if is_numbered:
        sync.number()
    [result] = sync.push(member_of(), {"data": [item]}).body["results"]
    assert (result["status"], result["resolution"]) == ("updated", "merge")
    [row] = stored(sync, Customer)
    assert (row.age, row.department) == (2, "y")


def test_merge_of_the_same_field(sync, late, policy):
    """Of one field there are no two truths."""
    policy("merge")
    answer = sync.push(member_of(), {"data": [late(age=3, department="y")]})
    assert statuses(answer) == ["conflict"]
    [row] = stored(sync, Customer)
    assert (row.age, row.department) == (2, "x")


def test_merge_of_a_deletion(sync, late, policy):
    """A deletion concerns all fields."""
    policy("merge")
    assert statuses(sync.push(member_of(), {"data": [late(_op="delete")]})) == [
        "conflict"
    ]


def test_deleted_meanwhile(sync):
    """What others have deleted is not there."""
    note = {"_model": "myapp.Note", "text": "a"}
    [made] = sync.push(member_of(), {"data": [note]}).body["results"]
    gone = {"_model": "myapp.Note", "id": made["id"], "_op": "delete"}
    sync.push(member_of(), {"data": [gone]})
    item = {**note, "id": made["id"], "_version": made["version"]}
    assert statuses(sync.push(member_of(), {"data": [item]})) == ["not_found"]
    assert stored(sync, Note) == []


def test_atomic(sync, late):
    """In an atomic push a conflict refuses all, by 409."""
    body = {"data": [customer("New"), late(age=3)], "mode": "atomic"}
    answer = sync.push(member_of(), body)
    assert answer.http == 409
    assert statuses(answer) == ["rolled_back", "conflict"]
    assert len(stored(sync, Customer)) == 1


# Merging, by values -------------------------------------------------------------------

COLUMNS = st.sampled_from("abcd")
EDITS = st.dictionaries(COLUMNS, st.integers(0, 2))


@given(
    st.fixed_dictionaries({name: st.integers(0, 2) for name in "abcd"}),
    st.lists(EDITS, max_size=5),
    EDITS,
    st.integers(0, 5),
)
def test_merge_agrees_with_the_model(first, edits, sent, base):
    """What is merged is what both would have written one after the other, in any order;
    what is not has a field that both have changed."""
    history = [first]
    changes = []
    for number, edit in enumerate(edits, 1):
        after = {**history[-1], **edit}
        changes.append(Change(number, "update", history[-1], after))
        history.append(after)
    base = min(base, len(edits))
    since = changed_since(base, changes[max(0, base - 1) :])
    touched = set().union(
        *(
            {n for n in "abcd" if one[n] != two[n]}
            for one, two in zip(history[base:], history[base + 1 :], strict=False)
        )
    )
    assert since == touched
    verdict = judge("merge", "update", sent, since)
    server = {name: history[-1][name] for name in touched}
    if verdict.does == "write":
        mine = {**history[base], **sent}
        assert {**history[-1], **sent} == {**mine, **server}
    else:
        assert set(sent) & touched


@pytest.mark.parametrize(
    ("version", "changes"),
    [
        pytest.param(3, [Change(5, "update", {"a": 1}, {"a": 2})], id="base is lost"),
        pytest.param(
            3,
            [
                Change(3, "insert", None, {"a": 1}),
                Change(4, "delete", {"a": 1}, None),
                Change(5, "insert", None, {"a": 1}),
            ],
            id="another row",
        ),
    ],
)
def test_nobody_knows_what_changed(version, changes):
    """Then nothing is merged."""
    assert changed_since(version, changes) is None
    assert judge("merge", "update", {"b"}, None).does == "refuse"
