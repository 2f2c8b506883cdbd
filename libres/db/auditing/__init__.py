"""Looks for rows that should not exist, says what to do, and mends what it can.

The checks are one visible list, :data:`CHECKS`. Auditing changes nothing; whether a
finding can be mended without a decision is part of the finding.
"""

from libres.db.auditing.checks import CHECKS, Check
from libres.db.auditing.findings import Finding, MissingTablesError
from libres.db.auditing.reading import audit
from libres.db.auditing.repairing import repair

__all__ = (
    "CHECKS",
    "Check",
    "Finding",
    "MissingTablesError",
    "audit",
    "repair",
)
