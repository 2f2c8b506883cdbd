"""Tells a story in the terminal: what is done, which events fire, what is refused."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
from rich.table import Table
from rich.text import Text

from libres.cli.terminal import times_of
from libres.modules import events
from libres.modules.errors import LibresError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from libres.cli.centre.week import Range
    from libres.context.core import Context

P = ParamSpec("P")
T = TypeVar("T")

VERB_COLUMNS = 8

CHANGED = ("old_time", "new_time")
"""What on_reservation_time_changed tells by keyword."""


@dataclass(frozen=True, slots=True)
class Teller:
    """Does things in transactions of their own and tells about them."""

    context: Context
    out: Console

    def chapter(self, title: str, about: str) -> None:
        """Begin to tell about something else."""
        self.out.print()
        self.out.print(Text.assemble((title, "bold"), f" · {about}"))

    def do(
        self, call: Callable[P, T], what: str, /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Tell what is done, and do it."""
        self._line(_verb(call), f"{what}{_whose(args)}", "bold cyan")
        return self.context.transaction(partial(call, *args, **kwargs))

    def refused(
        self, call: Callable[P, Any], what: str, /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Tell what is tried, and with which message the library refuses it.

        Raises ClickException if it does not.
        """
        try:
            self.do(call, what, *args, **kwargs)
        except LibresError as error:
            self._line("refused", f"{type(error).__name__}: {error}", "bold red")
        else:
            message = f"This should have been refused: {_verb(call)} {what}."
            raise click.ClickException(message)

    def event(self, name: str, what: str) -> None:
        """Tell that an event has fired."""
        self._line("event", f"{name}: {what}", "dim", dim=True)

    def note(self, what: str) -> None:
        """Tell something that needs no verb."""
        self._line("", what, "")

    def _line(self, verb: str, what: str, style: str, *, dim: bool = False) -> None:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=VERB_COLUMNS, justify="right")
        grid.add_column(overflow="fold")
        grid.add_row(Text(verb, style), Text(what, "dim" if dim else ""))
        self.out.print(grid)


def _verb(call: Callable[..., Any]) -> str:
    """Return the verb in the name of a method: ``add`` for ``add_blocker``."""
    name: str = getattr(call, "__name__", "")
    return name.partition("_")[0]


def _whose(args: tuple[object, ...]) -> str:
    """Say for whom something is done, if that is an argument of it."""
    person = args[0] if args else None
    return f", for {person}" if isinstance(person, str) else ""


@contextmanager
def listening(teller: Teller) -> Iterator[None]:
    """Tell about the events of the teller's context while the block runs."""
    listeners = [(event, partial(_tell, teller, name)) for name, event in _lists()]
    for event, listener in listeners:
        event.append(listener)
    try:
        yield
    finally:
        for event, listener in listeners:
            event.remove(listener)


def _lists() -> Iterator[tuple[str, list[Callable[..., Any]]]]:
    names = (name for name in events.__all__ if name != "Event")
    yield from ((name, getattr(events, name)) for name in names)
    mails = events.on_reservations_approved.committed
    yield "on_reservations_approved.committed", mails


def _tell(
    teller: Teller, name: str, context: Context, *args: Any, **kwargs: Any
) -> None:
    if context is teller.context:
        teller.event(name, _in_words(*args, **kwargs))


def _in_words(subject: Any, *_args: Any, **times: Range) -> str:
    """Say what an event is about: which times, whose reservations, how many."""
    if times:
        return " becomes ".join(times_of(*times[name]) for name in CHANGED)
    emails = sorted({getattr(item, "email", "") for item in subject} - {""})
    return f"{len(subject)} of {', '.join(emails)}" if emails else f"{len(subject)}"
