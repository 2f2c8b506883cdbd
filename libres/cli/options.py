"""Options that several commands share, and how their values are checked."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import click

from libres.domain.days import check_timezone


def zone_named(
    _context: click.Context, _option: click.Parameter, name: str
) -> ZoneInfo:
    """Return the zone of this name.

    Raises BadParameter, with the name that comes closest, if there is none.
    """
    try:
        return ZoneInfo(check_timezone(name))
    except (ValueError, KeyError) as error:
        others = available_timezones() - {name}
        close = get_close_matches(name, others, n=1) or ["Europe/Zurich"]
        message = f"{name!r} is not a timezone: try {close[0]}."
        raise click.BadParameter(message) from error


def plain_text(_context: click.Context, _option: click.Parameter, value: Any) -> Any:
    """Return a text, or several, as they are. Raises BadParameter for other bytes."""
    texts = value if isinstance(value, tuple) else (value or "",)
    if any("\ud800" <= letter <= "\udfff" for text in texts for letter in text):
        message = "It is not written in the encoding of this terminal."
        raise click.BadParameter(message)
    return value


dsn_option = click.option(
    "--dsn",
    metavar="DSN",
    help="A PostgreSQL server, as in postgresql://user:password@host/database; "
    "by default a private one is started (needs the extra 'embedded').",
)

told_dsn_option = click.option(
    "--dsn",
    metavar="DSN",
    help="A PostgreSQL server, as in postgresql://user:password@host/database; "
    "by default a private one is started (needs the extra 'embedded').",
    envvar="LIBRES_DSN",
    show_envvar=True,
)
"""The same, for what runs beside a server, or by itself: the environment may name it.
"""

timezone_option = click.option(
    "--timezone",
    callback=zone_named,
    default="Europe/Berlin",
    show_default=True,
    metavar="ZONE",
    help="The timezone of the resources.",
)

blocking_option = click.option(
    "--blocking",
    multiple=True,
    callback=plain_text,
    metavar="NAME",
    help="A resource whose reservations are in its way; repeatable.",
)

web_context_option = click.option(
    "--context",
    "context_name",
    callback=plain_text,
    default="libres",
    show_default=True,
    metavar="NAME",
    help="What is served: the name of the context.",
)
