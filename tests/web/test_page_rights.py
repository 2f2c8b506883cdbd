"""Who gets which page: one row per page, and one column per kind of caller."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from libres.occupancy import Occupancy
from libres.waiting import WaitingList
from tests.web.forms import HEADERS, Tab

CALLERS = ("anonymous", "read", "book", "manage", "sensor")

EVERYBODY = (200, 200, 200, 200, 200)
READERS = (401, 200, 403, 200, 403)
MANAGERS = (401, 403, 403, 200, 403)
SENT_BY_MANAGERS = (401, 403, 403, 303, 403)

PAGES = {
    "/": EVERYBODY,
    "/sign-in": EVERYBODY,
    "/who": EVERYBODY,
    "/people": READERS,
    "/people/1": READERS,
    "/people/1/now": READERS,
    "/people/1.svg": READERS,
    "/desk": MANAGERS,
    "/desk/blockers": MANAGERS,
    "/desk/waiting": MANAGERS,
}

FORMS = {
    "/desk/decide": SENT_BY_MANAGERS,
    "/desk/blockers": (401, 403, 403, 422, 403),  # the form is empty
    "/desk/blockers/change": SENT_BY_MANAGERS,
    "/desk/blockers/remove": SENT_BY_MANAGERS,
    "/desk/waiting/serve": SENT_BY_MANAGERS,
    "/desk/waiting/remove": SENT_BY_MANAGERS,
    "/sign-in": (401, 401, 401, 401, 401),  # without a key
    "/sign-out": (303, 303, 303, 303, 303),
}

OURS = {"home", "signin", "desk", "who", "people"}


@pytest.fixture(params=range(len(CALLERS)), ids=CALLERS)
def column(request):
    """Who it is."""
    return request.param


@pytest.fixture
def tab(app, key_of, column, context, clock):
    """Their browser, and a space of which people are counted."""
    from tests.web.conftest import at  # noqa: PLC0415 - a function, not a fixture

    clock.now = at("12:00")

    def fill():
        WaitingList(context).setup()
        Occupancy(context).add_space("hall", timezone="UTC")

    context.transaction(fill)
    return Tab(app, key_of(CALLERS[column]) if column else None)


def test_pages(tab, column):
    """Each page is shown to whom it is for, and refused to all others."""
    found = {path: tab.open(path).status_code for path in PAGES}
    assert found == {path: statuses[column] for path, statuses in PAGES.items()}


@pytest.mark.parametrize("path", FORMS)
def test_forms(tab, column, path):
    """Each form is taken from whom it is for, and refused to all others."""
    form = {"all": "approve:"} if path == "/desk/decide" else {}
    assert tab.send(path, **form).status_code == FORMS[path][column]


def test_navigation(tab, column):
    """Who may not see a page finds no link to it."""
    page = tab.open("/").text
    for path, statuses in (("/people", READERS), ("/desk", MANAGERS)):
        assert (f'<a href="{path}"' in page) == (statuses[column] == 200)


def test_sign_in_offered(app):
    """Who is not known is led to where one signs in, and from there back."""
    page = Tab(app).open("/desk").text
    assert 'href="/sign-in?next=/desk"' in page


def test_complete(app):
    """No page of ours is missing in the tables."""
    found = {"GET": set(), "POST": set()}
    for rule in app.url_map.iter_rules():
        parts = rule.endpoint.split(".")
        if len(parts) == 3 and parts[1] in OURS:
            path = re.sub(r"<.*?>", "1", rule.rule)
            for method in found.keys() & rule.methods:
                found[method].add(path)
    assert found == {"GET": set(PAGES), "POST": set(FORMS)}


@pytest.mark.parametrize(
    ("path", "table"),
    [
        ("/who", "timetable_subjects"),
        ("/people", "occ_spaces"),
        ("/people/1", "occ_spaces"),
        ("/desk/waiting", "waiting_entries"),
    ],
)
def test_not_set_up(app, key_of, context, path, table):
    """A room whose tables are not there says so, on a page that looks like others."""
    tab = Tab(app, key_of("manage"))
    drop = text(f"DROP TABLE IF EXISTS {table} CASCADE")
    provider = context.get_service("session_provider")
    context.transaction(lambda: bool(provider.session().execute(drop)))
    found = tab.http.get(path, headers=HEADERS)
    assert found.status_code == 404
    assert "This room is not set up" in found.text
    assert "Sign out" in found.text
