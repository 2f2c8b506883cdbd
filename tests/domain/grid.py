"""The slow truth: one entry for each five minutes, and nothing clever.

Written without a look at the library: what is a span there is a list of cells here,
and clock changes are noticed by walking from cell to cell with the clock of zoneinfo.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import groupby
from zoneinfo import ZoneInfo

import pytz

STEP = timedelta(minutes=5)


@cache
def zone(name):
    """The zone as zoneinfo understands it, from the very data that pytz has."""
    with pytz.open_resource(name) as data:
        return ZoneInfo.from_file(data, key=name)


def offset(moment, name):
    """What the clocks of a zone add to UTC."""
    return moment.astimezone(zone(name)).utcoffset()


def clock(moment, name):
    """What the clocks of a zone show, naive."""
    return moment.astimezone(zone(name)).replace(tzinfo=None)


@cache
def changes(name, year):
    """All (moment, amount) of a year, found by looking once a week, then closer."""
    start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    found, week = [], timedelta(days=7)
    while start < end:
        following = min(start + week, end)
        if offset(start, name) != offset(following, name):
            found.append(_change_between(start, following, name))
        start = following
    return tuple(found)


def _change_between(before, after, name):
    was, seconds = offset(before, name), int((after - before).total_seconds())
    low, high = 0, seconds
    while high - low > 1:
        middle = (low + high) // 2
        same = offset(before + timedelta(seconds=middle), name) == was
        low, high = (middle, high) if same else (low, middle)
    moment = before + timedelta(seconds=high)
    return moment, offset(moment, name) - was


def cells(start, end):
    """The start of each five minutes."""
    found = []
    while start < end:
        found.append(start)
        start += STEP
    return found


def left(span, raster, taken, quota, *, partly):
    """Per cell: how many places are left, and whether it is blocked.

    Each step of the raster is as a whole as full as any cell of it; so is everything
    that is not partly available.
    """
    all_cells = cells(span.start, span.end)
    size = raster // 5 if partly else 1
    found = []
    for number in range(len(all_cells)):
        step = all_cells[number // size * size :][:size]
        blocked = any(_covering(cell, taken, blocked=True) for cell in step)
        most = max(_covering(cell, taken, blocked=False) for cell in step)
        found.append((0 if blocked else max(0, quota - most), blocked))
    if not partly:
        blocked = any(blocked for _, blocked in found)
        fewest = 0 if blocked else min(left for left, _ in found)
        found = [(fewest, blocked)] * len(found)
    return found


def _covering(cell, taken, *, blocked):
    """How much of it covers a cell?"""
    return sum(
        each.span.start <= cell < each.span.end
        for each in taken
        if each.blocked == blocked
    )


def begins_a_day(moment, name):
    """Whether the clock showed another date just before."""
    before = clock(moment - timedelta(microseconds=1), name)
    return clock(moment, name).date() != before.date()


def on_the_wall(span, found, name):
    """The same as the clocks of a zone show it.

    Where they go back, what they show twice is dropped the first time; if that lies
    before the beginning, as much of the beginning is. Where they go forward, cells
    that are taken come in between. If nothing is left, the clocks are not looked at.

    A change at the end still counts, as it does for the time that is displayed there,
    and one at the beginning does not. Where midnight is missing, it is the other way
    round: what is missing belongs to whole days that begin with it.
    """
    if clock(span.end, name) <= clock(span.start, name):
        return found
    new_day = begins_a_day(span.end, name)
    whole = new_day and begins_a_day(span.start, name)
    shown, owed = [], 0
    was = offset(span.start, name)
    if whole:
        was = min(was, offset(span.start - timedelta(microseconds=1), name))
    for number, cell in enumerate([*cells(span.start, span.end), span.end]):
        is_now = offset(cell, name)
        jump, was = (is_now - was) // STEP, is_now
        if new_day and cell == span.end:
            jump = min(0, jump)
        shown += [(0, False)] * jump
        owed += max(0, -jump - len(shown))
        del shown[max(0, len(shown) + min(0, jump)) :]
        if owed:
            owed -= 1
        elif number < len(found):
            shown.append(found[number])
    return shown


def availability(found, quota):
    """Percent of what is not blocked that is left."""
    places = [left for left, blocked in found if not blocked]
    return 100 * sum(places) / (quota * len(places)) if places else 0.0


def partitions(found):
    """Runs of cells with and without a place left, in percent."""
    runs = groupby(left == 0 for left, _ in found)
    return [(100 * len(list(run)) / len(found), is_full) for is_full, run in runs]
