"""Occupancy over HTTP: section 4.4 of its specification, and its checks."""

import json
from datetime import timedelta
from urllib.parse import quote

import pytest

from libres.occupancy import Occupancy
from libres.web import create_app
from libres.web.settings import WebSettings
from tests.occupancy.conftest import SAMPLE, at, event, furnished
from tests.web.conftest import NOBODY, Client

KEYS = {"283": "key of 283", "423": "key of 423"}
NOTHING = dict.fromkeys(
    (
        "counted",
        "duplicate",
        "unassigned",
        "unknown_sensor",
        "quarantined",
        "invalid",
    ),
    0,
) | {"refused": []}
PATH = "/occupancy/events"


@pytest.fixture
def house(context, place):  # noqa: ARG001 - which has made the context's tables
    """The sample floor plan, without events; its sensors have keys."""
    made = Occupancy(context)

    def fill():
        furnished(made)
        for code, key in KEYS.items():
            made.add_sensor(code, key=key)

    context.transaction(fill)
    return made


@pytest.fixture
def walked(house, context):
    """The sample floor plan with the events of sample S."""
    context.transaction(lambda: house.record(SAMPLE))
    return house


@pytest.fixture
def gateway(app, key_of):
    """Who sends the events of all sensors."""
    return Client(app, key_of("sensor", name="gateway"))


def by_sensor(app, key):
    """A sensor that sends by itself."""
    client = Client(app)
    client.headers = {"X-Sensor-Key": key}
    return client


def count(client, space, ts="2018-02-24T09:30:00Z"):
    """Ask how many there are."""
    return client.get(f"/space/{space}/count", **({} if ts is None else {"ts": ts}))


def number(house, name):
    """The short number of a space."""
    return house.space(name).number


# Counts -------------------------------------------------------------------------------


def test_count(reader, walked):
    """O11: exactly this."""
    a = number(walked, "A")
    found = count(reader, a)
    assert found.status_code == 200, found.text
    assert found.json == {"space_id": a, "ts": "2018-02-24T09:30:00Z", "count": 2}


def test_count_by_uuid(reader, walked):
    """A space is known by its UUID as well."""
    a = walked.space("A").id
    assert count(reader, a).json["space_id"] == str(a)


@pytest.mark.parametrize(("name", "expected"), [("B", -1), ("building", 1)])
def test_policy(reader, walked, name, expected):
    """O3: by the policy of the space."""
    assert count(reader, number(walked, name)).json["count"] == expected


@pytest.mark.parametrize(
    ("ts", "expected"),
    [("2018-02-24T08:45:21.893Z", 1), ("2018-02-24T08:45:21.892Z", 0)],
)
def test_exactly(reader, walked, ts, expected):
    """O1: an event exactly at the moment counts."""
    found = count(reader, number(walked, "A"), ts).json
    assert found["count"] == expected


@pytest.mark.parametrize("sent", ["+", "%2B"])
def test_zone(reader, walked, sent):
    """O13: a moment of another zone, whether its plus is encoded or not."""
    path = f"/space/{number(walked, 'A')}/count?ts=2018-02-24T10:30:00{sent}01:00"
    found = reader.http.get(path, headers=reader.headers)
    assert found.json["count"] == 2
    assert found.json["ts"] == "2018-02-24T09:30:00Z"


def test_now(reader, walked, clock):
    """Without a moment it is now."""
    clock.now = at("09:06:00")
    found = count(reader, number(walked, "A"), None).json
    assert found == {
        "space_id": number(walked, "A"),
        "ts": "2018-02-24T09:06:00Z",
        "count": 3,
    }


UNKNOWN = [
    "0",
    "999999",
    "9" * 30,
    "-1",
    "²",
    "A",
    NOBODY,
    "x" * 5000,
    "a\0b",
    "..",
    "<script>",
    "1.0",
]


@pytest.mark.parametrize("space", UNKNOWN)
def test_unknown(reader, house, space):  # noqa: ARG001 - has made the tables
    """O12: what is not there is told in the shape of the specification."""
    found = count(reader, quote(space, safe=""))
    assert found.status_code == 404
    assert found.json["detail"] == "Not found."


