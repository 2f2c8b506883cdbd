"""A small house on the web: an application on a database of its own, and keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from pytest_postgresql.factories import postgresql_noproc
from werkzeug.routing import Rule

from libres.web import Place, WebSettings, create_app, schema
from libres.web.directory import Directory
from libres.web.keys import Keys
from tests.conflicts.conftest import make_claims
from tests.fixtures.database import PREFIX, filling, make_tables
from tests.occupancy.conftest import make_occupancy
from tests.timetable.conftest import make_timetable
from tests.web.browser import browser, served, visitor  # noqa: F401 - fixtures
from tests.web.syncing import (  # noqa: F401 - fixtures
    acme,
    house,
    john,
    sync_template,
)

NOBODY = "00000000-0000-4000-8000-000000000000"
"""A token, or an id, that stands for nothing."""

MONDAY = datetime(2026, 11, 30, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


_parsed = {}
"""What was read of the rules of the applications before, which all have the same."""


class LazyRule(Rule):
    """Reads what others have read already, and compiles what makes its URLs when one is
    made first.

    That of the hundred routes is most of what an application takes to be made, and
    each test makes one.
    """

    def compile(self):
        key = self.rule, self.subdomain, self.host, self.merge_slashes
        if self.map.host_matching or key not in _parsed:
            super().compile()
            _parsed[key] = self._parts, self._trace, self._converters, self.arguments
            return
        self._parts, self._trace, self._converters, arguments = _parsed[key]
        self.arguments = {*self.arguments, *arguments}
        self._build = self._compile_builder(False).__get__(self, None)
        self._build_unknown = self._compile_builder(True).__get__(self, None)

    def _compile_builder(self, append_unknown=True):
        compiled = []

        def build(rule, /, **values):
            if not compiled:
                compiled.append(eager(append_unknown))
            return compiled[0](rule, **values)

        eager = super()._compile_builder
        return build


@pytest.fixture(scope="package", autouse=True)
def quick_routes():
    """Make applications quickly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "url_rule_class", LazyRule)
        yield


def make_web(**where):
    """Fill a template with the tables of the web edge."""
    with filling(**where) as connection:
        schema.create_missing(connection)


template = postgresql_noproc(
    dbname=f"{PREFIX}web",
    load=[make_tables, make_claims, make_timetable, make_occupancy, make_web],
    load_autocommit=False,
    depends_on="server",
)
"""What the databases of these tests are cloned from."""


def at(clock, day=0):
    """A moment of the week of the tests: day 0 is a Monday."""
    hours, minutes = map(int, clock.split(":"))
    return MONDAY + day * DAY + hours * HOUR + minutes * MINUTE


def iso(moment):
    """A moment as requests have it."""
    return moment.isoformat()


SETTINGS = WebSettings(requests_per_minute=None)


@pytest.fixture
def place(context):
    """A hall in UTC, open on five days from 8 to 18, in steps of 15 minutes."""
    hall = Place("hall", "The hall", "UTC")

    def fill():
        Directory(context).put(hall)
        hall.scheduler(context).allocate(
            [(at("08:00", day), at("18:00", day)) for day in range(5)],
            partly_available=True,
            raster=15,
        )

    context.transaction(fill)
    return hall


@pytest.fixture
def app(context, place):  # noqa: ARG001 - there has to be something to see
    """The application."""
    made = create_app(
        context, SETTINGS, secret_key="signs cookies", secure_cookies=False
    )
    made.testing = True
    return made


@pytest.fixture
def key_of(context):
    """Makes keys: key_of("read", "book")."""

    def make(*scopes, email=None, name="somebody"):
        keys = Keys(context)
        return context.transaction(lambda: keys.create(name, scopes, email))

    return make


class Client:
    """Sends requests with a key; without one, as nobody in particular."""

    def __init__(self, app, key=None):
        self.http = app.test_client()
        self.headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    def _send(self, verb, path, headers=None, **more):
        sent = {**self.headers, **(headers or {})}
        return getattr(self.http, verb)(path, headers=sent, **more)

    def get(self, path, **query):
        """Ask; *query* becomes parameters."""
        headers = query.pop("headers", None)
        return self._send("get", path, headers, query_string=query)

    def post(self, path, body=None, headers=None):
        """Send a JSON document."""
        return self._send("post", path, headers, json=body)

    def put(self, path, body=None, headers=None):
        """Send a JSON document."""
        return self._send("put", path, headers, json=body)

    def patch(self, path, body=None, headers=None):
        """Send a JSON document."""
        return self._send("patch", path, headers, json=body)

    def delete(self, path, headers=None):
        """Delete."""
        return self._send("delete", path, headers)


@pytest.fixture
def anyone(app):
    """Somebody without a key."""
    return Client(app)


@pytest.fixture
def reader(app, key_of):
    """Who may read."""
    return Client(app, key_of("read", name="reader"))


@pytest.fixture
def booker(app, key_of):
    """Who may reserve."""
    return Client(app, key_of("book", name="booker", email="ada@example.org"))


@pytest.fixture
def manager(app, key_of):
    """Who may do all but send events."""
    return Client(app, key_of("manage", name="manager"))
