"""A push that cannot be read is refused; an item that is wrong, by itself."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from libres.sync.errors import MalformedRequest, RequestTooLarge
from libres.sync.pushing.reading import Limits, Temporary, read
from libres.sync.registry import Registry
from tests.sync import models
from tests.sync.pushes import ACME, RETAIL, customer, member_of, stored


@pytest.fixture(scope="module")
def registry():
    """The models of the host."""
    made = Registry()
    models.register(made)
    return made


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="a list"),
        pytest.param({}, id="without data"),
        pytest.param({"data": []}, id="no items"),
        pytest.param({"data": {"0": customer()}}, id="an object"),
        pytest.param({"data": [customer()], "mode": "all"}, id="unknown mode"),
        pytest.param({"data": [customer()], "mode": ["atomic"]}, id="list for mode"),
        pytest.param({"data": [customer()], "Mode": "atomic"}, id="unknown key"),
        pytest.param(b'{"data": [{"a": 1, "a": 2}]}', id="bytes"),
    ],
)
def test_malformed(registry, body):
    """What is no push is refused as a whole."""
    with pytest.raises(MalformedRequest):
        read(registry, body, Limits())


def test_too_many_items(registry):
    """So many are allowed, and not one more."""
    limits = Limits(items=3)
    assert read(registry, {"data": [customer()] * 3}, limits).count == 3
    with pytest.raises(RequestTooLarge) as caught:
        read(registry, {"data": [customer()] * 4}, limits)
    assert caught.value.limit == "3 items"


def test_too_many_bytes(registry):
    """Bytes are counted before they are read."""
    raw = json.dumps({"data": [customer()]}).encode()
    assert read(registry, raw, Limits(size=len(raw))).count == 1
    with pytest.raises(RequestTooLarge):
        read(registry, raw, Limits(size=len(raw) - 1))


@pytest.mark.parametrize("is_raw", [True, False])
def test_too_deep(registry, is_raw):
    """What is nested too deep is malformed, in bytes and as it is."""
    deep = 1
    for _ in range(30):
        deep = [deep]
    body = {"data": [customer(deep)]}
    with pytest.raises(MalformedRequest, match="deeper"):
        read(registry, json.dumps(body).encode() if is_raw else body, Limits())


@pytest.mark.parametrize(
    ("item", "field"),
    [
        pytest.param(3, None, id="a number"),
        pytest.param(None, None, id="null"),
        pytest.param({"name": "Ada"}, "_model", id="no model"),
        pytest.param({"_model": "myapp.Nothing"}, "_model", id="unknown model"),
        pytest.param({"_model": "myapp.customer"}, "_model", id="case"),
        pytest.param({"_model": ["myapp.Customer"]}, "_model", id="a list of models"),
        pytest.param(customer(_op="destroy"), "_op", id="unknown operation"),
        pytest.param(customer(_op=None), "_op", id="null for an operation"),
        pytest.param(customer(_version="7"), "_version", id="text for a version"),
        pytest.param(customer(_version=-1), "_version", id="negative version"),
        pytest.param(customer(_version=True), "_version", id="true for a version"),
        pytest.param(customer(_version=2**63), "_version", id="huge version"),
        pytest.param(customer(_op_id=""), "_op_id", id="empty id"),
        pytest.param(customer(_op_id=7), "_op_id", id="number for an id"),
        pytest.param(customer(_op_id="x" * 201), "_op_id", id="long id"),
        pytest.param(customer(_op_id="a\0"), "_op_id", id="NUL in an id"),
        pytest.param(customer(id="7"), "id", id="text for a number"),
        pytest.param(customer(id=7.5), "id", id="half an id"),
        pytest.param(customer(id=2**40), "id", id="huge id"),
        pytest.param(customer(id=[7]), "id", id="list for an id"),
        pytest.param(customer(id="tmp:" + "x" * 200), "id", id="long temporary id"),
        pytest.param(customer(nickname="A"), "nickname", id="unknown field"),
        pytest.param(
            customer(organization_id=str(RETAIL)), "organization_id", id="tenant"
        ),
        pytest.param(
            customer(organization_id=None), "organization_id", id="null tenant"
        ),
        pytest.param(customer(secret_note="x"), "secret_note", id="secret"),
        pytest.param(customer(__class__="x"), "__class__", id="attribute"),
        pytest.param(customer(metadata="x"), "metadata", id="of the mapper"),
        pytest.param(customer(since="2035-01-01T00:00Z"), "since", id="readonly"),
        pytest.param(customer(None), "name", id="null"),
        pytest.param(customer(7), "name", id="number for a text"),
        pytest.param(customer("x" * 51), "name", id="long text"),
        pytest.param(customer("a\0b"), "name", id="NUL"),
        pytest.param(customer("\ud800"), "name", id="half a character"),
        pytest.param(customer(age="7"), "age", id="text for a whole number"),
        pytest.param(customer(age=True), "age", id="true for a whole number"),
        pytest.param(customer(age=1.5), "age", id="half a number"),
        pytest.param(customer(age=10**30), "age", id="huge number"),
        pytest.param(
            customer(assigned_sales_id="me"), "assigned_sales_id", id="no UUID"
        ),
        pytest.param(
            {"_model": "myapp.Note", "price": "1.234"}, "price", id="decimals"
        ),
        pytest.param({"_model": "myapp.Note", "price": "NaN"}, "price", id="NaN"),
        pytest.param({"_model": "myapp.Note", "price": {}}, "price", id="object"),
        pytest.param({"_model": "myapp.Note", "due": "soon"}, "due", id="no date"),
        pytest.param({"_model": "myapp.Note", "due": 7}, "due", id="number for a date"),
        pytest.param({"_model": "myapp.Seat", "id": 7}, "id", id="half a key"),
        pytest.param({"_model": "myapp.Seat", "id": [1, 2]}, "id", id="kind of a key"),
    ],
)
def test_wrong_item(registry, item, field):
    """S10: it is refused by itself, with the field, and the others are read."""
    asked = read(registry, {"data": [customer(), item, customer()]}, Limits())
    assert [each.index for each in asked.entries] == [0, 2]
    assert list(asked.refused) == [1]
    assert asked.refused[1].field == field
    assert asked.refused[1].type in ("invalid", "forbidden")


def test_temporary_in_a_reference(registry):
    """Where a key is referred to, a temporary id may stand; elsewhere it is a text."""
    item = {"_model": "myapp.Note", "customer_id": "tmp:a", "text": "tmp:a"}
    [entry] = read(registry, {"data": [item]}, Limits()).entries
    assert entry.values == {"customer_id": Temporary("tmp:a"), "text": "tmp:a"}


def test_fingerprint(registry):
    """The same operation is recognised, whatever its id and the order of its fields."""
    same = customer(age=3, _op_id="a")
    items = [same, dict(reversed(same.items())) | {"_op_id": "b"}, same | {"age": 4}]
    first, second, third = read(registry, {"data": items}, Limits()).entries
    assert first.fingerprint == second.fingerprint != third.fingerprint


def test_nothing_of_it_is_stored(sync):
    """S10: items that are wrong leave nothing, and each says why."""
    items = [
        {"name": "Ada"},
        {"_model": "myapp.Nothing", "name": "Ada"},
        customer(nickname="A"),
        customer(organization_id=str(RETAIL)),
    ]
    answer = sync.push(member_of(), {"data": items})
    assert (answer.http, answer.status) == (422, "error")
    assert answer.body["error_count"] == len(answer.body["errors"]) == 4
    assert stored(sync, models.Customer) == []


def test_refused_as_a_whole_is_logged(sync):
    """A push that cannot be read is noted, with what was wrong and nothing of it."""
    with pytest.raises(MalformedRequest):
        sync.push(member_of(), b'{"data": "hunter2"}', request="r1")
    row = sync.session.execute(text("SELECT * FROM sync_log")).mappings().one()
    assert (row["status"], row["error"]) == ("error", "MalformedRequest")
    assert row["request"] == "r1"
    assert "hunter2" not in str(row)


NAMES = st.sampled_from(
    [
        *("_model", "_op", "_version", "_op_id", "id", "name", "age", "department"),
        *("organization_id", "customer_id", "text", "price", "due", "holder", "since"),
        *("secret_note", "title", "code", "assigned_sales_id", "place", "row", "mode"),
    ]
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(
        [
            *("tmp:a", "tmp:b", str(RETAIL), str(ACME), "2035-05-04", "1.50", 1, 2, 3),
            *("create", "update", "delete", "upsert", [1, "A"], str(UUID(int=77))),
        ]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=3,
)

ITEMS = st.builds(
    lambda model, more: {**more, "_model": model},
    st.sampled_from(
        [f"myapp.{each}" for each in ("Customer", "Note", "Report", "Country", "Seat")]
    ),
    st.dictionaries(NAMES, VALUES, max_size=6),
)


def test_any_item(sync):
    """Whatever an item says, it is answered, and others keep what they have."""
    theirs = member_of(RETAIL)
    for each in ("Ada", "Eve"):
        sync.push(theirs, {"data": [customer(each)]})
    note = {"_model": "myapp.Note", "id": str(UUID(int=77)), "customer_id": 1}
    sync.push(theirs, {"data": [note]})
    before = _of_others(sync)

    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(ITEMS | VALUES, min_size=1, max_size=4),
        st.sampled_from(["partial", "atomic"]),
    )
    def check(items, mode):
        answer = sync.push(member_of(), {"data": items, "mode": mode})
        assert len(answer.body["results"]) == len(items)
        json.dumps(answer.body)
        assert _of_others(sync) == before

    check()


def _of_others(sync):
    """Return all rows of Global Retail, in every column."""
    sync.session.commit()
    found = []
    for model in (models.Customer, models.Note, models.Report, models.Seat):
        table = model.__table__
        query = select(table).where(table.c.organization_id == RETAIL)
        found.append(sorted(map(str, sync.session.execute(query))))
    sync.session.commit()
    return found
