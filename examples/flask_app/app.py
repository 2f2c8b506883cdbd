"""A calendar for three rooms in a hundred lines: see the week, reserve, approve.

Runs on the embedded PostgreSQL, or on the server that LIBRES_DSN names::

    python -m pip install 'libres[embedded]' Flask
    flask --app examples/flask_app/app.py run

It knows no users: before others may use it, decide who may approve, and protect the
forms against requests from elsewhere (Flask-WTF does).
"""

from __future__ import annotations

import os
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

import flask
from flask import Blueprint, Flask, abort, current_app, redirect, request, url_for

from libres import new_scheduler
from libres.context.registry import create_default_registry
from libres.db.models import Reservation
from libres.embedded import dsn as embedded_dsn
from libres.modules.errors import LibresError

if TYPE_CHECKING:
    from libres.db.scheduler import Scheduler

ZONE = ZoneInfo("Europe/Zurich")
ROOMS = {"attic": "Attic", "library": "Library", "studio": "Studio"}
APPROVED_BY_HAND = {"studio"}
DAY, WEEK, WEEKS_AHEAD = timedelta(days=1), timedelta(weeks=1), 8

calendar = Blueprint("calendar", __name__)


def create_app(dsn: str | None = None) -> Flask:
    """Make the application; without *dsn* it starts a private PostgreSQL."""
    app = Flask(__name__)
    context = create_default_registry().register_context("flask-example")
    context.set_setting("dsn", dsn or os.environ.get("LIBRES_DSN") or embedded_dsn())
    app.extensions["libres"] = context
    app.register_blueprint(calendar)
    with app.app_context():
        context.transaction(open_rooms)
    return app


def scheduler(room: str) -> Scheduler:
    """Return the scheduler of a room: making one is cheap, so every request does."""
    if room not in ROOMS:
        abort(404)
    return new_scheduler(current_app.extensions["libres"], room, str(ZONE))


def open_rooms() -> None:
    """Open the rooms on the coming workdays; what is open already stays as it is."""
    scheduler("attic").setup_database()
    days = [monday_of(today()) + DAY * n for n in range(WEEKS_AHEAD * 7) if n % 7 < 5]
    for room in ROOMS:
        scheduler(room).allocate(
            [(at(day, "08:00"), at(day, "18:00")) for day in days],
            partly_available=True,
            raster=15,
            approve_manually=room in APPROVED_BY_HAND,
            skip_overlapping=True,
        )


def today() -> date:
    return datetime.now(ZONE).date()


def monday_of(day: date) -> date:
    return day - DAY * day.weekday()


def at(day: date, clock: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), ZONE)


@calendar.get("/")
def index() -> flask.typing.ResponseReturnValue:
    return redirect(url_for("calendar.week", room="attic", day=today()))


@calendar.get("/<room>/<day>")
def week(room: str, day: str, message: str = "") -> str:
    """Show the week of a day: what is free, who comes, and a form."""
    rooms, monday = scheduler(room), monday_of(date.fromisoformat(day))
    start, end = at(monday, "00:00"), at(monday + WEEK, "00:00")
    this_week = Reservation.start >= start, Reservation.start < end
    reserved = rooms.managed_reservations().filter(*this_week)
    return flask.render_template(
        "week.html",
        rooms=ROOMS,
        room=room,
        day=day,
        message=message,
        days=list(rooms.allocations_with_availability_by_range(start, end)),
        reservations=reserved.order_by(Reservation.start, Reservation.id).all(),
        before=monday - WEEK,
        after=monday + WEEK,
    )


@calendar.post("/<room>/<day>/reserve")
def reserve(room: str, day: str) -> flask.typing.ResponseReturnValue:
    """Reserve; where nobody has to approve it, that is done at once."""
    rooms, form = scheduler(room), request.form
    day = form.get("day", day)
    dates = [at(date.fromisoformat(day), form[name]) for name in ("start", "end")]
    verb = rooms.reserve if room in APPROVED_BY_HAND else rooms.book
    rooms.transaction(lambda: verb(form["email"].replace("\0", ""), dates))
    return redirect(url_for("calendar.week", room=room, day=day))


@calendar.post("/<room>/<day>/approve")
def approve(room: str, day: str) -> flask.typing.ResponseReturnValue:
    """Approve what has been reserved."""
    rooms, token = scheduler(room), UUID(request.form["token"])
    rooms.transaction(lambda: rooms.approve_reservations(token))
    return redirect(url_for("calendar.week", room=room, day=day))


@calendar.errorhandler(LibresError)
def refused(error: LibresError) -> flask.typing.ResponseReturnValue:
    """Show the week again, with what the library has said."""
    return week(**(request.view_args or {}), message=str(error)), 409


@calendar.errorhandler(ValueError)
@calendar.errorhandler(OverflowError)
def misspelled(_error: Exception) -> flask.typing.ResponseReturnValue:
    """Refuse a text that is no date, no time, or no token."""
    return "Write a day as 2030-01-07 and a time as 09:30.", 400


@calendar.teardown_app_request
def end_session(_error: BaseException | None) -> None:
    """Give the connection back after each request."""
    current_app.extensions["libres"].get_service("session_provider").session.remove()
