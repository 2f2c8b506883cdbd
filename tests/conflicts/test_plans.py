"""Every statement finds its rows by an index, among many that are somebody else's."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import event, text

from libres import conflicts
from libres.conflicts import OPEN, Proposal
from libres.context.registry import create_default_registry
from tests.conflicts.times import at, booked, wish

ROWS = 30_000

FILL = text(
    "INSERT INTO conflict_claims "
    "(context, source, source_id, resource, during, dims, expires) "
    "SELECT 'plans', 'app.Model', number::text, 'room ' || number % 300, "
    "tstzrange(start, start + interval '1 hour'), "
    "CASE WHEN number % 10 = 0 THEN jsonb_build_object('lane', number) END, "
    "CASE WHEN number % 1000 = 0 THEN timestamptz '2020-01-01 00:00+00' END "
    "FROM (SELECT number, timestamptz '2025-12-01 00:00+00' "
    "+ number / 300 * interval '1 hour' AS start "
    "FROM generate_series(1, :rows) AS number) AS numbered"
)


@pytest.fixture(scope="module")
def many(module_dsn):
    """Claims among 30,000 of the same context, and with a tree."""
    context = create_default_registry().register_context("plans")
    context.set_setting("dsn", module_dsn)
    claims = conflicts.setup(context)
    claims.session.execute(FILL, {"rows": ROWS})
    claims.session.execute(
        text(
            "INSERT INTO conflict_resources "
            "SELECT 'plans', 'part ' || n, 'whole ' || n / 10 "
            "FROM generate_series(1, 5000) AS n"
        )
    )
    claims.commit()
    with claims.session.get_bind().connect() as connection:
        outside = connection.execution_options(isolation_level="AUTOCOMMIT")
        outside.execute(text("VACUUM ANALYZE"))
    yield claims
    claims.close()
    context.get_service("session_provider").stop_service()


def explained(claims, act):
    """The plans of the statements that something runs; then it is rolled back."""
    plans = []
    engine = claims.session.get_bind()

    def explain(connection, _cursor, statement, parameters, *_):
        if statement.startswith("EXPLAIN") or "SAVEPOINT" in statement:
            return
        rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        plans.append("\n".join(row[0] for row in rows))

    event.listen(engine, "before_cursor_execute", explain)
    try:
        act()
    finally:
        event.remove(engine, "before_cursor_execute", explain)
        claims.rollback()
    return plans


ASKED = Proposal(resource="room 7", during=(at(9), at(11)))

ACTS = {
    "check": lambda c: c.check(ASKED),
    "check_many": lambda c: c.check_many([ASKED] * 50),
    "check a whole": lambda c: c.check(wish(9, 11, "whole 7")),
    "explain": lambda c: c.explain(ASKED),
    "suggest": lambda c: c.suggest(ASKED, resources=["room 8", "room 9"]),
    "free_between": lambda c: c.free_between("room 7", at(0), at(24)),
    "query": lambda c: c.query().resource("room 7").during(at(9), OPEN).all(),
    "query of several": lambda c: c.query().resource("room 7", "room 8").all(),
    "exists": lambda c: c.query().resource("room 7").exists(),
    "page": lambda c: c.query().resource("room 7").page(10),
    "query of a time": lambda c: c.query().during(at(9), at(10)).count(),
    "query of pairs": lambda c: c.query().dims(lane=70).all(),
    "put": lambda c: c.put_many([booked(n, resource=f"x {n}") for n in range(50)]),
    "put again": lambda c: c.put("app.Model", 7, "room 7", (at(0), at(1))),
    "claim": lambda c: c.claim(wish(0, 1, "room 7 a")),
    "drop": lambda c: c.drop_many([("app.Model", n) for n in range(50)]),
    "drop_expired": lambda c: c.drop_expired(),
    "arrange": lambda c: c.arrange("room 7", within="floor"),
    "detach": lambda c: c.detach("part 7"),
    "parts_of": lambda c: c.parts_of("whole 7"),
}


class TestPlans:
    @pytest.mark.parametrize("name", ACTS)
    def test_no_scan(self, many, name):
        """No statement reads a table from end to end."""
        plans = explained(many, lambda: ACTS[name](many))
        assert plans
        for plan in plans:
            assert not re.search(r"Seq Scan on conflict_", plan), plan

    @pytest.mark.parametrize("name", ["check", "check_many", "query", "suggest"])
    def test_by_the_guard(self, many, name):
        """Questions are answered by the index of the guard, by resource and time."""
        (plan,) = explained(many, lambda: ACTS[name](many))
        assert "conflict_claims_guard" in plan
        condition = re.search(r"Index Cond: (.*)", plan.partition("claims_guard")[2])
        assert "(hash = " in condition[1]
        assert "during" in condition[1]

    def test_conflict(self, many):
        """Whom a refused claim has met is found by an index, too."""
        taken = Proposal(resource="room 7", during=(at(9), at(9) + timedelta(hours=90)))

        def act():
            with pytest.raises(conflicts.ConflictError):
                many.claim(taken)

        plans = explained(many, act)
        assert len(plans) > 2
        assert not any("Seq Scan on conflict_claims" in plan for plan in plans)
