"""What the jobs do: each calls what it is about, in transactions of its own."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final

from sqlalchemy import DDL, Text, bindparam, text

from libres.db.models.timestamp import TimestampMixin
from libres.db.queries import Queries
from libres.jobs.dropping import kept_until
from libres.jobs.reporting import daily_report
from libres.jobs.values import Done, Failed, Skip
from libres.occupancy import Occupancy
from libres.sync.audit import Audit
from libres.sync.errors import KeysMissing
from libres.sync.feed import partitions
from libres.sync.models import MODELS
from libres.sync.service import Sync
from libres.sync.transacting import alone, apart

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.jobs.dropping import Kept

ddl: Callable[[str], DDL] = DDL

# The feed, and its proof --------------------------------------------------------------


def number(context: Context) -> Done:
    """Number changes that wait."""
    return Done(Sync(context).number())


def waiting_changes(context: Context) -> int:
    """Count changes that wait for a number."""
    return Sync(context).lag().pending


MONTHS: Final = 2


def make_partitions(context: Context) -> Done:
    """Make the partitions of the months to come."""
    with apart(context) as connection:
        now = TimestampMixin.timestamp()
        made = partitions.ahead(connection, now, MONTHS)
    return Done(len(made), " ".join(made))


def anchor(context: Context) -> Done:
    """Sign the chain. Skips without keys."""
    try:
        position = Audit(context).anchor()
    except KeysMissing as error:
        raise Skip(str(error)) from error
    return Done(1, f"Signed up to change {position:,}.")


def verify(context: Context) -> Done:
    """Look whether what was noted is as it was. Raises Failed."""
    verdict = Audit(context).verify()
    if not verdict.is_good:
        message = f"Change {verdict.bad:,}: " if verdict.bad is not None else ""
        raise Failed(message + verdict.problem)
    return Done(verdict.checked, f"Verified up to change {verdict.last:,}.")


# What is not kept ---------------------------------------------------------------------


def dropping(kept: Kept) -> Callable[[Context], Done]:
    """Return what drops old rows of a table."""
    return lambda context: Done(kept.drop(context))


def drop_changes(context: Context) -> Done:
    """Tell devices no more of changes that are old."""
    return Done(Sync(context).drop_old_changes(kept_until(context, "feed_kept")))


def drop_audit(context: Context) -> Done:
    """Drop old changes from the audit as well."""
    with apart(context) as connection:
        is_audited = connection.execute(AUDITED, {"context": context.name}).scalar()
    if not is_audited:
        why = "Nothing is kept for the audit: 'libres.sync.audit.setup'."
        raise Skip(why)
    return Done(Audit(context).drop_old(kept_until(context, "audit_kept")))


AUDITED: Final = text("""\
SELECT audited FROM sync_feeds WHERE context = :context
""").bindparams(bindparam("context", type_=Text()))


def drop_tokens(context: Context) -> Done:
    """Forget tokens and counts that are over."""
    return Done(Sync(context).drop_over())


def tokens_over(context: Context) -> int:
    """Count tokens and counts that are over."""
    return Sync(context).over()


def drop_feeds(context: Context) -> Done:
    """Forget what was removed long ago, of which calendars are told."""
    try:
        feeds = import_module("libres.web.feeds.service").Feeds(context)
    except ModuleNotFoundError as error:
        raise Skip(NO_WEB) from error
    return Done(context.transaction(feeds.forget))


NO_WEB: Final = "It needs more than is installed: pip install 'libres[web]'."


def drop_carts(context: Context) -> Done:
    """Remove the reservations of sessions that nobody has confirmed in time."""
    queries = Queries(context)
    return Done(len(context.transaction(queries.remove_expired_reservation_sessions)))


def carts_over(context: Context) -> int:
    """Count such sessions."""
    queries = Queries(context)
    found = context.transaction(lambda: queries.find_expired_reservation_sessions(None))
    return len(found)


def drop_keys(context: Context) -> Done:
    """Forget keys of reservations under which nothing is repeated any more."""
    return Done(context.transaction(Queries(context).remove_expired_idempotency_keys))


# Rooms that stay empty ----------------------------------------------------------------


def release_no_shows(context: Context) -> Done:
    """Give back what was reserved by those who do not come."""
    occupancy = Occupancy(context)
    found = context.transaction(lambda: occupancy.find_no_shows(release=True))
    released = sum(each.action == "released" for each in found)
    return Done(released, f"{len(found):,} did not come, or nobody knows.")


# Figures ------------------------------------------------------------------------------


def report(context: Context) -> Done:
    """Say what was asked for in the last day."""
    told = daily_report(context)
    return Done(told.operations, str(told))


DAYS: Final = 7


def analyze(context: Context) -> Done:
    """Say what the figures of the last days suggest."""
    try:
        figures = import_module("libres.web.api.sync.figures")
    except ModuleNotFoundError as error:
        raise Skip(NO_WEB) from error
    found = context.transaction(
        lambda: figures.performance(
            Sync(context).session, context.name, DAYS, TimestampMixin.timestamp()
        )
    )
    said = found["optimization_suggestions"]
    return Done(len(said), " ".join(said) or "The figures suggest nothing.")


EXISTING: Final = text("""\
SELECT name FROM unnest(CAST(:names AS text[])) AS name
WHERE to_regclass(name) IS NOT NULL
""").bindparams(bindparam("names"))


def care(context: Context) -> Done:
    """Let PostgreSQL know anew what is in the tables of synchronisation."""
    names = [model.__tablename__ for model in MODELS]
    with alone(context) as connection:
        found = connection.execute(EXISTING, {"names": names}).scalars().all()
    for name in found:
        with alone(context) as connection:
            connection.execute(ddl(f"ANALYZE {name}"))
    return Done(len(found))
