"""What each job does: once there is something to do, and twice there is nothing."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from libres import jobs
from libres.db.scheduler import Scheduler
from libres.jobs import dropping
from libres.jobs.dropping import LOG, METRICS
from libres.modules.errors import Misuse
from libres.sync import audit, configure
from libres.sync.errors import MalformedRequest, UnknownEntity
from libres.sync.feed import partitions
from libres.sync.models import SyncApplied, SyncChange, SyncLog, SyncMetric
from tests.fixtures.statements import counted
from tests.sync.models import Customer

CUSTOMER = "myapp.Customer"
SECRET = "s" * 64
SESSION = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def run(context):
    """Runs a job that must not fail: its status, and how much it has done."""

    def run(name):
        outcome = jobs.run(context, name)
        assert outcome.status != "error", outcome.text
        return outcome.status, outcome.count

    return run


@pytest.fixture
def rows(sync):
    """Counts the rows of a table."""

    def rows(model):
        sync.rollback()
        return sync.session.scalar(select(func.count()).select_from(model.__table__))

    return rows


# The feed -----------------------------------------------------------------------------


def test_number(run, sync, acme):
    """What waits is numbered, once."""
    run("number")
    sync.session.add(Customer(organization_id=acme.id, name="Ada"))
    sync.commit()
    assert run("number") == ("ok", 1)
    assert run("number") == ("ok", 0)


def test_partitions(run, sync, clock):
    """The months to come have their partitions, once."""
    assert run("partitions")[1] >= 1
    assert run("partitions") == ("ok", 0)
    later = partitions.name_of(clock.now + timedelta(days=32))
    assert sync.session.scalar(select(func.to_regclass(later))) is not None


def test_drop_changes(run, sync, acme, clock):
    """Devices are told no more what is older than feed_kept says."""
    sync.session.add(Customer(organization_id=acme.id, name="Ada"))
    sync.settings.set("feed_kept", 7)
    sync.commit()
    run("number")
    count = sync.lag().position
    assert run("drop-changes") == ("ok", 0)
    clock.advance(timedelta(days=8))
    assert run("drop-changes") == ("ok", count)
    assert run("drop-changes") == ("ok", 0)


# The audit ----------------------------------------------------------------------------


@pytest.fixture
def audited(context, sync, acme):
    """An audit of the host, with a change."""
    context.transaction(lambda: audit.setup(context, Customer))
    sync.session.add(Customer(organization_id=acme.id, name="Ada"))
    sync.commit()
    sync.number()
    return audit.Audit(context)


def test_verify(run, audited):
    """What nobody has touched verifies, as often as one likes."""
    assert run("verify") == run("verify")
    assert run("verify")[1] > 0
    assert audited.verify().is_good


@pytest.mark.damaged("somebody changes what was noted")
@pytest.mark.usefixtures("audited")
def test_tampered(context, sync, logged):
    """What somebody has touched is an error, which names the position."""
    position = sync.lag().position
    sync.session.execute(text("SET session_replication_role = replica"))
    sync.session.execute(
        SyncChange.__table__.update()
        .where(SyncChange.__table__.c.position == position)
        .values(actor="nobody")
    )
    sync.session.execute(text("RESET session_replication_role"))
    sync.commit()
    outcome = jobs.run(context, "verify")
    assert outcome.status == "error"
    assert outcome.text.startswith(f"Change {position:,}: ")
    assert logged()[-1].error == outcome.text


@pytest.mark.usefixtures("audited")
def test_anchor(context, run):
    """The chain is signed where there are keys; else that is said."""
    assert jobs.run(context, "anchor").status == "skipped"
    configure(context, {"k1": SECRET})
    assert run("anchor") == ("ok", 1)


def test_drop_audit(run, sync, audited, clock):
    """The audit keeps what devices are not told, as long as audit_kept says."""
    sync.settings.set("audit_kept", 100)
    sync.commit()
    run("number")
    count = sync.lag().position
    assert run("drop-audit") == ("ok", 0)
    assert audited.history()
    clock.advance(timedelta(days=101))
    assert run("drop-audit") == ("ok", count)
    assert audited.history() == []


def test_no_audit(context):
    """Where nothing is kept for the audit, that is said."""
    outcome = jobs.run(context, "drop-audit")
    assert outcome.status == "skipped"
    assert "libres.sync.audit.setup" in outcome.text


# What is not kept ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "model", "days"),
    [
        ("drop-log", SyncLog, 90),
        ("drop-metrics", SyncMetric, 30),
    ],
)
def test_drop_old(run, old, rows, name, model, days):
    """What is older than the setting says goes, the rest stays."""
    old(model, 3, days=days, seconds=1)
    old(model, 2, days=days, seconds=-1)
    assert run(name) == ("ok", 3)
    assert rows(model) == 2 + (model is SyncLog)  # the job itself is noted there
    assert run(name) == ("ok", 0)


def test_drop_applied(run, applied, rows):
    """Results of pushes go likewise."""
    applied(3, days=30, seconds=1)
    applied(2, days=29)
    assert run("drop-applied") == ("ok", 3)
    assert rows(SyncApplied) == 2


def test_settings_are_asked(run, sync, old):
    """The setting counts as it is when the job runs."""
    old(SyncLog, 3, days=10)
    sync.settings.set("log_kept", 9)
    sync.commit()
    assert run("drop-log") == ("ok", 3)


def test_others_remain(sync, run, old, rows):
    """Rows of another context are not touched."""
    old(SyncMetric, 3, days=400)
    sync.session.execute(SyncMetric.__table__.update().values(context="other"))
    sync.commit()
    assert run("drop-metrics") == ("ok", 0)
    assert rows(SyncMetric) == 3


def test_in_pieces(context, sync, old, rows, monkeypatch):
    """Many rows go in several transactions, each of which is short."""
    monkeypatch.setattr(dropping, "MOST", 10)
    old(SyncMetric, 25, days=40)
    told = []
    with counted(sync.session) as statements:
        assert METRICS.drop(context, 30, told.append) == 25
    assert told == [10, 20, 25]
    assert sum("DELETE" in each for each in statements) == 3
    assert rows(SyncMetric) == 0


def test_locked_rows_are_left(context, sync, old):
    """Nobody is waited for: what is locked goes the next time."""
    old(SyncMetric, 3, days=40)
    lock = text("SELECT id FROM sync_metrics ORDER BY id LIMIT 1 FOR UPDATE")
    sync.session.execute(lock)
    assert METRICS.drop(context, 30) == 2
    sync.rollback()
    assert METRICS.drop(context, 30) == 1


FILLING = {
    "sync_log": """\
