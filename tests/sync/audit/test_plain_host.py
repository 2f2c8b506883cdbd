"""A plain Flask application is audited by three lines, without tenants."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime

import pytest
from flask import Flask, g, request
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libres.context.registry import create_default_registry
from libres.db import new_scheduler
from libres.sync import audit

NO_PACKAGE = """
import sys
for name in ("jwt", "flask", "apiflask"):
    sys.modules[name] = None
import libres.sync.audit
"""


class Base(DeclarativeBase):
    """Of the host."""


class Guest(Base):
    """Somebody who stays."""

    __tablename__ = "guests"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


@pytest.fixture
def hotel(empty_dsn):
    """The context of a host that has nothing of ours but the core."""
    context = create_default_registry().register_context("hotel")
    context.set_setting("dsn", empty_dsn)
    scheduler = new_scheduler(context, "room", "Europe/Zurich")
    scheduler.setup_database()
    Base.metadata.create_all(scheduler.session.connection())
    scheduler.commit()
    yield context
    context.get_service("session_provider").stop_service()


def application(context):
    """Make an application that renames guests, and is audited."""
    app = Flask(__name__)
    trail = audit.setup(context, Guest)
    trail.commit()

    @app.before_request
    def act():
        g.acting = trail.acting(request.headers["X-User"], request=request.path)
        g.acting.__enter__()

    @app.teardown_request
    def stop(_error):
        g.acting.__exit__(None, None, None)

    @app.post("/guests/<int:id_>/<name>")
    def name(id_, name):
        trail.session.merge(Guest(id=id_, name=name))
        trail.commit()
        return ""

    return app.test_client(), trail


def test_plain_host(hotel):
    """Who has named a guest, when, and in which request, is told, and undone."""
    client, trail = application(hotel)
    for user, name in (("ann", "Smith"), ("ben", "Smythe")):
        assert client.post(f"/guests/1/{name}", headers={"X-User": user}).status_code
    second, first = trail.history(Guest, 1)
    assert (first.actor, second.actor) == ("ann", "ben")
    assert second.request == "/guests/1/Smythe"
    assert second.tenant is None
    (change,) = second.changes
    assert (change.field, change.before, change.after) == ("name", "Smith", "Smythe")
    with trail.acting("ann"):
        trail.revert(second.position)
        trail.commit()
    assert trail.as_of(Guest, 1, trail.history()[0].at)["name"] == "Smith"
    assert [each.actor for each in trail.entries(model=Guest)] == ["ann", "ben", "ann"]


def test_core_of_a_plain_host(hotel):
    """What is allocated and reserved is noted as well."""
    trail = audit.setup(hotel, Guest)
    trail.commit()
    scheduler = new_scheduler(hotel, "room", "UTC")
    with trail.acting("ann"):
        scheduler.allocate((datetime(2026, 5, 1, 8), datetime(2026, 5, 1, 10)))  # noqa: DTZ001 - in its zone
        scheduler.commit()
    (entry,) = trail.history("libres.Allocation")
    assert (entry.actor, entry.tenant) == ("ann", "")
    trail.revert(entry.position, scheduler=scheduler)
    trail.commit()
    assert scheduler.managed_allocations().count() == 0


def test_no_package():
    """The audit needs neither PyJWT nor Flask."""
    done = subprocess.run([sys.executable, "-c", NO_PACKAGE], check=False)  # noqa: S603 - ours
    assert done.returncode == 0
