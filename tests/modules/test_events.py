"""Events: lists of listeners, each with a second list for after the commit."""

from __future__ import annotations

import pytest

from libres.modules import events
from libres.modules.events import Event

NAMES = [
    "on_allocations_added",
    "on_reservation_time_changed",
    "on_reservations_approved",
    "on_reservations_confirmed",
    "on_reservations_denied",
    "on_reservations_made",
    "on_reservations_removed",
]


@pytest.mark.parametrize("name", NAMES)
def test_seven(name):
    """There are seven events, each a list with a list of its own for the commit."""
    event = getattr(events, name)
    assert isinstance(event, Event)
    assert isinstance(event, list)
    assert isinstance(event.committed, list)


def test_separate():
    """No two events share a list."""
    lists = [getattr(events, name) for name in NAMES]
    lists += [event.committed for event in lists]
    assert len(set(map(id, lists))) == 14


def test_all():
    """The module exports them, and their class."""
    assert set(events.__all__) == {"Event", *NAMES}


def test_calls_in_order():
    """Each listener gets the same arguments, in the order of subscription."""
    event, calls = Event(), []
    event.append(lambda *args, **kwargs: calls.append((1, args, kwargs)))
    event.append(lambda *args, **kwargs: calls.append((2, args, kwargs)))
    event("context", 1, old=2)
    assert calls == [
        (1, ("context", 1), {"old": 2}),
        (2, ("context", 1), {"old": 2}),
    ]


def test_exception_stops_the_row():
    """An exception propagates; later listeners are not called."""

    def refuse():
        raise ZeroDivisionError

    event, calls = Event(), []
    event.append(refuse)
    event.append(lambda: calls.append(1))
    with pytest.raises(ZeroDivisionError):
        event()
    assert calls == []


def test_a_list():
    """Subscribing and unsubscribing are those of a list."""
    event = Event()
    event.append(print)
    event += [repr, str]
    event.remove(repr)
    assert event[:] == [print, str]
    event.clear()
    assert event == []
    assert isinstance(event, Event)


def test_constructor():
    """It takes no items; one argument is accepted and ignored, as in 1.x."""
    assert Event([print]) == []
    assert Event(None) == []
    with pytest.raises(TypeError):
        Event(None, None)


def test_committed_is_not_called():
    """Calling the event does not call those who wait for the commit."""
    event, calls = Event(), []
    event.committed.append(lambda: calls.append(1))
    event()
    assert calls == []


def test_repr():
    """It can be told from a list."""
    assert repr(Event()) == "Event([])"
