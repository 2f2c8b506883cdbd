"""Problems as pages, for browsers; for programs they stay documents."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from libres.web import WebSettings, create_app
from libres.web.guarding import HEADERS as SAFE
from libres.web.pages import home
from tests.web.conftest import Client
from tests.web.forms import HEADERS, Tab

JSON = "application/problem+json"
HTML = "text/html; charset=utf-8"


@pytest.fixture
def tab(app):
    """Somebody's browser."""
    return Tab(app)


@pytest.mark.parametrize("path", ["/nowhere", "/nowhere/../..", "/%00", "/<script>"])
def test_no_such_page(tab, path):
    """A browser gets a page that looks like the others, with a way back."""
    found = tab.open(path)
    assert found.status_code == 404
    assert found.content_type == HTML
    assert "There is no such page" in found.text
    assert 'href="/">To the first page' in found.text
    assert "<script>" not in found.text
    assert "Accept" in found.headers["Vary"]
    for name, value in SAFE.items():
        assert found.headers[name] == value


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json", "text/html;q=0.1, application/json"]
)
def test_programs(app, accept):
    """Who does not ask for a page rather than a document gets the document."""
    headers = {} if accept is None else {"Accept": accept}
    found = app.test_client().get("/nowhere", headers=headers)
    assert found.content_type == JSON
    assert found.json["status"] == 404


def test_api(tab):
    """The API answers by documents, whoever asks."""
    assert tab.open("/resources/attic/calendar").content_type == JSON


def test_method(tab):
    """What is not done with a path is told with what can be."""
    found = tab.http.post("/", headers=HEADERS)
    assert found.status_code == 405
    assert "GET" in found.headers["Allow"]


def test_form_of_others(tab):
    """A form that is not ours is refused by a page that says what to do."""
    tab.open("/sign-in")
    found = tab.http.post("/sign-in", data={"key": "x"}, headers=HEADERS)
    assert found.status_code == 403
    assert found.content_type == HTML
    assert "load the page again" in found.text


def test_signed_in(app, key_of):
    """Who is signed in stays so on a page that tells of a problem."""
    tab = Tab(app, key_of("read", name="Ada"))
    assert "Sign out" in tab.open("/nowhere").text


def test_forged_key(app):
    """A wrong key in a header is told, and is looked up once only."""
    found = app.test_client().get(
        "/", headers={**HEADERS, "Authorization": "Bearer libres_forged"}
    )
    assert found.status_code == 401
    assert found.content_type == HTML
    assert found.headers["WWW-Authenticate"].startswith("Bearer")


def test_no_oracle(app, key_of):
    """Nobody learns from a path that leads nowhere whether a key is right."""
    right = {**HEADERS, "Authorization": f"Bearer {key_of('read', name='Ada')}"}
    page = app.test_client().get("/nowhere", headers=right).text
    assert "Ada" not in page


def test_failure(tab, monkeypatch):
    """What nobody expected is told without a word of it."""

    def fail(_context):
        message = "a secret"
        raise RuntimeError(message)

    monkeypatch.setattr(home, "resources_of", fail)
    found = tab.open("/")
    assert found.status_code == 500
    assert found.content_type == HTML
    assert "a secret" not in found.text


def test_no_database(app, monkeypatch):
    """Without a database there is a page nevertheless."""

    def fail(*_args, **_more):
        statement = "SELECT 1"
        raise OperationalError(statement, {}, Exception())

    monkeypatch.setattr("libres.web.keys.Keys.caller", fail)
    found = Tab(app).open("/")
    assert found.status_code == 500
    assert "Something went wrong" in found.text


def test_too_often(context, place):  # noqa: ARG001 - there is a hall
    """Who asks too often is told how long to wait."""
    settings = WebSettings(requests_per_minute=1)
    tab = Tab(create_app(context, settings, secret_key="x", secure_cookies=False))
    tab.open("/")
    found = tab.open("/")
    assert found.status_code == 429
    assert found.content_type == HTML
    assert int(found.headers["Retry-After"]) >= 1


def test_without_pages(context, place):  # noqa: ARG001 - there is a hall
    """Where there are no pages, there are none for problems either."""
    app = create_app(context, WebSettings(pages=False), secret_key="x")
    assert Tab(app).open("/nowhere").content_type == JSON


def test_room_not_set_up(context, app, monkeypatch):
    """A room whose tables are not there says so, to browsers and programs alike."""
    from libres.web.rooms import room  # noqa: PLC0415 - of this test only

    def ask(_context):
        with room("timetable"):
            context.read_only_session.execute(text("SELECT * FROM nothing_there"))

    monkeypatch.setattr(home, "resources_of", ask)
    found = Tab(app).open("/")
    assert found.status_code == 404
    assert "This room is not set up" in found.text
    assert "not set up" in Client(app).get("/").json["detail"]