@pytest.mark.parametrize(
    "ts",
    [
        "yesterday",
        "2018-02-24T09:30:00",
        "",
        "2018-02-30T00:00Z",
        "0001-01-01T00:00+10:00",
        "1" * 5000,
        "a\0b",
    ],
)
def test_wrong_moment(reader, house, ts):
    """O12: what is no moment is refused with 400."""
    found = count(reader, number(house, "A"), ts)
    assert found.status_code == 400
    assert found.json["detail"]
    assert set(found.json["errors"]) == {"ts"}


def test_who_may_ask(anyone, booker, gateway, walked):
    """Only who may read is told how many there are."""
    a = number(walked, "A")
    for path in (f"/space/{a}/count", "/spaces"):
        assert anyone.get(path).status_code == 401
        assert booker.get(path).status_code == 403
        assert gateway.get(path).status_code == 403


def test_everybody_may_ask(context, walked):
    """Unless the host lets everybody read."""
    settings = WebSettings(anonymous=frozenset({"read"}))
    app = create_app(context, settings, secret_key="signs")
    assert count(Client(app), number(walked, "A")).json["count"] == 2


def test_other_context(reader, walked, context):
    """Spaces of another context are not there."""
    other = context.registry.register_context("other")
    other.set_setting("dsn", context.get_setting("dsn"))
    made = other.transaction(lambda: Occupancy(other).add_space("C", timezone="UTC"))
    other.get_service("session_provider").stop_service()
    assert count(reader, made.number).status_code == 404
    assert count(reader, made.id).status_code == 404
    assert len(reader.get("/spaces").json) == 3
    assert walked.spaces()


def test_spaces(reader, walked, clock):
    """All spaces, by name, and how many are in them."""
    clock.now = at("09:30:00")
    walked.add_space("A", timezone="UTC", parent="building", capacity=5)
    walked.session.commit()
    found = reader.get("/spaces")
    told = [(each["name"], each["count"], each["capacity"]) for each in found.json]
    assert told == [("A", 2, 5), ("B", -1, None), ("building", 1, None)]
    assert set(found.json[0]) == {"id", "name", "count", "capacity", "stale"}
    tag = {"If-None-Match": found.headers["ETag"]}
    assert reader.get("/spaces", headers=tag).status_code == 304


# History ------------------------------------------------------------------------------


def history(client, space, **more):
    """Ask what happened from 8 to 10."""
    query = {"from": at("08:00").isoformat(), "to": at("10:00").isoformat(), **more}
    return client.get(f"/space/{space}/history", **query)


def test_history(reader, walked):
    """O16: each step, and what happened in it."""
    found = history(reader, number(walked, "A"), step=60)
    assert found.status_code == 200, found.text
    first, second = found.json
    assert first == {
        "start": "2018-02-24T08:00:00+00:00",
        "end": "2018-02-24T09:00:00+00:00",
        "count": 1,
        "min": 0,
        "max": 1,
        "ins": 1,
        "outs": 0,
    }
    shown = [second[name] for name in ("ins", "outs", "count", "max")]
    assert shown == [2, 1, 2, 3]


def test_steps(reader, walked):
    """There are 2,000 steps at most."""
    a = number(walked, "A")
    end = at("08:00") + timedelta(minutes=2000)
    assert len(history(reader, a, step=1, to=end.isoformat()).json) == 2000
    end += timedelta(minutes=1)
    assert history(reader, a, step=1, to=end.isoformat()).status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [{"step": 0}, {"step": "1h"}, {"step": 10**30}, {"to": "2018-02-24T08:00Z"}],
)
def test_wrong_history(reader, house, wrong):
    """What is no time, and no step, is refused with 400."""
    assert history(reader, number(house, "A"), **wrong).status_code == 400


def test_history_of_nothing(reader, anyone, house):
    """Only of what is there, and for those who may read."""
    assert history(reader, 999).status_code == 404
    assert history(anyone, number(house, "A")).status_code == 401


# Events -------------------------------------------------------------------------------


def test_events(gateway, reader, house):
    """Events are counted, and told in totals."""
    found = gateway.post(PATH, SAMPLE)
    assert found.status_code == 200, found.text
    assert found.json == NOTHING | {"counted": 4}
    assert count(reader, number(house, "A")).json["count"] == 2


def test_events_again(gateway, house):
    """O5 and O6: what was sent before is known; the order does not matter."""
    gateway.post(PATH, SAMPLE)
    found = gateway.post(PATH, [*reversed(SAMPLE), *SAMPLE])
    assert found.json == NOTHING | {"duplicate": 8}
    assert house.count("A", at("09:30:00")).count == 2


