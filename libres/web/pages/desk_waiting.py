"""The waiting list at the desk: who would like what is taken, and is served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask import flash, redirect, render_template, request, url_for

from libres.modules.errors import LibresError
from libres.waiting import NotWaiting, UnknownEntry, WaitingList
from libres.web.clock import in_words
from libres.web.deciding import why_of
from libres.web.directory import place_named, resources_of
from libres.web.edge import Edge, edge
from libres.web.fields import uuid_of
from libres.web.identity import MANAGE
from libres.web.problems import status_of
from libres.web.rooms import room

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from flask import Blueprint
    from flask.typing import ResponseReturnValue

    from libres.waiting import Entry
    from libres.web.directory import Place

MOST: Final = 20
"""Of those who wait for a resource; the others come when these are served."""

GONE: Final = "Done already: somebody else was first, or the time is over."


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody who waits."""

    id: UUID
    email: str
    time: str
    places: int
    position: int | None
    fits: bool


@dataclass(frozen=True, slots=True)
class Line:
    """Those who wait for a resource, by turn."""

    place: Place
    waiting: tuple[Waiting, ...]


def add_views(page: Blueprint) -> None:
    """Add what the desk does with waiting lists."""

    @page.get("/desk/waiting")
    def waiting() -> ResponseReturnValue:
        """Show who waits, and who could have what they wait for."""
        here = edge()
        here.insist(MANAGE)
        with here.reading(), room("waiting"):
            lines = list(_lines(here))
        return render_template("libres/desk_waiting.html", lines=lines)

    @page.post("/desk/waiting/serve")
    def served() -> ResponseReturnValue:
        """Reserve for somebody who waits."""
        here = edge()
        here.insist(MANAGE)
        return _acted(here, _serve)

    @page.post("/desk/waiting/remove")
    def left() -> ResponseReturnValue:
        """Let somebody wait no more."""
        here = edge()
        here.insist(MANAGE)
        return _acted(here, _leave)


def _lines(here: Edge) -> Iterator[Line]:
    waiting = WaitingList(here.context)
    for place in resources_of(here.context).all():
        scheduler = place.scheduler(here.context)
        found = waiting.entries(scheduler, limit=MOST)
        if not found:
            continue
        fitting = {each.id for each in waiting.matching(scheduler)}
        yield Line(place, tuple(_shown(each, each.id in fitting) for each in found))


def _shown(entry: Entry, fits: bool) -> Waiting:
    time = in_words(entry.start, entry.end)
    return Waiting(entry.id, entry.email, time, entry.places, entry.position, fits)


# What is done -------------------------------------------------------------------------


def _acted(here: Edge, act: Any) -> ResponseReturnValue:
    """Do something with an entry, and tell what became of it."""
    id_ = uuid_of(request.form.get("id", ""))
    message, kind = GONE, "bad"
    if id_ is not None:
        try:
            message, kind = here.write(lambda: _in_room(here, act, id_))
        except (UnknownEntry, NotWaiting):
            pass
        except LibresError as error:
            if (status_of(error) or 500) >= 500:
                raise
            message = f"Refused: {why_of(error)}"
    flash(message, kind)
    return redirect(url_for("libres.desk.waiting"), 303)


def _in_room(here: Edge, act: Any, id_: UUID) -> tuple[str, str]:
    with room("waiting"):
        found: tuple[str, str] = act(here, WaitingList(here.context), id_)
        return found


def _serve(here: Edge, waiting: WaitingList, id_: UUID) -> tuple[str, str]:
    entry = waiting.entry(id_)
    place = place_named(here.context, entry.name)
    waiting.serve(place.scheduler(here.context), id_)
    return f"Reserved for {entry.email}.", "good"


def _leave(_here: Edge, waiting: WaitingList, id_: UUID) -> tuple[str, str]:
    return ("Taken off the list.", "good") if waiting.leave(id_) else (GONE, "bad")
