"""Counts the SQL statements of a request, and tells how much memory its process holds.

A statement that nobody counts costs a look at a variable; one that is counted, an
addition.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, event

MIB: Final = 1024 * 1024
PAGE_SIZE: Final = 4096
"""Bytes of a page of memory, as /proc counts."""

MEMORY: Final = Path("/proc/self/statm")


@dataclass(slots=True)
class Count:
    """How many statements there were until now; BEGIN and COMMIT are none, what makes
    and ends a savepoint is."""

    statements: int = 0


_running: ContextVar[Count | None] = ContextVar("libres.sync.counting", default=None)


def begin() -> Count:
    """Begin to count for a request, until `end`; what ran before is not counted."""
    made = Count()
    _running.set(made)
    return made


def end() -> None:
    """Count no more."""
    _running.set(None)


@contextmanager
def counting() -> Iterator[Count]:
    """Count the statements of a with-block; as part of the request, if one counts."""
    running = _running.get()
    if running is not None:
        yield running
        return
    token = _running.set(made := Count())
    try:
        yield made
    finally:
        _running.reset(token)


def costs() -> dict[str, Any]:
    """Return what it has cost until now, as a metric has it: ``statements`` (None: they
    are not counted) and ``memory`` in megabytes (None: it cannot be told here)."""
    running = _running.get()
    return {
        "statements": None if running is None else running.statements,
        "memory": memory(),
    }


def memory() -> float | None:
    """Return how many megabytes this process holds; None: it cannot be told here."""
    try:
        pages = int(MEMORY.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * PAGE_SIZE / MIB


def _note(*_args: Any) -> None:
    running = _running.get()
    if running is not None:
        running.statements += 1


# Events of the dialect: those of the engine take three times as long with each
# statement, for whoever uses this process.
event.listen(Engine, "do_execute", lambda _cursor, _sql, _values, _context: _note())
event.listen(Engine, "do_executemany", lambda _cursor, _sql, _values, _context: _note())
event.listen(Engine, "do_execute_no_params", lambda _cursor, _sql, _context: _note())
