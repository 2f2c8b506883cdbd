"""Requests that are sent again with the same key are done once only."""

from __future__ import annotations

import threading

import pytest

from tests.web.conftest import Client, at, iso

HALL = "/resources/hall/reservations"
BOOKINGS = "/resources/hall/bookings"
BOTH = [HALL, BOOKINGS]


def wish(start="09:00", end="10:00", day=0, **more):
    """What a request wants to have."""
    dates = [{"start": iso(at(start, day)), "end": iso(at(end, day))}]
    return {"email": "ada@example.org", "dates": dates, **more}


def send(client, path, key, **more):
    """Reserve or book with a key."""
    return client.post(path, wish(**more), headers={"Idempotency-Key": key})


def count(client):
    """How many reservations there are."""
    return len(client.get(HALL).json["reservations"])


@pytest.mark.parametrize("path", BOTH)
def test_repeated(booker, reader, path):
    """What is sent again is answered as it was, and not done again."""
    first, second = send(booker, path, "k-1"), send(booker, path, "k-1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json == second.json
    assert count(reader) == 1


@pytest.mark.parametrize("path", BOTH)
def test_another_key(booker, reader, path):
    """Another key stands for another request."""
    assert send(booker, path, "k-1").status_code == 201
    expected = 201 if path == HALL else 409
    assert send(booker, path, "k-2").status_code == expected
    assert count(reader) == (2 if path == HALL else 1)


@pytest.mark.parametrize("path", BOTH)
def test_another_request(booker, reader, path):
    """A key cannot be used for something else."""
    assert send(booker, path, "k-1").status_code == 201
    for more in ({"day": 1}, {"email": "eve@example.org"}, {"data": {"n": 1}}):
        found = send(booker, path, "k-1", **more)
        assert found.status_code == 409
        assert found.json["type"] == "urn:libres:problem:idempotency-key-reused"
    assert count(reader) == 1


def test_another_verb(booker):
    """What was reserved is not booked with the same key."""
    assert send(booker, HALL, "k-1").status_code == 201
    assert send(booker, BOOKINGS, "k-1").status_code == 409


def test_not_told(booker):
    """What a refusal says of a key is not whose it is."""
    send(booker, HALL, "k-1")
    found = send(booker, HALL, "k-1", day=1)
    assert "ada@example.org" not in found.text


def test_another_caller(app, key_of, reader):
    """Keys of one caller mean nothing to another one."""
    ada, eve = (Client(app, key_of("book", name="the same")) for _ in range(2))
    first, second = send(ada, HALL, "k-1"), send(eve, HALL, "k-1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json["token"] != second.json["token"]
    assert send(eve, HALL, "k-1").json == second.json
    assert send(eve, BOOKINGS, "k-2", day=1).status_code == 201
    assert send(ada, BOOKINGS, "k-2", day=2).status_code == 201
    assert count(reader) == 4


def test_refused_is_not_kept(booker, manager):
    """What was refused is tried again with the same key."""
    token = send(booker, BOOKINGS, "k-1").json["token"]
    assert send(booker, BOOKINGS, "k-2").status_code == 409
    assert manager.delete(f"{HALL}/{token}").status_code == 204
    assert send(booker, BOOKINGS, "k-2").status_code == 201


@pytest.mark.parametrize("path", BOTH)
def test_removed_meanwhile(booker, reader, path):
    """What was made, and removed since, is not made again: a new key is needed."""
    token = send(booker, path, "k-1").json["token"]
    assert booker.delete(f"{HALL}/{token}").status_code == 204
    found = send(booker, path, "k-1")
    assert found.status_code == 409
    assert found.json["type"] == "urn:libres:problem:removed-meanwhile"
    assert count(reader) == 0
    assert send(booker, path, "k-2").status_code == 201


@pytest.mark.parametrize(
    ("key", "status"),
    [
        pytest.param("x" * 200, 201, id="longest"),
        pytest.param("!~{}\"';--", 201, id="all that can be seen"),
        pytest.param("x" * 201, 422, id="too long"),
        pytest.param("", 422, id="empty"),
        pytest.param("two words", 422, id="a blank"),
        pytest.param("schlüssel", 422, id="no ASCII"),
        pytest.param("tab\tbed", 422, id="a tab"),
    ],
)
def test_which_keys(booker, key, status):
    """A key is a text of 200 printable characters at most."""
    found = send(booker, HALL, key)
    assert found.status_code == status
    if status == 422:
        assert "Idempotency-Key" in found.json["errors"]


def test_without_key(booker, reader):
    """Without a key, what is sent twice is done twice."""
    for _ in range(2):
        assert booker.post(HALL, wish()).status_code == 201
    assert count(reader) == 2


def test_at_once(app, key_of, reader):
    """What is sent several times at once is done once, and answered alike."""
    key = key_of("book")
    clients = [Client(app, key) for _ in range(3)]
    together, answers = threading.Barrier(len(clients)), []

    def book(client):
        together.wait(10)
        answers.append(send(client, BOOKINGS, "k-1"))

    threads = [threading.Thread(target=book, args=[each]) for each in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [each.status_code for each in answers] == [201, 201, 201]
    assert len({each.json["token"] for each in answers}) == 1
    assert count(reader) == 1
