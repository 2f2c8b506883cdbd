"""Pulling over HTTP; what a pull says in each case is tested in tests/sync."""

from __future__ import annotations

from tests.web.syncing import (
    CUSTOMER,
    READING,
    REPORT,
    template,  # noqa: F401 - the database of these tests
)


def add(house, organization, number=1):
    """Add customers to the table of a host, past all of this."""
    house.execute(
        "INSERT INTO customers (organization_id, name) "
        "SELECT :id, 'C' || n FROM generate_series(1, :number) n",
        id=organization.id,
        number=number,
    )


def test_first(house, john, acme):
    """S3: the first pull of another device has what is there, and a cursor."""
    add(house, acme)
    add(house, house.organization())
    mary = house.person(acme, CUSTOMER)
    found = mary.pull(batch_size=100)
    assert [each["name"] for each in found["data"]] == ["C1"]
    assert found["has_more"] is False
    assert found["metadata"][CUSTOMER]["count"] == 1
    assert found["batch_info"] == {"batch_size": 100, "total_records": 1}
    assert found["cursor"]
    assert john.pull(cursor=found["cursor"])["data"] == []


def test_pages(house, john, acme):
    """S4: 250 rows come in three pages, each row once, and then nothing."""
    add(house, acme, 250)
    page = john.pull(batch_size=100)
    pages = [page]
    for _ in range(3):
        pages.append(john.pull(cursor=pages[-1]["cursor"], batch_size=100))
    assert [len(each["data"]) for each in pages] == [100, 100, 50, 0]
    assert len({row["id"] for each in pages for row in each["data"]}) == 250
    assert [each["has_more"] for each in pages] == [True, True, False, False]


def test_changes(house, john, acme):
    """S5: then only what has changed comes, and what was deleted."""
    add(house, acme, 3)
    start = john.pull()
    first, second, _ = (each["id"] for each in start["data"])
    house.execute("DELETE FROM customers WHERE id = :id", id=first)
    house.execute("UPDATE customers SET age = 7 WHERE id = :id", id=second)
    found = john.pull(cursor=start["cursor"])
    assert [each["id"] for each in found["deleted"]] == [first]
    assert [(each["id"], each["age"]) for each in found["data"]] == [(second, 7)]


def test_lost_answer(house, john, acme):
    """S7: with the same cursor the same rows come once more."""
    start = john.pull()
    add(house, acme, 2)
    lost, again = (john.pull(cursor=start["cursor"]) for _ in range(2))
    assert len(lost["data"]) == 2
    assert lost["data"] == again["data"]


def test_denied(house, acme):
    """S11: who may not pull a model gets an error for it, as if there were none."""
    add(house, acme)
    bob = house.person(acme, REPORT, flags=READING)
    found = bob.pull(models={CUSTOMER: None, REPORT: None, "myapp.None": None})
    denied, missing = (found["metadata"][name] for name in (CUSTOMER, "myapp.None"))
    assert denied == missing
    assert denied["error"]
    assert (
        "error" not in found["metadata"][REPORT]
        or not found["metadata"][REPORT]["error"]
    )
    assert found["data"] == []


def test_scope_changed(house, john, acme):
    """Whose filter has changed is told to begin anew, with a cursor to go on with."""
    start = john.pull()
    adults = [{"field": "age", "op": "ge", "value": 18}]
    house.do(lambda: house.sync.filters.set(acme, john.role, CUSTOMER, adults))
    answer = john.post("pull/", {"cursor": start["cursor"]})
    assert answer.status_code == 410, answer.text
    context = answer.json["error"]["context"]
    assert context["models"] == [CUSTOMER]
    assert john.pull(cursor=context["cursor"])["resync"] == [CUSTOMER]


def test_wrong(john):
    """A cursor that is none, and a batch that is too large, are refused."""
    for body in ({"cursor": "x"}, {"batch_size": 1001}, {"batch_size": 0}, []):
        answer = john.post("pull/", body)
        assert answer.status_code == 400, answer.text
        assert answer.json["error"]["type"] == "validation"


def test_models(john):
    """Who asks what there is hears of what they may touch, and of nothing else."""
    assert set(john.get("models/").json["models"]) == {CUSTOMER}
    fields = john.get("models/").json["models"][CUSTOMER]["fields"]
    names = {each["name"] for each in fields}
    assert {"name", "age"} <= names
    assert not {"organization_id", "secret_note"} & names
