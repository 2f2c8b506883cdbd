"""Timetables: who of ten thousand is free?

A subject is somebody, or something, of whom one asks when it is free: a tutor, a
vehicle. Its resource is the scheduler's of its name. Free is what is allocated minus
what is reserved, blocked or claimed, derived from those rows whenever it is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libres.timetable.asking import Reason
from libres.timetable.assigning import Assignment, Event
from libres.timetable.booking import Booked
from libres.timetable.caching import CacheDifference
from libres.timetable.calendars import InvalidCalendar
from libres.timetable.closing import Closed
from libres.timetable.errors import (
    InvalidSubject,
    InvalidWindow,
    NotCached,
    UnknownSubject,
)
from libres.timetable.heatmap import Heat
from libres.timetable.hours import InvalidHours, SpecialDay, Weekly
from libres.timetable.planning import Applied
from libres.timetable.rules import Common, Opportunity
from libres.timetable.service import Timetable
from libres.timetable.subjects import Subject

if TYPE_CHECKING:
    from libres.context.core import Context

__all__ = (
    "Applied",
    "Assignment",
    "Booked",
    "CacheDifference",
    "Closed",
    "Common",
    "Event",
    "Heat",
    "InvalidCalendar",
    "InvalidHours",
    "InvalidSubject",
    "InvalidWindow",
    "NotCached",
    "Opportunity",
    "Reason",
    "SpecialDay",
    "Subject",
    "Timetable",
    "UnknownSubject",
    "Weekly",
    "setup",
)


def setup(context: Context) -> Timetable:
    """Create the tables of timetables, and indexes on those they read; not committed.

    The tables of the core must be there. May be called at each start.
    """
    timetable = Timetable(context)
    timetable.setup()
    return timetable
