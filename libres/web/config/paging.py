"""Leads through long tables, page by page, by where the page before has ended.

So a page costs the same however far back it is, and what is added at the top meanwhile
moves nothing to the next page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from flask import request, url_for

from libres.web.edge import cursor_of, cursor_values
from libres.web.errors import InvalidRequest

T = TypeVar("T")

SIZE: Final = 100
"""Rows of a page."""

BEFORE: Final = "before"
"""The parameter that says where a page begins."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a table, the latest first."""

    rows: Sequence[T]
    next: str | None
    """Where the next one begins; None: there are no older rows."""

    @property
    def is_first(self) -> bool:
        """Nothing is newer."""
        return BEFORE not in request.args

    @property
    def older_url(self) -> str | None:
        """Where the older rows are, by the same filters; None: there are none."""
        return None if self.next is None else here(**{BEFORE: self.next})

    @property
    def newest_url(self) -> str:
        """Where the newest rows are, by the same filters."""
        return here(**{BEFORE: None})


def page_of(
    found: Sequence[T], key: Callable[[T], Sequence[object]], size: int = SIZE
) -> Page[T]:
    """Make a page of up to *size* + 1 rows that were found: one more than it shows
    tells that there are older ones. *key* is what they are sorted by."""
    rows = found[:size]
    return Page(rows, cursor_of(*key(rows[-1])) if len(found) > size else None)


def begins(*kinds: Callable[[Any], Any]) -> list[Any] | None:
    """Return the key of the row before this page, each value by its kind; None: it is
    the first page. Raises InvalidRequest for what no page of ours has said."""
    told = request.args.get(BEFORE)
    if not told:
        return None
    try:
        return cursor_values(told, *kinds)
    except InvalidRequest as error:
        message = "Not a page of this table: begin with the newest rows."
        raise InvalidRequest(errors={BEFORE: [message]}) from error


def here(**changed: str | None) -> str:
    """Return the address of this page with other parameters; None: without one."""
    kept = {**request.args.to_dict(), **(request.view_args or {}), **changed}
    told = {name: each for name, each in kept.items() if each not in (None, "")}
    return url_for(request.endpoint or "", **told)
