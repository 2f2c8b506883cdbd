"""Snaps times to the raster of an allocation and walks its steps.

Works on the wall-clock minute of what it is given and keeps the tzinfo. Ends are
stored ends: one microsecond before the next step begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias, cast, get_args

from libres.modules.errors import Misuse

__all__ = (
    "MAX_RASTER",
    "MIN_RASTER",
    "VALID_RASTER",
    "Raster",
    "is_valid_raster",
    "iterate_span",
    "rasterize_end",
    "rasterize_span",
    "rasterize_start",
)

Raster: TypeAlias = Literal[5, 10, 15, 30, 60]
"""The length of a step in minutes; each divides the hour."""

VALID_RASTER: Final[tuple[Raster, ...]] = get_args(Raster)
MIN_RASTER: Final[Raster] = VALID_RASTER[0]
MAX_RASTER: Final[Raster] = VALID_RASTER[-1]

TICK: Final = timedelta(microseconds=1)
"""What a stored end lacks, so that adjacent spans never touch."""


def is_valid_raster(raster: object) -> bool:
    """Tell whether *raster* is one of 5, 10, 15, 30 and 60 minutes."""
    return raster in VALID_RASTER and not isinstance(raster, bool)


def checked_raster(raster: object) -> Raster:
    """Return *raster* itself, typed.

    Raises Misuse if it is not one of the five.
    """
    if not is_valid_raster(raster):
        valid = ", ".join(map(str, VALID_RASTER))
        message = f"{raster!r} is not a raster: use one of {valid} (minutes)."
        raise Misuse(message)
    return cast("Raster", raster)


def rasterize_start(date: datetime, raster: Raster) -> datetime:
    """Move *date* back to the beginning of the step it lies in.

    Raises Misuse if *raster* is not valid.
    """
    minute = date.minute - date.minute % checked_raster(raster)
    return date.replace(minute=minute, second=0, microsecond=0)


def rasterize_end(date: datetime, raster: Raster) -> datetime:
    """Move *date* to the end of its step, less one microsecond.

    A time on the raster is the end of the step before it: 10:00 becomes
    09:59:59.999999; 10:07 with raster 15 becomes 10:14:59.999999. What this function
    has returned it returns again.

    Raises Misuse if *raster* is not valid.
    """
    minute = date.replace(second=0, microsecond=0)
    if minute.minute % checked_raster(raster) == 0:
        return minute - TICK
    return rasterize_start(minute, raster) + timedelta(minutes=raster) - TICK


def rasterize_span(
    start: datetime, end: datetime, raster: Raster
) -> tuple[datetime, datetime]:
    """Rasterise both ends. Raises Misuse if *raster* is not valid."""
    return rasterize_start(start, raster), rasterize_end(end, raster)


def iterate_span(
    start: datetime, end: datetime, raster: Raster
) -> Iterator[tuple[datetime, datetime]]:
    """Yield (start, end) of every step between *start* and *end*, rasterised.

    Raises Misuse if *raster* is not valid.
    """
    start, end = rasterize_span(start, end, raster)
    step = timedelta(minutes=raster)
    while start <= end:
        yield start, start + step - TICK
        start += step
