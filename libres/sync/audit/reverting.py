"""Undoes a change by a new one, which says so.

Plain rows are written as they were; what the scheduler keeps is changed by it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import (
    DataError,
    IntegrityError,
    MultipleResultsFound,
    NoResultFound,
)

from libres.modules.errors import LibresError, Misuse, insist
from libres.sync import acting
from libres.sync.audit import reading, undoing, undoing_core, undoing_rows
from libres.sync.audit.tables import SLOT
from libres.sync.audit.undoing import Undone
from libres.sync.audit.values import Reverted
from libres.sync.core_handlers.refusing import NOT_ONE, NOT_REFUSED
from libres.sync.core_models import CHECK_IN
from libres.sync.errors import NotRevertible

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.db.scheduler import Scheduler

REFUSED: Final = {
    SLOT: "Slots follow from reservations and blockers: undo what was done to those.",
    CHECK_IN: "Who has come has come: a check-in stays as it is.",
    "libres.sync.Erasure": "What is erased stays erased.",
    "libres.sync.Resource": (
        "Devices have to be told whose a resource is: use 'sync.resources.add', or "
        "'sync.resources.remove'."
    ),
}
"""What cannot be undone, and what to do instead, by the names of models."""

HANDLED: Final = (
    "{name} has a handler of its own, which alone writes its rows: change them by it."
)

DATABASE: Final = "The database refuses it, as other rows would not fit: {said}."

SCHEDULER: Final = "The scheduler refuses it: {said}."


def revert(
    context: Context,
    position: int,
    reason: str | None,
    scheduler: Scheduler | None = None,
) -> Reverted:
    """Undo a change, in the session and transaction of the context."""
    given = reason or f"revert of change {position}"
    insist(reading.can_be_held(given), "A reason is a text that PostgreSQL can hold.")
    undone = undoing.load(context, position)
    if scheduler is not None:
        undoing_core.check(undone, scheduler)
    undone.session.flush()  # what waits there was done for other reasons
    undone.session.expire_all()
    with acting.acting(undone.session, replace(acting.who_acts(), reason=given)):
        done = _tried(undone, scheduler)
        undone.session.flush()
    undone.session.expire_all()
    return done


def _tried(undone: Undone, scheduler: Scheduler | None) -> Reverted:
    """Undo it in a savepoint: of what is refused, nothing remains."""
    try:
        with undone.session.begin_nested():
            return _done(undone, scheduler)
    except (*NOT_REFUSED, NotRevertible):
        raise
    except (IntegrityError, DataError) as error:
        said = str(error.orig).strip().partition("\n")[0].rstrip(".")
        raise NotRevertible(DATABASE.format(said=said)) from error
    except (NoResultFound, MultipleResultsFound) as error:
        raise NotRevertible(SCHEDULER.format(said=NOT_ONE.rstrip("."))) from error
    except (LibresError, Misuse) as error:
        raise NotRevertible(SCHEDULER.format(said=str(error).rstrip("."))) from error


def _done(undone: Undone, scheduler: Scheduler | None) -> Reverted:
    name = undone.model.name
    if name in REFUSED:
        raise NotRevertible(REFUSED[name])
    if name in undoing_core.VERBS:
        return undoing_core.undo(undone, scheduler)
    if undone.model.handler is not None:
        raise NotRevertible(HANDLED.format(name=name))
    return undoing_rows.undo(undone)
