"""``libres check``: audits a database, and mends what needs no decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import click
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from libres.cli.checking import as_json, show, summary
from libres.cli.database import UnavailableError, connected, in_a_sentence
from libres.cli.options import dsn_option
from libres.cli.terminal import console
from libres.db.auditing import Finding, MissingTablesError, audit, repair
from libres.db.scheduler import Scheduler
from libres.modules.errors import LibresError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from libres.context.core import Context
    from libres.context.session import SessionProvider

FOUND = 1
"""The exit status if something is wrong; notices do not count."""

WHOLE = (
    "The database does not know the names of a context's resources, so everything "
    "in it is checked: name some with --resource."
)


@click.command()
@dsn_option
@click.option(
    "--context",
    "context_name",
    metavar="NAME",
    help="The context whose resources --resource names.",
)
@click.option(
    "--resource",
    "names",
    multiple=True,
    metavar="NAME",
    help="Look at this resource only: the name of a scheduler of the context, or a "
    "UUID; repeatable.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
@click.option(
    "--repair", "wants_repair", is_flag=True, help="Mend what needs no decision."
)
@click.option("--yes", is_flag=True, help="Mend without asking.")
@click.pass_context
def check(
    command: click.Context,
    dsn: str | None,
    context_name: str | None,
    names: tuple[str, ...],
    wants_json: bool,
    wants_repair: bool,
    yes: bool,
) -> None:
    """Look for rows that should not exist, and say what to do.

    Changes nothing, unless told to with --repair; then it shows what it would mend,
    asks, and mends all of it in one transaction. The exit status is 1 if anything is
    wrong that is not mended, 0 if not, and 2 if there is nothing to look at.
    """
    if wants_json and wants_repair and not yes:
        message = "With --json nobody can be asked: add --yes to --repair."
        raise click.UsageError(message)
    with connected(dsn, context_name or "check", create=False) as database:
        resources = _resources(database.context, context_name, names)
        visit = Visit(database.context, resources, wants_json)
        if context_name and not names:
            click.echo(WHOLE, err=True)
        left = visit.run(wants_repair, yes)
    command.exit(FOUND if any(each.level == "error" for each in left) else 0)


def _resources(
    context: Context, context_name: str | None, names: Sequence[str]
) -> list[UUID] | None:
    """Turn names into resources, as the context does; UUIDs are resources already."""
    if not names:
        return None
    return [_resource(context, context_name, name) for name in names]


def _resource(context: Context, context_name: str | None, name: str) -> UUID:
    try:
        return UUID(name)
    except ValueError:
        if context_name:
            return Scheduler(context, name, "UTC").resource
    message = f"{name!r} is not a UUID: say with --context whose resource it is."
    raise click.UsageError(message)


@dataclass(frozen=True, slots=True)
class Visit:
    """One run of the command on a database; None means all resources."""

    context: Context
    resources: list[UUID] | None
    wants_json: bool

    def run(self, wants_repair: bool, yes: bool) -> list[Finding]:
        """Audit, tell, and mend if wanted; return the findings that are left."""
        findings = self._findings()
        if not self.wants_json:
            show(console(), findings)
            click.echo(summary(findings))
        mended: list[Finding] = []
        if wants_repair and self._is_agreed(findings, yes):
            mended = _told_in_words(lambda: self._repaired(findings))
            findings = self._findings()
        self._conclude(findings, mended)
        return findings

    def _findings(self) -> list[Finding]:
        with console(stderr=True).status("Connecting") as status:
            return _told_in_words(
                lambda: self._audited(lambda look: status.update(f"Checking {look}"))
            )

    def _audited(self, progress: Callable[[str], object]) -> list[Finding]:
        """Audit one snapshot, in a transaction that cannot write."""
        provider: SessionProvider = self.context.get_service("session_provider")
        engine = provider.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        with Session(engine) as session:
            return audit(session, self.resources, progress, notices=True)

    def _is_agreed(self, findings: Sequence[Finding], yes: bool) -> bool:
        rows = sum(len(each.rows) for each in findings if each.repairable)
        if not rows:
            return False
        return yes or click.confirm(f"Mend {rows} as said above?", default=False)

    def _repaired(self, findings: Sequence[Finding]) -> list[Finding]:
        session = self.context.get_service("session_provider").session
        return self.context.transaction(lambda: repair(session(), findings))

    def _conclude(self, left: Sequence[Finding], mended: Sequence[Finding]) -> None:
        if self.wants_json:
            click.echo(as_json(left, mended))
        elif mended:
            rows = sum(len(each.rows) for each in mended)
            click.echo(f"{rows} mended. {summary(left)}")


def _told_in_words(act: Callable[[], list[Finding]]) -> list[Finding]:
    """Run a function. Raises UnavailableError if the database cannot be used."""
    try:
        return act()
    except MissingTablesError as error:
        raise UnavailableError(str(error)) from error
    except (LibresError, SQLAlchemyError) as error:
        raise UnavailableError(in_a_sentence(error)) from error
