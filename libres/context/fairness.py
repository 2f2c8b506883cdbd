"""Lets a transaction that has failed go before those that have not begun.

Who meets no conflict begins the next transaction at once, while who has failed pauses:
so one thread could have its way for seconds. Therefore a repeated attempt goes first:
meanwhile the other threads of the process do not begin, though they never wait long.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

__all__ = ("LONGEST_WAIT", "Turns", "turns_of")

LONGEST_WAIT: Final = 0.5
"""Seconds; nobody waits longer for another, who may have a lot to do."""


class Turns:
    """Which thread goes first on one database; None: all of them may begin."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._first: int | None = None

    def wait(self, seconds: float = LONGEST_WAIT) -> None:
        """Return once no other thread goes first, or after so many *seconds*."""
        with self._changed:
            self._is_free(seconds)

    @contextmanager
    def first(self, seconds: float = LONGEST_WAIT) -> Iterator[None]:
        """Go first for a with-block, after others who do so, or without, if they take
        longer than *seconds*."""
        with self._changed:
            if self._is_free(seconds):
                self._first = threading.get_ident()
        try:
            yield
        finally:
            with self._changed:
                self._end()

    def _is_free(self, seconds: float) -> bool:
        own = (None, threading.get_ident())
        return self._changed.wait_for(lambda: self._first in own, seconds)

    def _end(self) -> None:
        if self._first == threading.get_ident():
            self._first = None
            self._changed.notify_all()


def turns_of(session: Session) -> Turns:
    """Return the turns on the database of a session; without one, those of all."""
    with _LOCK:
        return _TURNS.setdefault(getattr(session.bind, "engine", Turns), Turns())


_LOCK: Final = threading.Lock()
_TURNS: Final[WeakKeyDictionary[object, Turns]] = WeakKeyDictionary()
