"""Find: the first times that fit."""

from html import unescape

import pytest

from libres.web import Place
from libres.web.directory import Directory
from tests.web.conftest import at, iso


@pytest.fixture(autouse=True)
def today(clock):
    """It is Monday, at seven."""
    clock.now = at("07:00")


def shown(client, status=200, **query):
    """What is found."""
    found = client.get("/find", **{"minutes": "60", **query})
    assert found.status_code == status, found.text
    return unescape(found.text)


def test_form(anyone):
    """Before anything is asked for there is only a form."""
    text = anyone.get("/find").text
    assert "How long" in text
    assert "fit" not in text.partition("<main")[2]


def test_found(booker):
    """What fits first is shown first, with a button each."""
    text = shown(booker, minutes="90")
    assert f'value="{iso(at("08:00"))}/{iso(at("09:30"))}"' in text
    assert 'formaction="/week/hall/book"' in text


def test_narrowed(anyone):
    """Days and hours narrow what is found; what was filled in is still there."""
    text = shown(anyone, days=["we", "fr"], begins="10:00", ends="11:30")
    assert "Wed 2 Dec" in text
    assert "10:00 to 11:00" in text
    assert "Mon 30 Nov" not in text
    assert 'value="we" checked' in text
    assert 'value="10:00"' in text


def test_over(anyone, clock):
    """What is over today is not offered."""
    clock.now = at("12:10")
    assert "Mon 30 Nov</span>\n      <strong>12:15 to 13:15" in shown(anyone)


def test_places(anyone, context):
    """Only what has enough places is found."""
    pool = Place("pool", "The <pool>", "UTC")

    def fill():
        Directory(context).put(pool)
        pool.scheduler(context).allocate((at("09:00"), at("10:00")), quota=3)

    context.transaction(fill)
    raw = anyone.get("/find", minutes="60", places="2").text
    assert "The &lt;pool&gt;" in raw
    assert "3 places left" in raw
    assert "The hall" not in raw
    assert "Nothing fits" in shown(anyone, places="4")


def test_book(booker):
    """What is found is booked at once."""
    span = f"{iso(at('08:00'))}/{iso(at('09:30'))}"
    sent = {"span": span, "email": "ada@example.org", "places": "1", "title": ""}
    found = booker.http.post("/week/hall/book", data=sent, headers=booker.headers)
    assert found.status_code == 303
    assert f'value="{span}"' not in shown(booker, minutes="90")


def test_who_books(anyone):
    """Who may not book is led to signing in, and back."""
    text = shown(anyone)
    assert "formaction" not in text
    assert "Sign in</a> to book" in text


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"minutes": "0"}, "minutes"),
        ({"minutes": "99999"}, "minutes"),
        ({"minutes": "an hour"}, "minutes"),
        ({"places": "0"}, "places"),
        ({"places": "9" * 50}, "places"),
        ({"days": "someday"}, "days"),
        ({"begins": "8"}, "begins"),
        ({"begins": "late"}, "begins"),
        ({"ends": "25:00"}, "ends"),
        ({"ends": "08:00+01:00"}, "ends"),
        ({"first": "9999-12-31"}, "first"),
        ({"last": "<script>"}, "last"),
        ({"first": "2026-12-02", "last": "2026-12-01"}, "last"),
        ({"first": "2026-12-02", "last": "2028-12-01"}, "last"),
    ],
)
def test_wrong(anyone, query, name):
    """What is wrong is said beside what was typed."""
    found = anyone.get("/find", **{"minutes": "60", **query})
    assert found.status_code == 422
    text = found.text
    assert f'id="{name}-fault"' in text
    assert "<script>" not in text


def test_nothing_yet(anyone, context):
    """Without resources nothing fits."""
    context.transaction(lambda: Directory(context).remove("hall"))
    assert "Nothing fits" in shown(anyone)
