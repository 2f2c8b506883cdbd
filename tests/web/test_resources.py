"""Resources and their calendars."""

from tests.web.conftest import at, iso


def test_calendar(anyone, place):
    """What is allocated and how much of it is left is told to everybody."""
    place.scheduler  # noqa: B018 - it is a fixture
    found = anyone.get(
        "/resources/hall/calendar",
        **{"from": iso(at("00:00")), "to": iso(at("00:00", 1))},
    )
    assert found.status_code == 200, found.text
    (shown,) = found.json["allocations"]
    assert shown["availability"] == 100.0
    again = anyone.get(
        "/resources/hall/calendar",
        headers={"If-None-Match": found.headers["ETag"]},
        **{"from": iso(at("00:00")), "to": iso(at("00:00", 1))},
    )
    assert again.status_code == 304


def test_unknown(anyone):
    """What is not there is told in the shape of the specifications."""
    found = anyone.get(
        "/resources/attic/calendar",
        **{"from": "2026-01-01T00:00Z", "to": "2026-01-02T00:00Z"},
    )
    assert found.status_code == 404
    assert found.json["detail"] == "Not found."
    assert found.content_type == "application/problem+json"


def test_put(manager, reader, anyone):
    """Only managers add resources."""
    body = {"title": "The attic", "timezone": "Europe/Zurich"}
    assert anyone.put("/resources/attic", body).status_code == 401
    assert reader.put("/resources/attic", body).status_code == 403
    assert manager.put("/resources/attic", body).status_code == 204
    names = [each["name"] for each in anyone.get("/resources").json["resources"]]
    assert names == ["attic", "hall"]


def test_wrong(anyone):
    """What is wrong is told by field."""
    found = anyone.get(
        "/resources/hall/calendar", **{"from": "2026-01-01T00:00", "to": "now"}
    )
    assert found.status_code == 422
    assert set(found.json["errors"]) == {"from", "to"}, found.json


def test_document(anyone):
    """The document can be had."""
    found = anyone.get("/openapi.json").json
    assert found["openapi"] == "3.1.0"
    assert "/resources/{name}/calendar" in found["paths"]
