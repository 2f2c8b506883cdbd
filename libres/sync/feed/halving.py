"""Writes the SQL that finds, among the changes of a context, where a moment lies.

The numbers have no gaps, and their times never go back: so halving finds one, by
looking at some twenty changes of a million.
"""

from __future__ import annotations

from typing import Final

STEP: Final = """\
    SELECT
        {kept}
        CASE WHEN numbered {before} THEN middle ELSE low END,
        CASE WHEN numbered {before} THEN high ELSE middle - 1 END
    FROM halved
    CROSS JOIN LATERAL (SELECT (low + high + 1) / 2 AS middle) AS halving
    CROSS JOIN LATERAL (
        SELECT numbered FROM sync_changes WHERE context = :context AND position = middle
    ) AS change
    WHERE low < high"""
"""A step of the recursion of ``halved (…, low, high)``: *kept* are its other columns,
and what was numbered *before* is not beyond the moment. It ends with ``low = high``."""
