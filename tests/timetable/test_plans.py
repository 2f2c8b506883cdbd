"""How PostgreSQL finds who is free: by the indexes that begin with the time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event, text

from libres import timetable
from libres.context.registry import create_default_registry
from tests.timetable.conftest import at

NAMES = [f"person {number}" for number in range(300)]


@pytest.fixture(scope="module")
def many(module_dsn):
    """A timetable with 300 subjects, open for 60 days, and much of it reserved."""
    context = create_default_registry().register_context("plans")
    context.set_setting("dsn", module_dsn)
    made = timetable.setup(context)
    made.add(*NAMES, timezone="UTC")
    days = [timedelta(days=number) for number in range(60)]
    made.open(NAMES, [(at(8) + day, at(16) + day) for day in days])
    made.session.execute(
        text(
            "INSERT INTO reserved_slots "
            '(resource, start, "end", allocation_id, '
            "reservation_token, source_type, source_id, created) "
            "SELECT resource, slot, slot + interval '15 minutes' "
            "- interval '1 microsecond', id, gen_random_uuid(), "
            "'reservation', 1, now() "
            "FROM allocations CROSS JOIN LATERAL generate_series(_start, "
            "_start + interval '2 hours', interval '15 minutes') AS slot"
        )
    )
    made.commit()
    with made.session.get_bind().connect() as connection:
        outside = connection.execution_options(isolation_level="AUTOCOMMIT")
        outside.execute(text("VACUUM ANALYZE"))
    yield made
    made.close()
    context.get_service("session_provider").stop_service()


def explained(table, act):
    """The plans of the questions that something asks."""
    plans = []
    engine = table.session.get_bind()

    def explain(connection, _cursor, statement, parameters, *_):
        if statement.startswith("WITH"):
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            plans.append("\n".join(row[0] for row in rows))

    event.listen(engine, "before_cursor_execute", explain)
    try:
        act()
    finally:
        event.remove(engine, "before_cursor_execute", explain)
        table.rollback()
    return plans


HOUR = (at(10), at(11))

EVERYBODY = {
    "who": lambda t: t.who_is_free(HOUR),
    "count": lambda t: t.count_free(HOUR),
    "duration": lambda t: t.count_free(HOUR, duration=timedelta(minutes=30)),
    "heatmap": lambda t: t.heatmap(*HOUR),
}

FEW = {
    "free": lambda t: t.free(NAMES[7], *HOUR),
    "busy": lambda t: t.busy(NAMES[7], *HOUR),
    "common": lambda t: t.common(NAMES[:3], *HOUR),
    "why": lambda t: t.why_not(NAMES[7], *HOUR),
}


class TestPlans:
    @pytest.mark.parametrize("name", EVERYBODY)
    def test_by_time(self, many, name):
        """Everybody is found by the time."""
        (plan,) = explained(many, lambda: EVERYBODY[name](many))
        assert "ix_timetable_allocations" in plan
        assert "ix_timetable_slots" in plan

    def test_only_index(self, many):
        """For whole windows the index of allocations is read, and not their table."""
        (plan,) = explained(many, lambda: many.count_free(HOUR))
        assert "Index Only Scan using ix_timetable_allocations on" in plan, plan

    def test_longest(self, many):
        """Those that are longer than usual are found by indexes of their own."""
        (plan,) = explained(many, lambda: many.count_free(HOUR))
        assert "ix_timetable_allocations_long" in plan
        assert "ix_timetable_slots_longer" in plan
        assert "ix_timetable_slots_long on" in plan

    @pytest.mark.parametrize("name", {**EVERYBODY, **FEW})
    def test_no_scan(self, many, name):
        """No statement reads allocations or slots from end to end."""
        plans = explained(many, lambda: {**EVERYBODY, **FEW}[name](many))
        assert plans
        for plan in plans:
            assert "Seq Scan on allocations" not in plan, plan
            assert "Seq Scan on reserved_slots" not in plan, plan

    def test_cache(self, many):
        """Of the cache, by the time as well."""
        many.cache()
        many.session.execute(text("ANALYZE timetable_free"))
        plans = []
        engine = many.session.get_bind()

        def explain(connection, _cursor, statement, parameters, *_):
            if statement.startswith("WITH"):
                rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
                plans.append("\n".join(row[0] for row in rows))

        event.listen(engine, "before_cursor_execute", explain)
        try:
            assert many.count_free((at(10), at(11))) == 0
            assert many.count_free((at(11), at(12))) == 300
        finally:
            event.remove(engine, "before_cursor_execute", explain)
            many.rollback()
        assert all("ix_timetable_free_window" in plan for plan in plans)

    def test_no_gist_of_persons(self, many):
        """No GiST index begins with the person: it would be chosen wrongly."""
        found = many.session.scalars(
            text(
                "SELECT indexdef FROM pg_indexes WHERE tablename IN "
                "('allocations', 'reserved_slots', 'timetable_free')"
            )
        ).all()
        assert found
        assert not any("gist (resource" in each for each in found)
