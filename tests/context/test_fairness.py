"""Turns: who has failed goes before those who have not begun, and nobody waits long."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from libres.context.fairness import Turns, turns_of

FOREVER = 60.0
A_MOMENT = 0.05


@contextmanager
def somebody_first(turns):
    """Another thread goes first for a while."""
    begun, end = threading.Event(), threading.Event()

    def go():
        with turns.first(FOREVER):
            begun.set()
            end.wait(FOREVER)

    thread = threading.Thread(target=go)
    thread.start()
    begun.wait(FOREVER)
    try:
        yield
    finally:
        end.set()
        thread.join()


@contextmanager
def waiting(act):
    """Another thread does something that has to wait; yields what is set at its end."""
    done = threading.Event()
    thread = threading.Thread(target=lambda: (act(), done.set()))
    thread.start()
    try:
        yield done
    finally:
        thread.join()


def go_first(turns):
    """Go first, and be done with it."""
    with turns.first(FOREVER):
        pass


class TestTurns:
    def test_nobody(self):
        """Without anybody first there is no waiting."""
        Turns().wait(FOREVER)

    @pytest.mark.parametrize("act", [lambda turns: turns.wait(FOREVER), go_first])
    def test_waits(self, act):
        """While a thread goes first, others wait; afterwards they go on."""
        turns = Turns()
        with ExitStack() as stack:
            with turns.first():
                done = stack.enter_context(waiting(lambda: act(turns)))
                assert not done.wait(A_MOMENT)
            assert done.wait(FOREVER)

    def test_not_long(self):
        """Nobody waits longer than he wants to."""
        turns = Turns()
        with somebody_first(turns):
            turns.wait(0)
            with turns.first(0):
                pass

    def test_not_taken_away(self):
        """Who was tired of waiting does not end the turn of the other."""
        turns = Turns()
        with somebody_first(turns):
            with turns.first(0):
                pass
            with waiting(lambda: turns.wait(A_MOMENT)) as done:
                assert not done.wait(A_MOMENT / 5)

    def test_own(self):
        """A thread does not wait for itself."""
        turns = Turns()
        with turns.first():
            turns.wait(FOREVER)

    def test_error(self):
        """A turn ends with an error, too."""
        turns = Turns()
        with pytest.raises(RuntimeError), turns.first():
            raise RuntimeError
        with waiting(lambda: turns.wait(FOREVER)) as done:
            assert done.wait(FOREVER)


class TestTurnsOf:
    def test_database(self):
        """Sessions of one engine share their turns, those of two do not."""
        one, other = create_engine("sqlite://"), create_engine("sqlite://")
        assert turns_of(Session(one)) is turns_of(Session(one))
        assert turns_of(Session(one)) is not turns_of(Session(other))

    def test_connection(self):
        """A connection belongs to its engine."""
        engine = create_engine("sqlite://")
        with engine.connect() as connection:
            assert turns_of(Session(connection)) is turns_of(Session(engine))

    def test_unbound(self):
        """Sessions without a database of their own share theirs."""
        assert turns_of(Session()) is turns_of(Session())