INSERT INTO sync_log (context, at, "user", username, operation, status, seconds)
SELECT 'test', now() - n * interval '1 hour', '1', 'john', 'push', 'success', 0.1
FROM generate_series(1, 87600) AS n""",
    "sync_metrics": """\
INSERT INTO sync_metrics (context, at, operation, batch, seconds)
SELECT 'test', now() - n * interval '1 hour', 'push', 1, 0.1
FROM generate_series(1, 87600) AS n""",
    "sync_applied": """\
INSERT INTO sync_applied (organization, device, op_id, context, fingerprint, result, at)
SELECT sync_organizations.id, 'user:1', n::text, 'test', '', '{}',
    now() - n * interval '1 hour'
FROM generate_series(1, 87600) AS n CROSS JOIN sync_organizations
WHERE slug = 'acme-corp'""",
}
"""Ten years of rows, each hour one."""


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize("kept", [LOG, METRICS, dropping.APPLIED])
def test_plan(sync, kept):
    """Ten years of rows do not matter: the oldest are found by an index, in order."""
    sync.session.execute(text(FILLING[kept.table]))
    sync.session.execute(text(f"ANALYZE {kept.table}"))
    told = {":context": "'test'", ":before": "now() - interval '90 days'"}
    query = f"EXPLAIN {kept.dropping().text}".replace(":most", "10000")
    for name, value in told.items():
        query = query.replace(name, value)
    plan = "\n".join(sync.session.scalars(text(query)))
    assert f"using ix_{kept.table}_at" in plan, plan
    assert "Sort" not in plan, plan
    assert "Seq Scan" not in plan, plan
    assert "Tid Scan" in plan, plan
    sync.rollback()


@pytest.mark.parametrize("days", [-1, 40_000])
def test_days(context, days):
    """Days that make no sense are refused, and nothing is dropped."""
    with pytest.raises(Misuse, match="days is from 0"):
        LOG.drop(context, days)


def test_drop_tokens(run, sync, clock):
    """Counts of requests that are over are forgotten."""
    insert = text(
        "INSERT INTO sync_limits (context, who, seconds, began, count)"
        " VALUES ('test', 'user:1', 60, :began, 1)"
    )
    sync.session.execute(insert, {"began": clock.now - timedelta(days=2)})
    sync.commit()
    assert run("drop-tokens") == ("ok", 1)
    assert run("drop-tokens") == ("ok", 0)


def test_drop_feeds(run, sync):
    """Calendars are told for three months what was removed."""
    insert = text("""\
