"""Repeats a proposal by a rule, on the clock of a zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final

from dateutil.rrule import rrulebase, rrulestr

from libres.conflicts.claim import Proposal
from libres.conflicts.errors import InvalidClaim
from libres.conflicts.values import Doubtful, period_of
from libres.domain.days import check_timezone, to_zone

MOST_REPEATS: Final = 1000
"""Repeats of one call; more of them would be a mistake."""

LONGEST_RULE: Final = 1000
"""Characters."""


def recurring(
    proposal: Proposal,
    rule: str,
    timezone: str,
    until: datetime | None = None,
    doubtful: Doubtful = "later",
) -> list[Proposal]:
    """Return the proposal at each time of a rule; the parts are numbered on.

    *rule* is an RRULE of RFC 5545, without DTSTART: the proposal's start is the first
    time. The clock of *timezone* counts: nine o'clock stays nine o'clock when clocks
    are moved. Times that are none or two moments then are read as *doubtful* says.
    *until* is aware, times that start then are left out.

    Raises InvalidClaim for a rule that is none, or has more than 1,000 times.
    """
    check_timezone(timezone)
    start, end = proposal.during.start, proposal.during.end
    if start is None or end is None:
        message = "A time without an end cannot be repeated."
        raise InvalidClaim(message)
    first, last = (_on_the_clock(moment, timezone) for moment in (start, end))
    return [
        replace(
            proposal,
            during=period_of((time, time + (last - first)), timezone, doubtful),
            part=proposal.part + number,
        )
        for number, time in enumerate(_times(rule, first, _last(until, timezone)))
    ]


def _on_the_clock(moment: datetime, timezone: str) -> datetime:
    return to_zone(moment, timezone).replace(tzinfo=None)


def _last(until: datetime | None, timezone: str) -> datetime | None:
    return None if until is None else _on_the_clock(until, timezone)


def _times(rule: str, first: datetime, last: datetime | None) -> list[datetime]:
    found = list(islice(_before(_read(rule, first), last), MOST_REPEATS + 1))
    if len(found) > MOST_REPEATS:
        message = f"The rule {rule!r} has more than {MOST_REPEATS} times: say COUNT."
        raise InvalidClaim(message)
    if not found:
        message = f"The rule {rule!r} has no time at all."
        raise InvalidClaim(message)
    return found


def _before(times: rrulebase, last: datetime | None) -> Iterator[datetime]:
    for time in times:
        if last is not None and time >= last:
            return
        yield time


def _read(rule: object, first: datetime) -> rrulebase:
    if not isinstance(rule, str) or not rule.strip() or len(rule) > LONGEST_RULE:
        message = f"A rule is a text such as 'FREQ=WEEKLY;COUNT=4', not {rule!r:.60}."
        raise InvalidClaim(message)
    try:
        return rrulestr(rule, dtstart=first, ignoretz=True)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        message = f"{rule!r:.60} is no rule of RFC 5545 ({error}): see RRULE there."
        raise InvalidClaim(message) from error
