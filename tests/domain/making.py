"""Makes what the tests of the domain are about: times, spans, masters, examples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from libres.domain.places import Master
from libres.domain.spans import Span
from libres.modules.rasterizer import VALID_RASTER

TICK = timedelta(microseconds=1)
STEP = timedelta(minutes=5)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

MONDAY = datetime(2030, 6, 3, tzinfo=UTC)
ROOM = UUID("b6c5e2f0-0000-4000-8000-000000000001")
HALL = UUID("b6c5e2f0-0000-4000-8000-000000000002")
GROUP = UUID("b6c5e2f0-0000-4000-8000-00000000000a")

quick = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""Enough to find what is wrong over the days, few enough for the whole folder to stay
below three seconds; nothing depends on how fast the machine is."""


def at(clock, day=0):
    """A time of that Monday, in UTC; may go beyond 24:00."""
    hour, minute, *rest = clock.split(":")
    seconds = float(rest[0]) if rest else 0
    since = timedelta(days=day, hours=int(hour), minutes=int(minute), seconds=seconds)
    return MONDAY + since


def span(start, end, day=0):
    """A span of that Monday."""
    return Span(at(start, day), at(end, day))


def utc(text):
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text):
    """A naive time, as a person would say it."""
    return datetime.fromisoformat(text)


def master(start="8:00", end="18:00", **values):
    """An allocation of that Monday: one place, partly available, in quarters."""
    known = {
        "id": 1,
        "resource": ROOM,
        "group": GROUP,
        "span": span(start, end),
        "raster": 15,
        "timezone": "Europe/Zurich",
        "quota": 1,
        "quota_limit": 0,
        "partly_available": True,
        "approve_manually": False,
    }
    return Master(**(known | values))


rasters = st.sampled_from(VALID_RASTER)


def moments(first=-300, last=300):
    """Moments on the grid of five minutes, around that Monday."""
    return st.integers(first, last).map(lambda steps: MONDAY + steps * STEP)


@st.composite
def spans(draw, shortest=1, longest=150):
    """Spans on the grid, *shortest* to *longest* steps of five minutes."""
    start = draw(moments())
    return Span(start, start + draw(st.integers(shortest, longest)) * STEP)


@st.composite
def allocated(draw, longest=40):
    """A raster, and a span of 1 to *longest* of its steps."""
    raster = draw(rasters)
    step = timedelta(minutes=raster)
    start = MONDAY + draw(st.integers(-30, 30)) * step
    return raster, Span(start, start + draw(st.integers(1, longest)) * step)


@st.composite
def within(draw, whole, beyond=6):
    """A span on the grid that begins in or near *whole*, which it may leave."""
    steps = whole.duration // STEP
    start = whole.start + draw(st.integers(-beyond, steps + beyond)) * STEP
    return Span(start, start + draw(st.integers(1, steps + beyond)) * STEP)