def test_refused_events(gateway, house):
    """One that is wrong does not concern the others, but is told."""
    wrong = [5, {}, event("999", "09:00:00", 1), event("283", "09:00:00", 10**30)]
    found = gateway.post(PATH, [*SAMPLE, *wrong])
    assert found.status_code == 207
    told = NOTHING | {"counted": 4, "unknown_sensor": 1, "invalid": 3}
    refused = found.json.pop("refused")
    assert found.json | {"refused": []} == told
    assert sorted(each["line"] for each in refused) == [5, 6, 7, 8]
    assert all(each["reason"] for each in refused)
    assert house.count("A", at("09:30:00")).count == 2


@pytest.mark.parametrize("text", ["\0", "\ud800", "<script>", "x" * 500])
def test_hostile_events(gateway, house, text):
    """No event is an error of ours."""
    found = gateway.post(PATH, [event(text, "09:00:00", 1), {"timestamp": text}])
    assert found.status_code == 207
    assert found.json["counted"] == 0
    assert house.sensors()


def test_future(gateway, house, clock):
    """O14: what has not happened yet is kept, and does not count."""
    clock.now = at("08:50:00")
    found = gateway.post(PATH, [event("283", "09:00:00", 1)])
    assert (found.status_code, found.json["quarantined"]) == (200, 1)
    assert house.health(at("08:50:00")).left_out


def lines(client, text, kind="application/x-ndjson"):
    """Send text."""
    headers = {**client.headers, "Content-Type": kind}
    return client.http.post(PATH, data=text, headers=headers)


def test_lines(gateway, house):
    """Events may come as lines, of which one may be wrong."""
    sent = "\n".join(map(json.dumps, SAMPLE)) + "\n\n"
    assert lines(gateway, sent).json == NOTHING | {"counted": 4}
    found = lines(gateway, f'{sent}{{"timestamp":\n{"[" * 100_000}\n')
    assert found.status_code == 207
    assert (found.json["duplicate"], found.json["invalid"]) == (4, 2)
    assert house.count("A", at("09:30:00")).count == 2


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("body", ["[", "[" * 100_000, "1" * 5000, "", b"\xff", "{}"])
def test_malformed(gateway, body):
    """What is no list of JSON is refused."""
    assert lines(gateway, body, "application/json").status_code == 400


@pytest.mark.usefixtures("house")
def test_wrong_type(gateway):
    """What is neither a list nor lines is of a wrong type."""
    assert lines(gateway, "a,b", "text/csv").status_code == 415


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("body", [[], {}, 5, "abc"])
def test_no_events(gateway, body):
    """Nothing is no event."""
    assert gateway.post(PATH, body).status_code == 400


@pytest.mark.usefixtures("house")
def test_too_many(gateway):
    """10,000 at once are taken, one more is too large, in either form."""
    found = gateway.post(PATH, [1] * 10_000)
    assert found.json["invalid"] == 10_000
    assert len(found.json["refused"]) == 1000
    assert gateway.post(PATH, [1] * 10_001).status_code == 413
    assert lines(gateway, "1\n" * 10_001).status_code == 413
    assert lines(gateway, "x" * (4 * 1024 * 1024 + 1)).status_code == 413


def test_who_may_send(anyone, reader, booker, manager, house):
    """Only sensors send events."""
    assert anyone.post(PATH, SAMPLE).status_code == 401
    for each in (reader, booker, manager):
        assert each.post(PATH, SAMPLE).status_code == 403
    assert house.count("A", at("09:30:00")).count == 0


# Sensors that send by themselves ------------------------------------------------------


def test_sensor(app, house):
    """A sensor sends its own events with its own key."""
    found = by_sensor(app, KEYS["283"]).post(PATH, [event("283", "09:00:00", 1)])
    assert found.json == NOTHING | {"counted": 1}
    assert house.count("A", at("09:30:00")).count == 1


@pytest.mark.parametrize("key", ["key", "key of 423", "é", " ", "x" * 5000])
def test_forged_key(app, house, key):
    """A key of somebody else opens nothing."""
    found = by_sensor(app, key).post(PATH, [event("283", "09:00:00", 1)])
    assert found.status_code == 401
    assert house.count("A", at("09:30:00")).count == 0


