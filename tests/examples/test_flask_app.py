"""`examples/flask_app` is a calendar that keeps its promises through HTTP."""

from __future__ import annotations

import importlib.util
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

APP = Path(__file__).parents[2] / "examples" / "flask_app" / "app.py"


@pytest.fixture(scope="module")
def calendar() -> Iterator[ModuleType]:
    """Import the example, which is not part of a package."""
    spec = importlib.util.spec_from_file_location("flask_example", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["flask_example"] = module  # Flask looks for its templates there
    spec.loader.exec_module(module)
    yield module
    del sys.modules["flask_example"]


@pytest.fixture
def client(calendar: ModuleType, empty_dsn: str) -> Iterator[FlaskClient]:
    """Run the example on a database that has no tables yet."""
    app = calendar.create_app(empty_dsn)
    yield app.test_client()
    app.extensions["libres"].get_service("session_provider").stop_service()


@pytest.fixture
def day(calendar: ModuleType) -> str:
    """Give the Monday after next: it is open, whenever the test runs."""
    monday = calendar.monday_of(calendar.today()) + timedelta(weeks=2)
    return str(monday)


def reserve(
    client: FlaskClient, room: str, day_: str, /, **changes: str
) -> TestResponse:
    form = {"email": "ada@example.org", "day": day_, "start": "09:00", "end": "10:00"}
    url = f"/{room}/{day_}/reserve"
    return client.post(url, data={**form, **changes}, follow_redirects=True)


def test_the_first_page_is_the_present_week_of_a_room(client: FlaskClient) -> None:
    """Five workdays, all of them free."""
    page = client.get("/", follow_redirects=True)
    assert page.status_code == 200
    assert page.text.count("100 % free") == 5
    assert page.text.count('class="free"') == 5


def test_a_reservation_shows_in_the_week(client: FlaskClient, day: str) -> None:
    """One of ten hours is taken."""
    page = reserve(client, "attic", day)
    assert page.status_code == 200
    assert "ada@example.org" in page.text
    assert "90 % free" in page.text
    assert "09:00 to 10:00" in " ".join(page.text.split())
    assert 'class="reserved" style="width: 10.0%"' in page.text


def test_a_double_booking_is_refused_on_the_page(client: FlaskClient, day: str) -> None:
    """The message of the library is shown, and nothing has changed."""
    reserve(client, "attic", day)
    page = reserve(client, "attic", day, email="ben@example.org", start="09:45")
    assert page.status_code == 409
    assert "Not enough free places" in page.text
    assert "ben@example.org" not in client.get(f"/attic/{day}").text


def test_rooms_do_not_know_each_other(client: FlaskClient, day: str) -> None:
    """The same time of another room is free."""
    reserve(client, "attic", day)
    assert reserve(client, "library", day).status_code == 200


def test_where_somebody_approves_people_wait(client: FlaskClient, day: str) -> None:
    """Two may wait for the same time; only one of them can be approved."""
    reserve(client, "studio", day)
    page = reserve(client, "studio", day, email="ben@example.org")
    tokens = re.findall(r'name="token" value="([\w-]+)"', page.text)
    assert len(tokens) == 2
    assert page.text.count("100 % free") == 5
    url = f"/studio/{day}/approve"
    first = client.post(url, data={"token": tokens[0]}, follow_redirects=True)
    assert "90 % free" in first.text
    second = client.post(url, data={"token": tokens[1]})
    assert second.status_code == 409
    assert "Not enough free places" in second.text


def test_an_unknown_token_is_refused(client: FlaskClient, day: str) -> None:
    """Somebody else may have denied it meanwhile."""
    form = {"token": "b7a2f0e0-0000-4000-8000-000000000000"}
    page = client.post(f"/studio/{day}/approve", data=form)
    assert page.status_code == 409


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"email": "nobody"}, 409),
        ({"email": "a\0da@example.org"}, 200),
        ({"day": "someday"}, 400),
        ({"day": "9999-12-31"}, 409),
        ({"start": "late"}, 400),
        ({"start": "11:00"}, 409),
        ({"start": "10:00"}, 409),
        ({"end": "19:00"}, 409),
    ],
)
def test_what_people_may_type(
    changes: dict[str, str], status: int, client: FlaskClient, day: str
) -> None:
    """Nothing that is typed ends in an error of the server."""
    assert reserve(client, "attic", day, **changes).status_code == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/cellar/2030-01-07", 404),
        ("/attic/someday", 400),
        ("/attic/2030-13-07", 400),
        ("/attic/9999-12-31", 400),
        ("/attic/0001-01-01", 400),
        ("/attic/1970-01-01", 200),
        ("/attic/2999-01-01", 200),
    ],
)
def test_what_people_may_ask_for(path: str, status: int, client: FlaskClient) -> None:
    """Rooms and days that do not exist are told from days that are closed."""
    assert client.get(path).status_code == status


def test_a_form_without_its_fields_is_a_bad_request(
    client: FlaskClient, day: str
) -> None:
    """Flask says so by itself."""
    assert client.post(f"/attic/{day}/reserve").status_code == 400
    assert client.post(f"/attic/{day}/approve").status_code == 400
    assert client.post(f"/attic/{day}/approve", data={"token": "x"}).status_code == 400


def test_what_others_have_typed_is_escaped(client: FlaskClient, day: str) -> None:
    """An address can look like HTML and still be an address."""
    page = reserve(client, "attic", day, email="<script>alert(1)</script>@example.org")
    assert page.status_code == 200
    assert "<script>" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text


def test_starting_again_changes_nothing(
    calendar: Any, client: FlaskClient, empty_dsn: str, day: str
) -> None:
    """Rooms that are open stay as they are, reservations included."""
    reserve(client, "attic", day)
    app = calendar.create_app(empty_dsn)
    assert "90 % free" in app.test_client().get(f"/attic/{day}").text
    app.extensions["libres"].get_service("session_provider").stop_service()


def test_the_server_is_named_by_the_environment(
    calendar: Any, empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIBRES_DSN is used where none is given."""
    monkeypatch.setenv("LIBRES_DSN", empty_dsn)
    app = calendar.create_app()
    provider = app.extensions["libres"].get_service("session_provider")
    assert provider.dsn == empty_dsn
    provider.stop_service()
