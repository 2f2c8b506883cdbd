"""Decides at the desk: each thing by itself, and whoever was first has decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

from libres.modules.errors import LibresError, Misuse
from libres.web.problems import status_of

if TYPE_CHECKING:
    from libres.db.scheduler import Scheduler
    from libres.web.edge import Edge
    from libres.web.pending import Key

Verb = Literal["approve", "deny"]
Outcome = Literal["done", "approved before", "gone", "refused"]

MOST_NAMED: Final = 5
"""In a message; the others are counted."""

LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a decision."""

    outcome: Outcome
    name: str
    """Whose it is, as far as it is known."""

    why: str = ""


def decide(
    here: Edge, verb: Verb, keys: Iterable[Key], known: Mapping[UUID, Scheduler]
) -> list[Decided]:
    """Approve or deny what is pending, in the order given, each in a transaction.

    What is not there any more, and what is refused, keeps nothing else from being
    decided.
    """
    return [_decided(here, verb, key, known.get(key.resource)) for key in keys]


def _decided(here: Edge, verb: Verb, key: Key, scheduler: Scheduler | None) -> Decided:
    if scheduler is None:
        return Decided("gone", "")
    names: list[str] = []
    try:
        return here.write(lambda: _done(scheduler, verb, key.token, names))
    except (LibresError, Misuse) as error:
        if (status_of(error) or 500) >= 500:
            raise
        return Decided("refused", names[-1], why_of(error))


def _done(scheduler: Scheduler, verb: Verb, token: UUID, names: list[str]) -> Decided:
    """Approve or deny; note in *names* whose it is, also if it is refused."""
    found = scheduler.reservations_by_token(token).all()
    if not found:
        return Decided("gone", "")
    name = found[0].email
    names.append(name)
    if all(each.status == "approved" for each in found):
        return Decided("approved before", name)
    act: Callable[[object], object] = {
        "approve": scheduler.approve_reservations,
        "deny": scheduler.deny_reservation,
    }[verb]
    act(token)
    return Decided("done", name)


def why_of(error: Exception) -> str:
    """Say what an error of the library is about, without the records in it."""
    if isinstance(error, Misuse):
        return str(error)
    said = getattr(error, "reason", None)
    if isinstance(said, str):
        return said
    return " ".join((type(error).__doc__ or "").split())


# What is told -------------------------------------------------------------------------

SAID: Final[Mapping[Outcome, str]] = {
    "approved before": "approved already, by somebody else",
    "gone": "not there any more: somebody else denied it, or it was withdrawn",
    "refused": "refused",
}


def told(verb: Verb, decided: Iterable[Decided]) -> list[tuple[str, str]]:
    """Return messages and their kinds: few and short, as they travel in a cookie."""
    by_outcome: dict[Outcome, list[Decided]] = {}
    for each in decided:
        by_outcome.setdefault(each.outcome, []).append(each)
    return [
        (_message(verb, outcome, some), "good" if outcome == "done" else "bad")
        for outcome, some in by_outcome.items()
    ]


def _message(verb: Verb, outcome: Outcome, some: list[Decided]) -> str:
    names = [_named(each) for each in some if each.name][:MOST_NAMED]
    more = len(some) - len(names)
    listed = ", ".join([*names, *([f"{more} more"] if names and more else [])])
    past = "Approved" if verb == "approve" else "Denied"
    start = (
        f"{past} {len(some)}" if outcome == "done" else f"{len(some)} {SAID[outcome]}"
    )
    return f"{start}: {listed}." if listed else f"{start}."


def _named(each: Decided) -> str:
    name = each.name[:LONGEST_NAME]
    return f"{name} ({each.why.rstrip('.')[: LONGEST_NAME * 2]})" if each.why else name