def test_events_of_others(app, house):
    """A sensor sends nothing for another one, nor anything besides."""
    found = by_sensor(app, KEYS["283"]).post(PATH, SAMPLE)
    assert found.status_code == 403
    assert house.count("A", at("09:30:00")).count == 0


def test_unnamed_events(app, house):
    """Events without a sensor belong to nobody."""
    assert by_sensor(app, KEYS["283"]).post(PATH, [{}]).status_code == 401
    assert house.sensors()


def test_sensor_without_key(app, context, house):
    """A sensor without a key cannot send by itself."""
    context.transaction(lambda: house.add_sensor("7"))
    found = by_sensor(app, "7").post(PATH, [event("7", "09:00:00", 1)])
    assert found.status_code == 401


def test_guessing(context, house):
    """Who guesses keys has to wait."""
    settings = WebSettings(failures_per_minute=2)
    app = create_app(context, settings, secret_key="signs")
    sent = [event("283", "09:00:00", 1)]
    codes = [by_sensor(app, "?").post(PATH, sent).status_code for _ in range(3)]
    assert codes == [401, 401, 429]
    assert by_sensor(app, KEYS["283"]).post(PATH, sent).status_code == 429
    assert house.sensors()


def test_rate(context, key_of, house):
    """Events are limited by key, not by request."""
    settings = WebSettings(events_per_minute=6)
    app = create_app(context, settings, secret_key="signs")
    gateway = Client(app, key_of("sensor"))
    assert gateway.post(PATH, SAMPLE).status_code == 200
    found = gateway.post(PATH, SAMPLE)
    assert found.status_code == 429
    assert int(found.headers["Retry-After"]) > 0
    sent = [event("283", "09:00:00", 1)]
    assert by_sensor(app, KEYS["283"]).post(PATH, sent).status_code == 200
    assert house.sensors()


# Calibrations -------------------------------------------------------------------------


def calibrate(client, space, **told):
    """Say how many there are."""
    return client.post(f"/space/{space}/calibrations", told)


def test_calibration(manager, reader, walked):
    """O7: the count is what was told, from then on."""
    a = number(walked, "A")
    found = calibrate(manager, a, value=5, ts="2018-02-24T09:07:00Z", note="by hand")
    assert found.status_code == 201, found.text
    assert found.json == {
        "space_id": a,
        "ts": "2018-02-24T09:07:00Z",
        "value": 5,
        "drift": -2,
        "passages": 4,
    }
    times = ("09:06", "09:07", "09:30")
    told = [count(reader, a, f"2018-02-24T{each}:00Z").json["count"] for each in times]
    assert told == [3, 5, 4]


def test_calibration_now(manager, walked, clock):
    """Without a moment it is now."""
    clock.now = at("10:00:00")
    found = calibrate(manager, number(walked, "A"), value=0)
    assert found.json["ts"] == "2018-02-24T10:00:00Z"


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": -1},
        {"value": 10**10},
        {"value": 1.0},
        {"value": "1"},
        {"value": True},
        {"value": None},
        {"ts": "2018-02-24T09:07:00"},
        {"note": "a\0b"},
        {"note": "x" * 2000},
        {"kind": "drift"},
    ],
)
def test_wrong_calibration(manager, house, wrong):
    """What is no number of people is refused with 400."""
    told = {"value": 1} | wrong
    assert calibrate(manager, number(house, "A"), **told).status_code == 400


def test_who_may_calibrate(anyone, reader, gateway, manager, house):
    """Only managers say how many there are, of what is there."""
    a = number(house, "A")
    assert calibrate(anyone, a, value=1).status_code == 401
    assert calibrate(reader, a, value=1).status_code == 403
    assert calibrate(gateway, a, value=1).status_code == 403
    assert calibrate(manager, 999, value=1).status_code == 404


def test_not_set_up(manager, gateway, app, house):
    """A room without tables is not there, and is no error of ours."""
    a = number(house, "A")
    session = house.session
    session.connection().exec_driver_sql("DROP TABLE occ_spaces, occ_sensors CASCADE")
    session.commit()
    found = [
        count(manager, a),
        history(manager, a),
        manager.get("/spaces"),
        calibrate(manager, a, value=1),
        gateway.post(PATH, SAMPLE),
        by_sensor(app, "key").post(PATH, SAMPLE),
    ]
    assert [each.status_code for each in found] == [404] * 6
    assert found[0].json["detail"] == "Not found."
