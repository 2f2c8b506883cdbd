"""Another name of `libres.timetable`."""

from __future__ import annotations

from libres import timetable
from libres.timetable import *  # noqa: F403 - all of it, and nothing else

__all__ = timetable.__all__
