"""Restores what pg_dump has written while people booked, and goes on from there."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import make_url

from libres import embedded
from libres.context.registry import create_default_registry
from libres.db import new_scheduler
from libres.db.models import ReservedSlot
from libres.modules.errors import AlreadyReservedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from libres.context.core import Context
    from libres.db.scheduler import Scheduler

EIGHT = datetime(2030, 1, 7, 8, tzinfo=UTC)
FIRST, SECOND, THIRD = (
    (EIGHT + timedelta(hours=hour), EIGHT + timedelta(hours=hour + 1))
    for hour in range(3)
)


def plain_url(dsn: str) -> str:
    """Take the driver out of a URL, for libpq."""
    url = make_url(dsn).set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


def run(program: str, *arguments: object) -> str:
    """Run a program that comes along with the embedded server."""
    done = subprocess.run(  # noqa: S603 - our own program
        [embedded._programs() / program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def skip_older(dsn: str) -> None:
    """Leave out a server that does not know what this pg_restore sends."""
    with psycopg.connect(plain_url(dsn)) as connection:
        version = connection.info.server_version
    newest = run("pg_dump", "--version").split()[2]
    if version // 10_000 < int(newest.partition(".")[0]):
        pytest.skip(f"pg_restore {newest} is for servers as new as itself")


@pytest.fixture
def room(context: Context) -> Scheduler:
    """Make a room with three hours, the first of which is booked."""
    room = new_scheduler(context, "room", "UTC")
    room.allocate([FIRST, SECOND, THIRD])
    room.book("ada@example.org", FIRST)
    room.commit()
    return room


@pytest.fixture
def restore(empty_dsn: str, tmp_path: Path) -> Iterator[Callable[..., Scheduler]]:
    """Give a function that dumps a database, and opens the copy of its room."""
    restored = create_default_registry().register_context("test")
    restored.set_setting("dsn", empty_dsn)

    def restore(dsn: str, *flags: str) -> Scheduler:
        skip_older(dsn)
        file = tmp_path / "reservations.dump"
        run("pg_dump", "--format=custom", *flags, f"--file={file}", plain_url(dsn))
        run("pg_restore", f"--dbname={plain_url(empty_dsn)}", "--exit-on-error", file)
        return new_scheduler(restored, "room", "UTC")

    yield restore
    restored.get_service("session_provider").stop_service()


def test_all_or_nothing(
    room: Scheduler, restore: Callable[..., Scheduler], dsn: str
) -> None:
    """A booking that is being made is not in the backup, not even in parts."""
    room.book("ben@example.org", SECOND)
    copy = restore(dsn)
    room.commit()
    [reservation] = copy.managed_reservations()
    assert reservation.email == "ada@example.org"
    assert {slot.reservation_token for slot in copy.session.query(ReservedSlot)} == {
        reservation.token
    }


def test_goes_on(room: Scheduler, restore: Callable[..., Scheduler], dsn: str) -> None:
    """In a restored database what is booked stays booked, and new ids are new."""
    copy = restore(dsn, "--serializable-deferrable")
    with pytest.raises(AlreadyReservedError):
        copy.transaction(lambda: copy.book("ben@example.org", FIRST))
    copy.transaction(lambda: copy.book("ben@example.org", SECOND))
    tomorrow = [each + timedelta(days=1) for each in FIRST]
    copy.transaction(lambda: copy.allocate(tuple(tomorrow)))
    assert copy.managed_reserved_slots().count() == 2
    assert copy.managed_allocations().count() == 4
    assert room.managed_reservations().count() == 1
