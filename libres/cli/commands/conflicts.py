"""``libres conflicts``: asks and lists claims, compares them with what they are of."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from libres.cli.database import connected
from libres.cli.options import dsn_option
from libres.cli.terminal import console, printable
from libres.conflicts import OPEN, Claim, Claims, Proposal

if TYPE_CHECKING:
    from collections.abc import Callable

    from libres.conflicts.query import ClaimQuery
    from libres.conflicts.rules import Hit

FOUND = 1
"""The exit status if it is not free, or if something differs."""

PAGE = 1000

COLUMNS = ("id", "source", "source_id", "part", "resource", "start", "end")
SPAN = ("lower", "upper", "bounds")
REST = ("tentative", "label", "url")

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet calculate instead of showing a text."""


def moment(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> datetime | None:
    """Read a time with its offset. Raises BadParameter for anything else."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None:
        message = f"{value!r} is not a time with an offset, as 2030-01-07T09:00+01:00."
        raise click.BadParameter(message)
    return found


context_option = click.option(
    "--context",
    "context_name",
    required=True,
    metavar="NAME",
    help="Whose claims: the name of the context.",
)


@click.group()
def conflicts() -> None:
    """Ask the claims of a context, list them, and compare them with their sources."""


@conflicts.command()
@dsn_option
@context_option
@click.option(
    "--mirror",
    is_flag=True,
    help="Let approved reservations and blockers of the core be claims.",
)
@click.option("--mirror-pending", is_flag=True, help="Pending ones as well.")
def setup(
    dsn: str | None, context_name: str, mirror: bool, mirror_pending: bool
) -> None:
    """Create the tables of claims, their guard and triggers. May be repeated."""
    with _claims(dsn, context_name) as claims:
        _transaction(
            claims,
            lambda: claims.setup(
                mirror_reservations=mirror, mirror_pending=mirror_pending
            ),
        )
    click.echo("Claims are set up.")


@conflicts.command()
@dsn_option
@context_option
@click.argument("resource")
@click.argument("start", callback=moment)
@click.argument("end", callback=moment)
@click.option("--span", nargs=2, type=float, help="Numbers, as an altitude.")
@click.option(
    "--without", nargs=2, metavar="SOURCE ID", help="A record to be left out."
)
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(
    command: click.Context,
    dsn: str | None,
    context_name: str,
    resource: str,
    start: datetime,
    end: datetime,
    span: tuple[float, float] | None,
    without: tuple[str, str] | None,
    wants_json: bool,
) -> None:
    """Tell whether a resource is free from START to END, and who has it if not.

    The exit status is 1 if it is not free.
    """
    source, source_id = without or (None, None)
    with _claims(dsn, context_name) as claims:
        proposal = Proposal(
            resource=resource,
            during=(start, end),
            span=span,
            source=source,
            source_id=source_id,
        )
        found = claims.explain(proposal)
        free = [] if not found else claims.suggest(proposal, 3)
    if wants_json:
        click.echo(json.dumps([hit.claim.as_json() for hit in found], indent=2))
    else:
        _show(found, free)
    command.exit(FOUND if found else 0)


def _show(found: Sequence[Hit], free: Sequence[Proposal]) -> None:
    if not found:
        click.echo("It is free.")
        return
    table = Table("from", "to", "overlap", "whose", title="Not free")
    for hit in found:
        claim = hit.claim
        table.add_row(
            *_ends(claim),
            "open" if hit.duration is None else str(hit.duration),
            printable(claim.label or f"{claim.source} {claim.source_id}"),
        )
    said = console()
    said.print(table)
    for each in free:
        said.print(f"Free instead: {each.during}")


def _ends(claim: Claim) -> list[str]:
    ends = (claim.during.start, claim.during.end)
    return ["open" if end is None else end.isoformat() for end in ends]


@conflicts.command()
@dsn_option
@context_option
@click.option("--resource", "resources", multiple=True, help="Of this one; repeatable.")
@click.option("--from", "start", callback=moment, help="What ends later.")
@click.option("--to", "end", callback=moment, help="What starts earlier.")
def export(
    dsn: str | None,
    context_name: str,
    resources: tuple[str, ...],
    start: datetime | None,
    end: datetime | None,
) -> None:
    """Print claims as CSV, by their start; all that do not expire or have not yet.

    What a spreadsheet would calculate is preceded by an apostrophe.
    """
    with _claims(dsn, context_name) as claims:
        query = claims.query().during(start or OPEN, end or OPEN)
        if resources:
            query = query.resource(*resources)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow([*COLUMNS, *SPAN, *REST])
        for claim in _pages(query):
            writer.writerow(map(_cell, _row(claim)))


def _pages(query: ClaimQuery) -> Iterator[Claim]:
    after = None
    while True:
        page = query.page(PAGE, after)
        yield from page.claims
        after = page.next
        if after is None:
            return


def _row(claim: Claim) -> list[Any]:
    ends = claim.during.start, claim.during.end
    span = claim.span
    return [
        claim.id,
        claim.source,
        claim.source_id,
        claim.part,
        claim.resource,
        *("" if end is None else end.isoformat() for end in ends),
        *(("", "", "") if span is None else (span.lower, span.upper, span.bounds)),
        claim.tentative,
        claim.label,
        claim.url,
    ]


def _cell(value: Any) -> Any:
    """Keep a text from being calculated; numbers are what they are."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value


@conflicts.command()
@dsn_option
@context_option
@click.argument("sources", nargs=-1)
@click.option("--repair", is_flag=True, help="Make the claims that differ anew.")
@click.pass_context
def verify(
    command: click.Context,
    dsn: str | None,
    context_name: str,
    sources: tuple[str, ...],
    repair: bool,
) -> None:
    """Compare claims with the rows they stand for: of SOURCES, or of all that are
    tracked, and of the core if it is mirrored.

    The exit status is 1 if something differs that is not mended.
    """
    with _claims(dsn, context_name) as claims:
        found = _transaction(claims, lambda: _compared(claims, sources, repair))
    for each in found:
        click.echo(printable(each))
    if found and not repair:
        command.exit(FOUND)
    click.echo("All is well." if not found else "Mended what could be mended.")


def _compared(claims: Claims, sources: Sequence[str], repair: bool) -> list[str]:
    found: list[str] = []
    for source in sources or claims.tracked():
        for each in claims.verify(source, repair=repair):
            record = "" if each.source_id is None else f" {each.source_id}"
            found.append(f"{each.kind}: {each.source}{record}. {each.says}")
    if not sources:
        found += [
            f"{each.kind}: {each.source} {each.source_id}. {each.says}"
            for each in claims.verify_mirror(repair=repair)
        ]
    return found


@conflicts.command()
@dsn_option
@context_option
@click.argument("source")
def rebuild(dsn: str | None, context_name: str, source: str) -> None:
    """Make all claims of SOURCE anew, from its rows, in one transaction."""
    with _claims(dsn, context_name) as claims, console(stderr=True).status("rebuilds"):
        number = _transaction(claims, lambda: claims.rebuild(source))
    click.echo(f"{number} claims.")


@contextmanager
def _claims(dsn: str | None, name: str) -> Iterator[Claims]:
    with connected(dsn, name) as database:
        yield Claims(database.context)


def _transaction(claims: Claims, act: Callable[[], Any]) -> Any:
    return claims.context.transaction(act)
