"""Looks at what the database holds after a run: nothing twice, nothing lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from benchmarks.soak.killing import DATABASE
from benchmarks.soak.world import MUTUAL, context_on, resource, state_of
from libres.db.auditing import audit

if TYPE_CHECKING:
    from benchmarks.databases import Databases
    from benchmarks.soak.ledger import Ledger
    from libres.context.core import Context


@dataclass(frozen=True, slots=True)
class Verdict:
    """What must be empty: descriptions of what is wrong."""

    double_bookings: list[str]
    lost: list[str]
    findings: list[str]

    @property
    def holds(self) -> bool:
        """Is everything as it was promised?"""
        return not (self.double_bookings or self.lost or self.findings)


def verdict(databases: Databases, ledger: Ledger) -> Verdict:
    """Compare the database with what was acknowledged."""
    context = context_on(databases.dsn(DATABASE))
    provider = context.get_service("session_provider")
    try:
        return Verdict(
            double_bookings=_double_bookings(databases, context),
            lost=_lost(provider.session(), ledger),
            findings=[str(each.message) for each in audit(provider.session())],
        )
    finally:
        provider.stop_service()


def _double_bookings(databases: Databases, context: Context) -> list[str]:
    hall, stage = (resource(context, name).resource for name in MUTUAL)
    values = {"hall": hall, "stage": stage}
    return [
        f"{kind}: {first} and {second}"
        for kind, statement in TWICE.items()
        for first, second in databases.execute(DATABASE, statement.format(**values))
    ]


TWICE: Final[dict[str, str]] = {
    "slots of one place": """
        SELECT start::text, before::text FROM (
            SELECT start, max("end") OVER (PARTITION BY resource ORDER BY start, ctid
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM reserved_slots) AS slots
        WHERE start <= before
    """,
    "resources that block each other": """
        SELECT a.start::text, b.start::text FROM reserved_slots AS a
        JOIN reserved_slots AS b ON a.start <= b."end" AND b.start <= a."end"
        WHERE a.resource = '{hall}' AND b.resource = '{stage}'
    """,
    "allocations of one resource": """
        SELECT _start::text, before::text FROM (
            SELECT _start, max(_end) OVER (PARTITION BY resource ORDER BY _start, id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM allocations WHERE resource = mirror_of) AS masters
        WHERE _start <= before
    """,
}
"""What must not be there in pairs."""


def _lost(session: Any, ledger: Ledger) -> list[str]:
    """Find what was acknowledged last, but is not stored like that."""
    lost = []
    for token, expected in ledger.acknowledged.items():
        if token not in ledger.uncertain:
            found = state_of(session, token)
            if found != expected:
                lost.append(f"{token}: {expected} was acknowledged, found {found}")
    return lost
