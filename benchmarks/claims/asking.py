"""Times questions: one, and many in one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy import text

from benchmarks.claims.filling import HOURS, resources_of
from benchmarks.claims.measuring import Times, alternated
from libres.conflicts import Claims, Proposal

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

BATCHES = (1, 100, 1000)

SEPARATELY = text(
    "SELECT id, resource, during FROM separate "
    "WHERE resource = :resource AND during && tstzrange(:start, :end) "
    "ORDER BY lower(during), id"
)

TOGETHER = text(
    "SELECT id, resource, during FROM conflict_claims "
    "WHERE hash = conflict_hash('bench', :resource) "
    "AND context = 'bench' AND resource = :resource "
    "AND during && tstzrange(:start, :end) ORDER BY lower(during), id"
)


def proposals(claims: int, busy: int, seed: int = 1) -> Iterator[Proposal]:
    """Yield proposals of two hours, for resources and times that exist."""
    choose = Random(seed)  # noqa: S311 - nothing is secret
    resources = resources_of(claims, busy)
    while True:
        start = START + choose.randrange(HOURS) * HOUR
        yield Proposal(
            resource=f"room {choose.randrange(resources)}",
            during=(start, start + 2 * HOUR),
        )


def checks(claims: Claims, number: int, busy: int, rounds: int) -> dict[str, Times]:
    """Time a check, and its SQL beside the same question to separate indexes."""
    asked = proposals(number, busy)
    session = claims.session

    def run(statement: object) -> Callable[[int], object]:
        def act(_round: int) -> object:
            each = next(asked)
            values = {
                "resource": each.resource,
                "start": each.during.start,
                "end": each.during.end,
            }
            return session.execute(statement, values).all()  # type: ignore[call-overload]

        return act

    return alternated(
        {
            "check()": lambda _: claims.check(next(asked)),
            "its SQL": run(TOGETHER),
            "separate indexes": run(SEPARATELY),
        },
        rounds,
    )


def batches(claims: Claims, number: int, busy: int, rounds: int) -> dict[int, Times]:
    """Time `check_many`, by the number of proposals."""
    asked = proposals(number, busy)
    taken = {}
    for size in BATCHES:
        some = [[next(asked) for _ in range(size)] for _ in range(rounds + 1)]
        acts = {"": lambda turn, some=some: claims.check_many(some[turn % rounds])}
        taken[size] = alternated(acts, rounds)[""]
    return taken
