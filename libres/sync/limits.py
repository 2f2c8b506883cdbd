"""Counts how often somebody asks, and refuses what is too much: in all processes alike.

A window begins with the first request and ends when its time is over, however much is
refused meanwhile. What is refused is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ARRAY, Integer, Text, bindparam, text

from libres.sync.errors import TooManyRequests
from libres.sync.models.columns import MOMENT
from libres.sync.transacting import alone, apart

if TYPE_CHECKING:
    from libres.context.core import Context

LONGEST: Final = timedelta(days=1)
"""Windows that began before are forgotten; none is longer."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests of somebody are answered within a window."""

    who: str
    most: int
    seconds: int
    """The length of the window; a day at most."""


def count(context: Context, limits: Sequence[Limit], now: datetime) -> None:
    """Count a request, in all windows or in none.

    One statement in a transaction of its own: of those who ask at the same moment no
    more get through than may. Raises TooManyRequests.
    """
    if not limits:
        return
    with alone(context) as connection:
        rows = connection.execute(COUNT, _values(context, limits, now)).all()
    ends = [row.ends for row in rows if row.is_full]
    if ends:
        wait = (max(ends) - now).total_seconds()
        raise TooManyRequests(MESSAGE, retry_after=max(1, math.ceil(wait)))


def give_back(context: Context, limits: Sequence[Limit], now: datetime) -> None:
    """Take back what was counted, as it was not what the limit is for."""
    if limits:
        with apart(context) as connection:
            connection.execute(GIVE_BACK, _values(context, limits, now))


def drop_over(context: Context, now: datetime) -> int:
    """Forget windows that are over; return how many there were."""
    with apart(context) as connection:
        return connection.execute(DROP, _before(context, now)).rowcount


def over(context: Context, now: datetime) -> int:
    """Tell how many windows `drop_over` would forget."""
    with apart(context) as connection:
        return int(connection.execute(OVER, _before(context, now)).scalar() or 0)


def _before(context: Context, now: datetime) -> dict[str, Any]:
    return {"context": context.name, "before": now - LONGEST}


def _values(context: Context, limits: Sequence[Limit], now: datetime) -> dict[str, Any]:
    ordered = sorted(limits, key=lambda each: (each.who, each.seconds))
    return {
        "context": context.name,
        "now": now,
        "who": [each.who for each in ordered],
        "most": [each.most for each in ordered],
        "seconds": [each.seconds for each in ordered],
    }


MESSAGE: Final = "You ask too often: wait, and ask again."

_PASSED: Final = (
    bindparam("context", type_=Text()),
    bindparam("now", type_=MOMENT),
    bindparam("who", type_=ARRAY(Text())),
    bindparam("most", type_=ARRAY(Integer())),
    bindparam("seconds", type_=ARRAY(Integer())),
)

_IS_OVER: Final = """\
(abs(extract(epoch FROM (:now - sync_limits.began))) >= sync_limits.seconds)"""
"""A window that lies as far ahead was begun by a clock that has been set back."""

COUNT: Final = text(f"""\
WITH asked AS (
    SELECT * FROM unnest(:who, :most, :seconds) AS asked (who, most, seconds)
), running AS MATERIALIZED (
    SELECT sync_limits.*, asked.most
    FROM sync_limits JOIN asked USING (who, seconds)
    WHERE sync_limits.context = :context AND NOT {_IS_OVER}
    ORDER BY who, seconds FOR UPDATE OF sync_limits
), full_ones AS (
    SELECT * FROM running WHERE count >= most
), counted AS (
    INSERT INTO sync_limits (context, who, seconds, began, count)
    SELECT :context, who, seconds, :now, 1 FROM asked
    WHERE NOT EXISTS (SELECT FROM full_ones)
    ORDER BY who, seconds
    ON CONFLICT (context, who, seconds) DO UPDATE SET
        began = CASE WHEN {_IS_OVER} THEN excluded.began ELSE sync_limits.began END,
        count = CASE WHEN {_IS_OVER} THEN 1 ELSE sync_limits.count + 1 END
    RETURNING who, seconds, began, count
)
SELECT began + make_interval(secs => seconds) AS ends, true AS is_full FROM full_ones
UNION ALL
SELECT began + make_interval(secs => seconds), count > most
FROM counted JOIN asked USING (who, seconds)
""").bindparams(*_PASSED)
"""Locks what is counted already, so that it is judged one after the other; of those who
come first, and find nothing to lock, each is judged by what it has counted itself."""

GIVE_BACK: Final = text("""\
UPDATE sync_limits SET count = count - 1
FROM unnest(:who, :seconds) AS asked (who, seconds)
WHERE sync_limits.context = :context AND sync_limits.who = asked.who
    AND sync_limits.seconds = asked.seconds AND count > 0
""").bindparams(*(each for each in _PASSED if each.key not in {"now", "most"}))

_WINDOWS: Final = "FROM sync_limits WHERE context = :context AND began < :before"
_BEFORE: Final = (
    bindparam("before", type_=MOMENT),
    bindparam("context", type_=Text()),
)

DROP: Final = text(f"DELETE {_WINDOWS}").bindparams(*_BEFORE)

OVER: Final = text(f"SELECT count(*) {_WINDOWS}").bindparams(*_BEFORE)