INSERT INTO web_feed_entries (
    id, token, resource, email, timezone, is_group, starts, ends, sequence, modified,
    changed_in
) VALUES (
    1, gen_random_uuid(), gen_random_uuid(), 'a@b.ch', 'UTC', false, '{}', '{}', 1,
    now() - interval '1 year', '1'
)""")
    sync.session.execute(insert)
    sync.commit()
    assert run("drop-feeds") == ("ok", 1)
    assert run("drop-feeds") == ("ok", 0)


def test_drop_carts(context, run, clock):
    """Sessions that nobody has confirmed in time lose what they hold."""
    room = Scheduler(context, "Room 201", "UTC")
    begin = clock.now.replace(hour=9, minute=0, second=0, microsecond=0)
    span = begin + timedelta(days=1), begin + timedelta(days=1, hours=1)
    room.allocate(span, approve_manually=True)
    room.reserve("a@example.org", span, session_id=SESSION)
    room.commit()
    assert run("drop-carts") == ("ok", 0)
    clock.advance(timedelta(minutes=16))
    assert run("drop-carts") == ("ok", 1)
    assert run("drop-carts") == ("ok", 0)
    assert room.managed_reservations().count() == 0


def test_drop_keys(context, run, clock):
    """Keys of reservations are forgotten when they are over."""
    room = Scheduler(context, "Room 201", "UTC")
    begin = clock.now.replace(hour=9, minute=0, second=0, microsecond=0)
    span = begin + timedelta(days=1), begin + timedelta(days=1, hours=1)
    room.allocate(span)
    room.reserve("a@example.org", span, idempotency_key="k")
    room.commit()
    assert run("drop-keys") == ("ok", 0)
    clock.advance(timedelta(days=400))
    assert run("drop-keys") == ("ok", 1)


def test_no_show(run):
    """Where nobody has reserved, nothing is given back."""
    assert run("no_show") == ("ok", 0)


# Figures ------------------------------------------------------------------------------


@pytest.mark.usefixtures("sync")
def test_report_of_nothing(context):
    """A day on which nobody has asked has a report, too."""
    report = jobs.daily_report(context)
    assert (report.operations, report.failed, report.seconds) == (0, 0, None)
    assert "nothing was asked" in str(report)


def test_report(context, sync, old, clock):
    """It counts a day, no more, and no jobs."""
    old(SyncLog, 3, hours=23)
    old(SyncLog, 1, hours=25)
    jobs.run(context, "number")
    failed = text(
        "UPDATE sync_log SET status = 'error', operation = 'pull', succeeded = 0"
        " WHERE id = (SELECT min(id) FROM sync_log)"
    )
    sync.session.execute(failed)
    sync.commit()
    clock.advance(timedelta(seconds=1))
    report = jobs.daily_report(context)
    assert (report.operations, report.pushes, report.pulls) == (3, 2, 1)
    assert (report.succeeded, report.failed, report.objects) == (2, 1, 4)
    assert (report.seconds, report.until) == (0.5, clock.now)
    assert (
        "3 operations, 2 pushes and 1 pulls" in jobs.run(context, "daily-report").text
    )


def test_analyze(context, sync, old):
    """It says what the figures suggest, or that they suggest nothing."""
    assert jobs.run(context, "analyze").text == "The figures suggest nothing."
    old(SyncLog, 5, hours=1)
    sync.session.execute(text("UPDATE sync_log SET seconds = 9"))
    sync.commit()
    outcome = jobs.run(context, "analyze")
    assert outcome.count == 1
    assert "smaller batches" in outcome.text


def test_care(run, sync):
    """PostgreSQL knows when the tables were looked at last."""
    status, count = run("care")
    assert (status, count > 15) == ("ok", True)
    sync.session.execute(select(func.pg_stat_clear_snapshot()))
    found = text("SELECT analyze_count FROM pg_stat_user_tables WHERE relname = :name")
    assert sync.session.scalar(found, {"name": "sync_log"}) >= 1


# In the background --------------------------------------------------------------------


def batch(*names):
    """A push of customers without ids of operations."""
    data = [
        {"_model": CUSTOMER, "id": f"tmp:{name}", "name": name, "_op": "create"}
        for name in names
    ]
    return {"data": data}


def test_bulk(context, sync, john, acme, rows):
    """A batch is pushed for a member; under the same id it has its effect once."""
    args = context, john.user.id, acme.id, batch("Ada", "Ben")
    first = jobs.bulk(*args, request="r1")
    again = jobs.bulk(*args, request="r1")
    assert first.body["success_count"] == 2, first.body
    assert again.body["success_count"] == 2
    assert rows(Customer) == 2
    jobs.bulk(*args, request="r2")
    assert rows(Customer) == 4
    log = SyncLog.__table__
    found = sync.session.execute(log.select().where(log.c.operation == "push")).all()
    assert {each.username for each in found} == {"john_manager"}
    assert {each.request for each in found} == {"r1", "r2"}


def test_bulk_without_id(context, john, acme, rows):
    """Without an id a batch is pushed as it is."""
    for _ in range(2):
        jobs.bulk(context, john.user.id, acme.id, json.dumps(batch("Ada")).encode())
    assert rows(Customer) == 2


@pytest.mark.parametrize("body", [[], {"data": 1}, "x", None])
def test_bulk_of_nonsense(context, john, acme, body):
    """What is no batch is refused by who reads batches."""
    with pytest.raises(MalformedRequest):
        jobs.bulk(context, john.user.id, acme.id, body, request="r")


def test_bulk_of_strange_items(context, john, acme):
    """What is no item is refused as one, also under an id."""
    answer = jobs.bulk(context, john.user.id, acme.id, {"data": [1]}, request="r")
    assert (answer.body["success_count"], answer.body["error_count"]) == (0, 1)


def test_bulk_for_nobody(context, sync, john, acme, retail):
    """Who is no member, or not active any more, pushes nothing."""
    with pytest.raises(UnknownEntity):
        jobs.bulk(context, john.user.id, retail.id, batch("Ada"))
    sync.users.set_active(john.user, False)
    sync.commit()
    with pytest.raises(UnknownEntity):
        jobs.bulk(context, john.user.id, acme.id, batch("Ada"))
    with pytest.raises(UnknownEntity):
        jobs.bulk(context, "\0", acme.id, batch("Ada"))
