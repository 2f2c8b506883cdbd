"""Reservations whose COMMIT was not answered: never lost, never made twice."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import create_engine, event, make_url, text

from libres import new_scheduler
from libres.context import outcome
from libres.context.registry import create_default_registry
from libres.db.operations.setting_up import create_missing
from libres.modules import events

DAY = (
    datetime.fromisoformat("2030-06-03T08:00"),
    datetime.fromisoformat("2030-06-03T18:00"),
)
GUEST = "guest@example.org"


@pytest.fixture(params=["psycopg2", "psycopg"])
def room(request, dsn, severing):
    """A room with two places, once per driver; its connection may be lost."""
    url = make_url(severing.dsn(dsn)).set(drivername=f"postgresql+{request.param}")
    context = create_default_registry().register_context("unanswered")
    context.set_setting("dsn", url.render_as_string(hide_password=False))
    scheduler = new_scheduler(context, "room", "Europe/Zurich")
    scheduler.allocate(DAY, quota=2)
    scheduler.commit()
    yield scheduler
    scheduler.close()
    context.get_service("session_provider").stop_service()


@pytest.fixture
def told(monkeypatch):
    """Who was told after the commit that reservations were made."""
    told = []
    listeners = [lambda _, made: told.extend(each.token for each in made)]
    monkeypatch.setattr(events.on_reservations_made, "committed", listeners)
    return told


@pytest.fixture
def forgetful(monkeypatch):
    """A server that does not know what became of a transaction."""
    silent = text("SELECT NULL AS status, NULL AS life WHERE :number != ''")
    monkeypatch.setattr(outcome, "_STATUS", silent)


def reserve(room):
    """Reserve a place, pending."""
    return room.reserve(GUEST, DAY)


def book(room):
    """Book a place."""
    [reservation] = room.book(GUEST, DAY)
    return reservation.token


@pytest.mark.parametrize("act", [reserve, book])
@pytest.mark.parametrize("moment", ["before", "after"])
class TestOnce:
    """Wherever the connection is lost, there is one reservation: the one returned."""

    def test_known(self, room, severing, told, act, moment):
        """The server knows what became of the transaction."""
        self._check(room, severing, told, act, moment)

    @pytest.mark.usefixtures("forgetful")
    def test_by_token(self, room, severing, told, act, moment):
        """It does not, as after a failover: then the reservation is looked for."""
        self._check(room, severing, told, act, moment)

    @pytest.mark.usefixtures("forgetful")
    def test_in_a_schema(self, room, severing, told, act, moment):
        """It is looked for in the schema that the host has switched to."""
        with room.session.connection().engine.begin() as connection:
            connection.execute(text("CREATE SCHEMA tenant"))
            connection.execute(text("SET LOCAL search_path TO tenant"))
            create_missing(connection)

        def switch(_session, _transaction, connection):
            connection.execute(text("SET LOCAL search_path TO tenant"))

        room.rollback()
        event.listen(room.session, "after_begin", switch)
        room.allocate(DAY, quota=2)
        room.commit()
        self._check(room, severing, told, act, moment)

    def _check(self, room, severing, told, act, moment):
        severing.plan = [moment]
        token = room.transaction(lambda: act(room))
        assert [each.token for each in room.managed_reservations()] == [token]
        assert told == [token]


@pytest.mark.usefixtures("forgetful")
def test_change_is_no_trace(room, severing):
    """What existed before tells nothing: a change may have been undone."""
    token = room.transaction(lambda: reserve(room))
    severing.plan = ["before"]
    [reservation] = room.reservations_by_token(token)
    room.rollback()
    calls = []

    def change():
        calls.append(1)
        reserve(room)
        room.change_reservation(token, reservation.id, *DAY, quota=2)

    room.transaction(change)
    assert len(calls) == 2
    assert room.managed_reservations().count() == 2


def test_engine_is_free(room, severing, dsn):
    """No connection stays behind, neither here nor on the server."""
    severing.plan = ["after", "before"]
    room.transaction(lambda: reserve(room))
    room.transaction(lambda: reserve(room))
    room.close()
    assert room.session_provider.engine.pool.checkedout() == 0
    engine = create_engine(dsn)
    with engine.connect() as connection:
        open_ones = text(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
        )
        assert connection.execute(open_ones).scalar_one() == 0
    engine.dispose()
