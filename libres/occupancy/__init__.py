"""Occupancy: how many people are in a space, now and at any moment?

Sensors above doorways tell who walks through, which way. Events may come late, twice
and in any order; sensors may be moved; what is known of a count may be told.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from libres.occupancy.calibrating import Calibrated
from libres.occupancy.counting import Count, Extreme, Extremes, Passages
from libres.occupancy.errors import (
    AlreadyWatched,
    InvalidMoment,
    InvalidPlace,
    UnknownPlace,
    UnreadableFile,
)
from libres.occupancy.findings import Finding, on_finding
from libres.occupancy.health import Health, LeftOut, Strange
from libres.occupancy.ingesting import Loaded, Recorded
from libres.occupancy.moving import Assignment
from libres.occupancy.places import Doorway, Sensor, Space
from libres.occupancy.proving import TallyDifference
from libres.occupancy.readings import Reading, Unreadable
from libres.occupancy.service import Occupancy
from libres.occupancy.steps import Step
from libres.occupancy.utilisation import Utilisation

if TYPE_CHECKING:
    from libres.context.core import Context

__all__ = (
    "AlreadyWatched",
    "Assignment",
    "Calibrated",
    "Count",
    "Doorway",
    "Extreme",
    "Extremes",
    "Finding",
    "Health",
    "InvalidMoment",
    "InvalidPlace",
    "LeftOut",
    "Loaded",
    "Occupancy",
    "Passages",
    "Reading",
    "Recorded",
    "Sensor",
    "Space",
    "Step",
    "Strange",
    "TallyDifference",
    "UnknownPlace",
    "Unreadable",
    "UnreadableFile",
    "Utilisation",
    "on_finding",
    "setup",
)


def setup(context: Context, retention: timedelta | None = None) -> Occupancy:
    """Create the tables of occupancy; not committed.

    The tables of the core must be there. May be called at each start.
    """
    occupancy = Occupancy(context, retention)
    occupancy.setup()
    return occupancy
