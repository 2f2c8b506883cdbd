"""Health, history and figures of synchronisation: real ones."""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta
from typing import NamedTuple

import pytest

from libres.context.registry import create_default_registry
from libres.sync.errors import KeysMissing
from libres.sync.feed import anchoring
from libres.sync.keyring import configure
from libres.web import create_app, pulse
from libres.web.api.sync import figures, space, vital
from tests.web.syncing import (
    CUSTOMER,
    SECRET,
    template,  # noqa: F401 - the database of these tests
)


@pytest.fixture(autouse=True)
def _anew(monkeypatch):
    """Nothing is told a second time without asking."""
    monkeypatch.setattr(pulse, "FRESH", 0.0)


class Usage(NamedTuple):
    """What is told of a disk."""

    total: int
    free: int


@pytest.fixture(autouse=True)
def disk(monkeypatch):
    """Sets how much of every disk is free; it is half of it."""

    def put(free, total=1000):
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(total, free))

    put(500)
    return put


# Health -------------------------------------------------------------------------------


def test_healthy(house):
    """Everybody may know that all is well."""
    answer = house.get("health/")
    assert answer.status_code == 200, answer.text
    assert answer.json["status"] == "healthy"
    found = set(answer.json["checks"])
    assert found == {"database", "sequencer", "cache", "logging", "disk"}


def test_pending(house, john):
    """It is told how old the oldest change is that has no number."""
    house.sync.number()
    assert house.get("health/").json["checks"]["sequencer"]["pending"] == 0
    house.execute(
        "INSERT INTO customers (organization_id, name) VALUES (:id, 'A')",
        id=john.organization.id,
    )
    found = house.get("health/").json["checks"]["sequencer"]
    assert found["pending"] == 1
    assert 0 <= found["oldest_seconds"] < 60
    house.sync.number()


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (None, "healthy"),
        (299.0, "healthy"),
        (301.0, "degraded"),
        (3599.0, "degraded"),
        (3601.0, "unhealthy"),
    ],
)
def test_age(age, status):
    """Changes that wait for long are told, though nothing is lost."""
    assert vital.judged(age) == status


def test_far_too_late(house, john):
    """Changes that nobody has numbered for more than an hour make it unhealthy."""
    house.sync.number()
    house.execute(
        "INSERT INTO customers (organization_id, name) VALUES (:id, 'A')",
        id=john.organization.id,
    )
    house.execute("UPDATE sync_pending SET at = now() - interval '2 hours'")
    answer = house.get("health/")
    house.sync.number()
    assert answer.status_code == 503
    assert answer.json["status"] == "unhealthy"
    assert answer.json["checks"]["sequencer"]["oldest_seconds"] > 7000


# Disk ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "status"),
    [
        (1.0, "healthy"),
        (0.05, "healthy"),
        (0.049, "degraded"),
        (0.01, "degraded"),
        (0.009, "unhealthy"),
        (0.0, "unhealthy"),
    ],
)
def test_free(free, status):
    """A disk that is almost full is told before nothing can be written."""
    assert vital.judged_disk(free) == status


def test_disk(house, disk):
    """It is told how much of the disk of the database is free, and not where it is."""
    disk(20)
    found = house.get("health/").json["checks"]["disk"]
    assert found == {"status": "degraded", "free": 0.02}


@pytest.fixture
def told(house):
    """Asks how much is free, after a statement that changes what can be known."""

    def ask(sql=None):
        with house.context.read_only() as session:
            if sql is not None:
                session.connection().exec_driver_sql(sql)
            return space.free(session)

    return ask


