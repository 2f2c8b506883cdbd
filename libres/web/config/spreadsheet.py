"""Writes CSV that spreadsheets open as it is meant, as it is read: text remains text.

The answer is sent row by row, so its length does not matter, and no transaction is kept
open meanwhile: what gives the rows reads them page by page.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import Final

from flask import Response, stream_with_context

from libres.domain.days import UTC
from libres.web.edge import edge

BOM: Final = "\ufeff"
"""Without it Excel takes UTF-8 for the characters of some other century."""

CHUNK: Final = 32 * 1024
"""Characters that are sent at once, roughly."""

INCOMPLETE: Final = "INCOMPLETE: something went wrong here, the rest is missing."
"""The last row of an answer that had begun before something went wrong."""

_SIGNS: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
"""What a formula begins with, and the wide and small variants that some read alike."""

_UNSEEN: Final = (
    "\x01-\x08\x0b-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
    "\"'`\xad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffd"
)
"""What programs skip before it: blanks, quotes, and what is not seen."""

_FORMULA: Final = re.compile(
    f"\\A(?!')(?=[\t\n{_UNSEEN}]*[{_SIGNS}])"
    f"|(?<=[;\t\n])(?!')(?=[{_UNSEEN}]*[{_SIGNS}])"
)
"""Where a formula would begin: at the beginning of a text, and behind whatever parts
cells where commas do not; an apostrophe is there already, if it was written so."""

_BREAKS: Final = re.compile("\r\n?|\x0b|\x0c|\x85|\u2028|\u2029")


def csv_answer(
    name: str, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> Response:
    """Answer with a file of a *name*, for spreadsheets: RFC 4180, UTF-8 with a mark.

    Numbers stay numbers, moments are ISO 8601 in UTC, None is empty, flags are ``true``
    and ``false``, and lists and mappings JSON. A text that a spreadsheet might take for
    a formula gets an apostrophe before it. What goes wrong before the first row is
    raised here; after that the file ends with a row that says so, and the connection
    breaks.
    """
    given = iter(rows)
    first = list(_first(given))
    edge().release()
    made = _chunks(header, chain(first, given))
    response = Response(stream_with_context(made), content_type=TYPE)
    response.headers.set("Content-Disposition", "attachment", filename=_file_name(name))
    return response


TYPE: Final = "text/csv; charset=utf-8; header=present"


def _first(given: Iterator[Sequence[object]]) -> Iterator[Sequence[object]]:
    """Yield the first row, if there is one: what is asked for may make no sense."""
    for each in given:
        yield each
        return


def _file_name(name: str) -> str:
    """Return a name that every system takes for a file: ASCII, and no path."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name.removesuffix(".csv"))
    return f"{plain.strip('.-_')[:100] or 'table'}.csv"


def _chunks(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """Yield the file, some rows at once."""
    buffer = io.StringIO(BOM, newline="")
    buffer.seek(len(BOM))
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([cell(each) for each in header])
    try:
        for row in rows:
            writer.writerow([cell(each) for each in row])
            if buffer.tell() >= CHUNK:
                yield _taken(buffer)
    except Exception:
        writer.writerow([INCOMPLETE])
        yield _taken(buffer)
        raise
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    """Empty the buffer. What is half a character is told by a question mark."""
    found = buffer.getvalue().encode("utf-8", "replace")
    buffer.seek(0)
    buffer.truncate()
    return found


# Cells --------------------------------------------------------------------------------


def cell(value: object) -> str | int | float | Decimal:
    """Return what a cell holds: a number, or a text that is no formula."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() | float() | Decimal() if math.isfinite(value):
            return value
        case datetime():
            return _moment(value)
        case date():
            return value.isoformat()
        case dict() | list() | tuple():
            return harmless(json.dumps(value, default=str, ensure_ascii=False))
        case _:
            return harmless(str(value))


def harmless(text: str) -> str:
    """Put an apostrophe wherever a spreadsheet might find a formula in a text.

    Breaks of lines become those of spreadsheets, and NUL becomes visible.
    """
    plain = text.replace("\0", "\ufffd")
    if plain[:1] in _LEADING:
        plain = f"'{plain}"
    return _FORMULA.sub("'", _BREAKS.sub("\n", plain))


_LEADING: Final = ("\t", "\r", "\n")
"""What some spreadsheets drop at the beginning, and look at what is behind it."""


def _moment(value: datetime) -> str:
    return (value if value.tzinfo is None else value.astimezone(UTC)).isoformat()
