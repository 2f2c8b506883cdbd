"""Tells a story in the terminal: what is done, which events fire, what is refused."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class Teller:
    """Does things in transactions of their own and tells about them."""

    context: Context
    out: Console
    _column: int = field(default=0, init=False)
    """Where the line of events ends that is being written; 0: there is none."""

    def chapter(self, title: str, about: str) -> None:
        """Begin to tell about something else."""
        self._end_events()
        self.out.print()
        self.out.print(Text.assemble((title, "bold"), f", {about}"))

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

    def note(self, what: str) -> None:
        """Tell something that nobody did."""
        self._line("", what, "")

    def event(self, what: str) -> None:
        """Tell that an event has fired, beside those that fired just before."""
        piece = f", {what}" if self._column else f"{'event':>{VERB_COLUMNS}} {what}"
        if self._column + len(piece) > self.out.width:
            self._end_events()
            piece = f"{'':{VERB_COLUMNS}} {what}"
        self._column += len(piece)
        self.out.print(Text(piece, "dim"), end="", soft_wrap=True)

    def end(self) -> None:
        """End the story."""
        self._end_events()

    def _end_events(self) -> None:
        if self._column:
            self.out.print()
        self._column = 0

    def _line(self, verb: str, what: str, style: str) -> None:
        self._end_events()
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=VERB_COLUMNS, justify="right")
        grid.add_column(overflow="fold")
        grid.add_row(Text(verb, style), Text(what))
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
    listeners = [(event, partial(_tell, teller, say)) for event, say in _WORDS]
    for event, listener in listeners:
        event.append(listener)
    try:
        yield
    finally:
        for event, listener in listeners:
            event.remove(listener)
        teller.end()


def _tell(
    teller: Teller,
    say: Callable[..., str],
    context: Context,
    *args: Any,
    **kwargs: Any,
) -> None:
    if context is teller.context:
        teller.event(say(*args, **kwargs))


def _counted(verb: str) -> Callable[..., str]:
    """Return what to say of an event whose first argument is a list."""
    return lambda items, *_others: f"{len(items)} {verb}"


def _changed(_reservation: object, *, old_time: Range, new_time: Range) -> str:
    return f"time changed from {old_time[0]:%H:%M} to {times_of(*new_time)}"


def _mailed(reservations: list[Any]) -> str:
    emails = sorted({reservation.email for reservation in reservations})
    return f"after the commit: mail to {', '.join(emails)}"


_WORDS: tuple[tuple[list[Callable[..., Any]], Callable[..., str]], ...] = (
    (events.on_allocations_added, _counted("allocated")),
    (events.on_reservations_made, _counted("made")),
    (events.on_reservations_confirmed, _counted("confirmed")),
    (events.on_reservations_approved, _counted("approved")),
    (events.on_reservations_denied, _counted("denied")),
    (events.on_reservations_removed, _counted("removed")),
    (events.on_reservation_time_changed, _changed),
    (events.on_reservations_approved.committed, _mailed),
)
"""All lists of the library, and one of those for after the commit: how to say it."""