def test_disk_elsewhere(told, monkeypatch):
    """Without a disk that is here nothing is told of any."""

    def nowhere(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(shutil, "disk_usage", nowhere)
    assert told() is None


def test_role_that_may_not_know(house, told, tmp_path, monkeypatch):
    """A role that may not know where the database is asks for the disk of the logs."""
    house.execute("CREATE ROLE blind")
    seen = []

    def usage(path):
        seen.append(path)
        return Usage(10, 4)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    handler = logging.FileHandler(tmp_path / "libres.log", delay=True)
    logger = logging.getLogger("libres")
    logger.addHandler(handler)
    try:
        assert told("SET LOCAL ROLE blind") == 0.4
    finally:
        logger.removeHandler(handler)
        house.execute("DROP ROLE blind")
    assert seen == [tmp_path]


# Audit --------------------------------------------------------------------------------


@pytest.fixture
def audited(house):
    """The feed is audited while a test runs."""
    house.execute(
        "INSERT INTO sync_feeds (context, audited) VALUES ('test', true)"
        " ON CONFLICT (context) DO UPDATE SET audited = true"
    )
    yield
    house.execute("UPDATE sync_feeds SET audited = false")


@pytest.mark.parametrize(
    ("waits", "is_chained", "status"),
    [
        (None, True, "healthy"),
        (86_399.0, True, "healthy"),
        (86_401.0, True, "degraded"),
        (None, False, "degraded"),
    ],
)
def test_signed(waits, is_chained, status):
    """Changes that wait for a signature for more than a day are told."""
    assert vital.judged_audit(waits, is_chained=is_chained) == status


@pytest.mark.usefixtures("audited")
def test_audit(house, john, clock):
    """It is told up to where changes are signed, and since when one waits for it."""
    john.push_customer()
    house.sync.number()
    position = house.execute("SELECT position FROM sync_feeds")[0].position
    house.execute("UPDATE sync_feeds SET anchored = position - 1, anchored_at = now()")
    found = house.get("health/").json["checks"]["audit"]
    assert found["status"] == "healthy"
    assert (found["position"], found["signed_position"]) == (position, position - 1)
    assert found["chained"]
    clock.advance(timedelta(days=2))
    found = house.get("health/").json
    assert found["status"] == found["checks"]["audit"]["status"] == "degraded"
    house.execute("UPDATE sync_feeds SET anchored = position")
    found = house.get("health/").json["checks"]["audit"]
    assert (found["status"], found["unsigned_seconds"]) == ("healthy", None)


@pytest.mark.usefixtures("audited")
def test_without_secrets(house, john, clock, monkeypatch):
    """Where there is no secret nobody waits for signatures."""
    john.push_customer()
    house.sync.number()
    house.execute("UPDATE sync_feeds SET anchored = position - 1")
    clock.advance(timedelta(days=2))

    def missing(_context):
        raise KeysMissing

    monkeypatch.setattr(anchoring, "keyring_of", missing)
    with house.context.read_only() as session:
        found = vital.examined(session, house.context)["checks"]["audit"]
    assert found["status"] == "healthy"
    assert found["unsigned_seconds"] > 86_400


@pytest.mark.usefixtures("audited")
def test_chain_without_head(house, john):
    """A chain whose head somebody has taken away is told."""
    john.push_customer()
    house.sync.number()
    house.execute("UPDATE sync_feeds SET digest = NULL")
    found = house.get("health/").json["checks"]["audit"]
    assert (found["status"], found["chained"]) == ("degraded", False)


def test_unreachable():
    """Without a database it is unhealthy, and says nothing of where it should be."""
    context = create_default_registry().register_context("nowhere")
    context.set_setting("dsn", "postgresql+psycopg2://me:hunter2@127.0.0.1:1/x")
    configure(context, {"a": SECRET})
    app = create_app(context, secret_key="x")
    answer = app.test_client().get("/api/sync/health/")
    assert answer.status_code == 503
    assert answer.json["status"] == "unhealthy"
    assert answer.json["checks"]["database"]["status"] == "unhealthy"
    assert "hunter2" not in answer.text


# History ------------------------------------------------------------------------------


def test_history(house, john):
    """Everybody sees what they have pulled, and nothing of others."""
    mary = house.person(john.organization, CUSTOMER)
    john.push_customer()
    john.pull()
    mary.pull()
    found = john.get("history/").json["history"]
    pulls = [each for each in found if each["operation"] == "pull"]
    assert len(pulls) == 1
    assert pulls[0]["status"]
    assert pulls[0]["seconds"] > 0


def test_pages(john):
    """The history comes by pages, the latest first, each row once."""
    john.push_customer()
    for number in range(5):
        john.post("pull/", {"models": {CUSTOMER: None}}, {"X-Request-Id": f"r{number}"})
    seen, cursor = [], ""
    while cursor is not None:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = john.get("history/", **query).json
        rows = [each for each in page["history"] if each["operation"] == "pull"]
        seen += [each["request"] for each in rows]
        cursor = page["next"]
    assert seen == ["r4", "r3", "r2", "r1", "r0"]


@pytest.mark.parametrize(
    "query", [{"cursor": "x"}, {"limit": 0}, {"limit": "many"}, {"other": 1}]
)
def test_history_wrong(john, query):
    """What makes no sense is refused in the shape of all errors."""
    answer = john.get("history/", **query)
    assert answer.status_code == 400
    assert answer.json["error"]["type"] == "validation"


# Performance --------------------------------------------------------------------------


def test_staff_only(house, john):
    """Figures are for staff."""
    assert john.get("performance/").status_code == 403
    staff = house.person(john.organization, staff=True)
    assert staff.get("performance/").status_code == 200


def test_figures(house, john):
    """The figures are those of what was asked."""
    staff = house.person(john.organization, staff=True)
    before = staff.get("performance/").json["performance_stats"]["operations"]
    john.push_customer()
    john.pull()
    after = staff.get("performance/", days=1).json
    count = before.get("pull", {"requests": 0})["requests"]
    pulls = after["performance_stats"]["operations"]["pull"]
    assert pulls["requests"] == count + 1
    assert 0 < pulls["average_seconds"] <= pulls["slowest_seconds"]
    assert after["current_memory_usage"] > 1


def test_jobs(house, john):
    """Jobs are in the log, but are no requests."""
    staff = house.person(john.organization, staff=True)
    house.execute(
        'INSERT INTO sync_log (context, "user", username, operation, status, seconds)'
        " VALUES ('test', 'system', 'system', 'job', 'error', 900)"
    )
    found = staff.get("performance/").json
    assert "job" not in found["performance_stats"]["operations"]


@pytest.mark.parametrize("days", [0, 367, "x"])
def test_days(house, john, days):
    """Figures are of some days."""
    staff = house.person(john.organization, staff=True)
    assert staff.get("performance/", days=days).status_code == 400


QUICK = {
    "requests": 10,
    "failed": 0,
    "records": 10,
    "average_seconds": 0.1,
    "p95_seconds": 0.2,
    "slowest_seconds": 0.2,
}
WELL = {
    "operations": {"push": QUICK},
    "average_statements": 12.0,
    "average_memory": 100.0,
}
FULL = {"hits": 99_000, "reads": 1_000, "hit_ratio": 0.99}


@pytest.mark.parametrize(
    ("stats", "cache", "words"),
    [
        ({**WELL, "operations": {}, "average_memory": 900.0}, FULL, None),
        (WELL, FULL, None),
        ({**WELL, "operations": {"push": {**QUICK, "average_seconds": 6}}}, FULL, "6"),
        ({**WELL, "operations": {"push": {**QUICK, "failed": 5}}}, FULL, "5 of 10"),
        ({**WELL, "average_statements": 60.0}, FULL, "60 statements"),
        ({**WELL, "average_memory": 600.0}, FULL, "600 MB"),
        (WELL, {**FULL, "hit_ratio": 0.5}, "50%"),
        (WELL, {"hits": 1, "reads": 9, "hit_ratio": 0.1}, None),
    ],
    ids=[
        *("no figures", "well", "slow", "refused", "statements", "memory", "cache"),
        "hardly asked",
    ],
)
def test_advice(stats, cache, words):
    """Advice follows from figures, and says them; without figures there is none."""
    said = figures.advice(stats, cache)
    assert bool(said) is (words is not None)
    assert words is None or words in said[0]
