"""A worker numbers what is written, and survives a database that is away."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from libres.sync.feed import worker
from libres.sync.models import SyncChange
from tests.sync.models import Country


def stopping_after(batches):
    """An event, and what sets it when so many batches were told."""
    stop, told = threading.Event(), []

    def tell(count):
        told.append(count)
        if len(told) >= batches:
            stop.set()

    return stop, told, tell


def test_numbers_what_is_pending(sync, context):
    """What was written before is numbered without a reader."""
    context.transaction(lambda: sync.session.add(Country(code="CH", name="Swiss")))
    stop, told, tell = stopping_after(1)
    assert sync.work(stop, interval=0.001, told=tell) == 1
    assert told == [1]
    assert sync.session.scalar(select(func.count()).select_from(SyncChange)) == 1


def test_database_is_away(sync, context, monkeypatch):
    """It waits, and goes on."""
    context.transaction(lambda: sync.session.add(Country(code="CH", name="Swiss")))
    tries = []

    def number(context):
        tries.append(1)
        if len(tries) < 3:
            away = Exception("gone")
            raise OperationalError(str(away), {}, away, connection_invalidated=True)
        return worker_number(context)

    worker_number = worker.number
    monkeypatch.setattr(worker, "number", number)
    stop, _told, tell = stopping_after(1)
    assert sync.work(stop, interval=0.001, told=tell) == 1
    assert len(tries) == 3


def test_broken_for_good(sync):
    """What will not go away by itself is not tried for ever."""
    sync.session.execute(text("DROP TABLE sync_pending"))
    sync.session.commit()
    with pytest.raises(ProgrammingError):
        sync.work(threading.Event())
