"""Two browsers want the same time at once: one wins, the other one sees why."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.web.conftest import at

CHOSEN = "&start=2026-11-30T09:00Z&end=2026-11-30T10:00Z"
PATH = f"/week/hall?day=2026-11-30{CHOSEN}"


@pytest.fixture
def together(app):
    """Lets two bookings begin only when both have arrived."""
    barrier = Barrier(2)
    view = app.view_functions["libres.week.booked"]

    def waiting(**arguments):
        barrier.wait(timeout=10)
        return view(**arguments)

    app.view_functions["libres.week.booked"] = waiting


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.usefixtures("together")
def test_collision(visitor, key_of, clock, context, place, script):
    """Exactly one has it; the other one is told so, and what else is free."""
    clock.now = at("07:00")
    people = [
        visitor(key_of("book", email=f"{name}@example.org"), script=script)
        for name in ("ada", "bob")
    ]
    pages = [each.open(PATH) for each in people]
    for page in pages:
        book = page.get_by_role("button", name="Book", exact=True)
        book.click(no_wait_after=True)
    notes = [note_of(page) for page in pages]
    won = [number for number, note in enumerate(notes) if note.startswith("Booked")]
    assert len(won) == 1, notes
    loser = pages[1 - won[0]]
    assert notes[1 - won[0]] == "This time is taken: somebody was faster."
    assert place.scheduler(context).managed_reservations().count() == 1
    loser.get_by_role("button", name="Book 08:00 to 09:00").wait_for()


def note_of(page):
    """What a page says first after something was sent."""
    note = page.locator("main .note, main #refused").first
    note.wait_for()
    return note.inner_text().strip()


def test_many(app, key_of, context, place, clock):
    """Of eight who send at once one wins, and nobody sees an error of ours."""
    clock.now = at("07:00")
    key = key_of("book")
    barrier = Barrier(8)

    def send(number):
        client = app.test_client()
        sent = {
            "start": at("09:00").isoformat(),
            "end": at("10:00").isoformat(),
            "email": f"person{number}@example.org",
        }
        barrier.wait(timeout=10)
        headers = {"Authorization": f"Bearer {key}"}
        return client.post("/week/hall/book", data=sent, headers=headers).status_code

    with ThreadPoolExecutor(8) as threads:
        found = sorted(threads.map(send, range(8)))
    assert found == [303] + [409] * 7
    assert place.scheduler(context).managed_reservations().count() == 1
