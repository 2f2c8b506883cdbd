"""Lets the scheduler decide, and tells clients what it says.

What it refuses since somebody was faster is a conflict, with what is free instead; all
else is invalid. Whatever is refused, nothing of it remains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from libres.conflicts.errors import ConflictError
from libres.db.models.timestamp import TimestampMixin
from libres.db.operations.fitting import Fitting, alternatives
from libres.modules import errors
from libres.modules.errors import LibresError, Misuse
from libres.sync import filters
from libres.sync.core_handlers.finding import Declined, seen
from libres.sync.core_models import ALLOCATION
from libres.sync.fields import MOMENT_IN_UTC
from libres.sync.handlers import Done, Outcome, Refused
from libres.sync.registry import registry_of
from libres.sync.resources import OwnedResource, Resources

if TYPE_CHECKING:
    from libres.sync.handlers import Work

CONFLICTS: Final = (
    errors.AlreadyReservedError,
    errors.OverlappingReservationError,
    errors.OverlappingAllocationError,
    errors.AffectedReservationError,
    ConflictError,
)
"""Somebody else was first."""

NOT_REFUSED: Final = (
    errors.ModifiedReadOnlySession,
    errors.DirtyReadOnlySession,
    errors.TooManyConflicts,
    errors.OutcomeUnknown,
    errors.UnknownService,
)
"""What says nothing about the item."""

FIELDS: Final[dict[type[Exception], str]] = {
    errors.InvalidEmailAddress: "email",
    errors.InvalidQuota: "quota",
    errors.QuotaImpossible: "quota",
    errors.QuotaOverLimit: "quota",
    errors.ReservationTooLong: "end",
    errors.ReservationTooShort: "end",
    errors.TimerangeTooLong: "end",
}

NOT_ONE: Final = "This does not concern exactly one allocation."

MOST: Final = 5
"""Alternatives on the same resource, and on others."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A time that somebody would like to have."""

    resource: OwnedResource
    start: datetime
    end: datetime
    """As people say it."""

    places: int


def decided(work: Work, act: Callable[[], Done]) -> Outcome:
    """Do what an item says, in a savepoint of its own; or say why not."""
    try:
        with work.session.begin_nested():
            return act()
    except Declined as error:
        return error.refused
    except NOT_REFUSED:
        raise
    except (NoResultFound, MultipleResultsFound):
        return Refused("invalid", NOT_ONE)
    except (LibresError, Misuse) as error:
        return _refused(error)


def decided_or_others(
    work: Work, act: Callable[[], Done], wish: Callable[[], Wish | None]
) -> Outcome:
    """Do the same; of what is taken, tell what else would do."""
    outcome = decided(work, act)
    if isinstance(outcome, Done) or not _is_taken(outcome):
        return outcome
    asked = wish()
    facts = {"alternatives": [] if asked is None else others(work, asked)}
    return Refused("conflict", outcome.message, outcome.field, facts)


def _is_taken(refused: Refused) -> bool:
    """Tell whether there is a conflict about a time, and not about a version."""
    return refused.type == "conflict" and "_version" not in refused.facts


def _refused(error: Exception) -> Refused:
    kind = "conflict" if isinstance(error, CONFLICTS) else "invalid"
    field = next((FIELDS[each] for each in type(error).__mro__ if each in FIELDS), None)
    return Refused(kind, words_of(error), field)  # type: ignore[arg-type]


def words_of(error: Exception) -> str:
    """Say what an error is about, without the records in it."""
    said = Exception.__str__(error)
    return said or " ".join((type(error).__doc__ or "").split())


# Alternatives -------------------------------------------------------------------------


def others(work: Work, wish: Wish) -> list[dict[str, Any]]:
    """Return what is free instead, for the member to see: nearby times on the same
    resource, then the same time on others of their organisation. Six statements."""
    owned = Resources(work.context).all(work.member.organization)
    found = alternatives(
        wish.resource.scheduler(work.context),
        wish.start,
        wish.end,
        others=[
            each.scheduler(work.context)
            for each in owned
            if each.resource != wish.resource.resource
        ],
        places=wish.places,
        now=TimestampMixin.timestamp(),
        limit=MOST,
    )
    return [_told(each) for each in _visible(work, [*found.here, *found.elsewhere])]


def _visible(work: Work, found: Iterable[Fitting]) -> Iterable[Fitting]:
    """Leave out what lies on allocations that a filter hides."""
    model = registry_of(work.context).get(ALLOCATION)
    if model is None or filters.filter_of(model, work.member) is None:
        return found
    return [each for each in found if seen(work, model, (each.allocation,))]


def _told(found: Fitting) -> dict[str, Any]:
    return {
        "resource": found.name,
        "start": MOMENT_IN_UTC.write(found.start),
        "end": MOMENT_IN_UTC.write(found.end),
        "places_left": found.places_left,
        "approve_manually": found.approve_manually,
    }
