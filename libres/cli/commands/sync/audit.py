"""``libres sync audit``: who changed what, and whether that is what was noted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

from libres.cli.commands.sync.opening import (
    FOUND,
    House,
    counted,
    reads,
    refuse,
    show,
    told,
    writes,
    writes_anywhere,
)
from libres.cli.commands.sync.setup import set_up
from libres.cli.options import plain_text
from libres.cli.terminal import bar, printable
from libres.domain.days import UTC
from libres.sync import keyring
from libres.sync.audit import ERASED, Audit, Entry, Verdict, verify_export
from libres.sync.audit.tables import Tables
from libres.sync.capture.installing import is_installed
from libres.sync.capture.triggers import Capture
from libres.sync.feed.anchoring import keys_or_none

Command = Callable[..., None]


@click.group()
def audit() -> None:
    """Tell who changed what, prove it, erase it on request, undo it.

    LIBRES_SYNC_SECRET is the secret that signs what was noted, and checks signatures.
    """


def audit_of(house: House) -> Audit:
    """Return the audit of the context of a command."""
    return Audit(house.context)


# Options ------------------------------------------------------------------------------


class _Moment(click.ParamType):  # type: ignore[type-arg]  # generic for newer stubs
    """A moment as in ISO 8601; without timezone it is one of UTC."""

    name = "time"

    def convert(
        self,
        value: str | datetime,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> datetime:
        """Read it. Fails for anything else."""
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time, as in 2026-11-30T08:00Z.", param, ctx)
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


MOMENT: Final = _Moment()


def filtered(command: Command) -> Command:
    """Give a command the options that choose changes."""
    for option in reversed(_CHOOSING):
        command = option(command)
    return command


_CHOOSING: Final = (
    click.option("--model", callback=plain_text, help="Of a model, or table."),
    click.option("--id", callback=plain_text, help="Of the row with this key."),
    click.option("--user", callback=plain_text, help="By a user, or system:<job>."),
    click.option("--action", type=click.Choice(["insert", "update", "delete"])),
    click.option("--since", type=MOMENT, metavar="TIME", help="From then on."),
    click.option("--until", type=MOMENT, metavar="TIME", help="Before then."),
    click.option("--request", callback=plain_text, help="Of the id of a request."),
)

model_argument = click.argument("model", callback=plain_text)
key_argument = click.argument("key", metavar="ID", callback=plain_text)
position_argument = click.argument("position", type=click.IntRange(min=1))


# Setting up ---------------------------------------------------------------------------


@audit.command("setup")
@writes_anywhere
@click.option("--slots", is_flag=True, help="Note slots as well; they are many.")
def setup_audit(house: House, slots: bool) -> None:
    """Create the tables, note all changes from now on, and keep them."""
    house.write(lambda: set_up(house, with_audit=True, slots=slots))
    number = counted(len(list(Tables(house.context))), "table")
    house.say(f"The audit is set up: changes of {number} are noted, and kept.")


@audit.command("check")
@reads
@click.pass_context
def check(command: click.Context, house: House) -> None:
    """Tell which tables are noted, and what is missing.

    The exit status is 1 if something is.
    """
    connection = house.sync.session.connection()
    captures = [Capture(house.context.name, each) for each in Tables(house.context)]
    found = {each.model: is_installed(connection, each) for each in captures}
    rows = ((each.name, each.relation, is_on) for each, is_on in found.items())
    show(["model", "table", "noted"], rows)
    if keys_or_none(house.context) is None:
        click.echo("Nothing is signed: LIBRES_SYNC_SECRET is not set.")
    command.exit(0 if all(found.values()) else FOUND)


# Reading ------------------------------------------------------------------------------


@audit.command("history")
@reads
@filtered
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    metavar="NUMBER",
    help="So many.",
)
def history(house: House, limit: int, **asked: Any) -> None:
    """Show changes, the newest first."""
    found = audit_of(house).history(limit=limit, **asked)
    names = ["position", "at", "model", "row", "what", "who", "request", "fields"]
    show(names, map(_row, found))


def _row(entry: Entry) -> tuple[Any, ...]:
    fields = ", ".join(each.field for each in entry.changes)
    named = fields if entry.action == "update" else ""
    what = (entry.position, entry.at, entry.model, entry.key, entry.action)
    return *what, entry.actor, entry.request, named


@audit.command("show")
@reads
@position_argument
def show_entry(house: House, position: int) -> None:
    """Show the change with the number POSITION, field by field."""
    entry = audit_of(house).entry(position)
    told = {
        "position": entry.position,
        "model": entry.model,
        "row": entry.key,
        "what": entry.action,
        "who": entry.actor,
        "at": entry.at,
        "request": entry.request,
        "reason": entry.reason,
        "of": entry.tenant,
    }
    show(["", ""], ((name, _plain(value)) for name, value in told.items()))
    click.echo()
    rows = (
        (each.field, _shown(each.before), _shown(each.after)) for each in entry.changes
    )
    show(["field", "before", "after"], rows)


@audit.command("as-of")
@reads
@model_argument
@key_argument
@click.argument("time", type=MOMENT)
def as_of(house: House, model: str, key: str, time: datetime) -> None:
    """Show a row as it was at a TIME, by the names of its columns."""
    found = audit_of(house).as_of(model, key, time)
    if found is None:
        refuse("There was no such row at that time.")
    show(["field", "value"], ((name, _shown(it)) for name, it in found.items()))


@audit.command("find")
@reads
@model_argument
@click.argument("values", nargs=-1, required=True, callback=plain_text)
def find(house: House, model: str, values: tuple[str, ...]) -> None:
    """Show the keys of the rows of MODEL that have ever had VALUES: FIELD=VALUE."""
    pairs = [each.partition("=") for each in values]
    if any(not name or not equal for name, equal, _value in pairs):
        refuse("Write what is looked for as FIELD=VALUE.")
    asked = {name: value for name, _equal, value in pairs}
    for key in audit_of(house).find(model, **asked):
        click.echo(printable(key))


def _shown(value: Any) -> str:
    if value is None or value is ERASED:
        return "" if value is None else "(erased)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> Any:
    return f"{value:,}" if isinstance(value, int) else value


# Changing -----------------------------------------------------------------------------

by_option = click.option(
    "--by", callback=plain_text, default="", metavar="NAME", help="Who does so."
)


@audit.command("revert")
@writes
@position_argument
@click.option("--reason", callback=plain_text, help="Why.")
@by_option
def revert(house: House, position: int, reason: str | None, by: str) -> None:
    """Undo the change with the number POSITION by a new one."""
    found = _acted(house, by, lambda it: it.revert(position, reason=reason))
    fields = f": {', '.join(found.fields)}" if found.fields else ""
    row = f"{found.entry.model} {found.entry.key}"
    house.say(f"Change {position} is undone by '{found.action}' of {row}{fields}.")


@audit.command("erase")
@writes
@model_argument
@key_argument
@click.option("--reason", required=True, callback=plain_text, help="Why.")
@click.option(
    "--field",
    "fields",
    multiple=True,
    callback=plain_text,
    metavar="NAME",
    help="Only this field; repeatable.",
)
@by_option
def erase(
    house: House, model: str, key: str, reason: str, fields: tuple[str, ...], by: str
) -> None:
    """Erase what was noted of the row ID of MODEL, and nothing else.

    The row itself is not touched: change or delete it before.
    """
    chosen = list(fields) or None
    found = _acted(house, by, lambda it: it.erase(model, key, chosen, reason=reason))
    named = ", ".join(found.fields) or "nothing"
    house.say(f"Erased in {counted(found.changes, 'change')}: {named}.")


def _acted(house: House, by: str, act: Callable[[Audit], Any]) -> Any:
    def acted() -> Any:
        trail = audit_of(house)
        if not by:
            return act(trail)
        with trail.acting(by):
            return act(trail)

    return house.write(acted)


# Trusting -----------------------------------------------------------------------------


@audit.command("verify")
@reads
@click.option(
    "--anchors",
    "kept",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="Signatures that were kept elsewhere, as 'anchors' has written them.",
)
@click.pass_context
def verify(command: click.Context, house: House, kept: IO[str] | None) -> None:
    """Look whether what was noted is as it was.

    The exit status is 1 if it is not.
    """
    anchors = [] if kept is None else _signatures(kept)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with bar(*columns) as shown:
        task = shown.add_task("verifies", total=None)

        def hear(done: int, of: int) -> None:
            shown.update(task, completed=done, total=of)

        verdict = audit_of(house).verify(told=hear, anchors=anchors)
    _tell(command, verdict)


def _signatures(file: IO[str]) -> list[Mapping[str, Any]]:
    try:
        found = json.load(file)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(e, dict) for e in found):
        refuse("This file has no signatures, as 'libres sync audit anchors' writes it.")
    return found


def _tell(command: click.Context, verdict: Verdict) -> None:
    number = counted(verdict.checked, "change")
    click.echo(f"{number} looked at, from {verdict.first:,} to {verdict.last:,}.")
    if verdict.erased:
        click.echo(f"In {counted(verdict.erased, 'change')} something was erased.")
    if verdict.anchors:
        signed = counted(verdict.anchors, "signature")
        click.echo(f"{signed} checked; signed up to change {verdict.anchored:,}.")
    else:
        click.echo("No signature was checked.")
    if not verdict.is_good:
        click.echo(f"WRONG, first at {verdict.bad}: {printable(verdict.problem)}")
    else:
        click.echo("All is as it was noted.")
    command.exit(0 if verdict.is_good else FOUND)


@audit.command("anchor")
@writes
def anchor(house: House) -> None:
    """Sign what was noted until now, with LIBRES_SYNC_SECRET."""
    lag = house.sync.lag()
    place = lag.position + lag.pending
    if not house.dry_run:
        place = audit_of(house).anchor()
    house.say(f"Signed up to change {place:,}.")


output_argument = click.argument(
    "file", type=click.File("w", encoding="utf-8", lazy=True), default="-"
)


@audit.command("anchors")
@reads
@output_argument
def anchors(house: House, file: IO[str]) -> None:
    """Write all signatures to FILE, as JSON; keep them where nobody changes them."""
    json.dump(audit_of(house).anchors(), file, indent=2)
    file.write("\n")


@audit.command("export")
@reads
@filtered
@output_argument
def export(house: House, file: IO[str], **asked: Any) -> None:
    """Write changes to FILE as lines of JSON, oldest first, with what proves them."""
    chosen = {name: value for name, value in asked.items() if value is not None}
    count = audit_of(house).export(file, **chosen)
    click.echo(f"{counted(count, 'change')} exported.", err=True)


@audit.command("verify-export")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option(
    "--key",
    "named",
    multiple=True,
    callback=plain_text,
    metavar="ID=FILE",
    help="A public key, or a secret, that may have signed; repeatable.",
)
@click.pass_context
def verify_file(command: click.Context, file: IO[str], named: tuple[str, ...]) -> None:
    """Look whether an exported FILE is as it was; it needs no database.

    LIBRES_SYNC_SECRET checks signatures as well. The exit status is 1 if it is not.
    """
    with told():
        _tell(command, verify_export(file, _keys(named)))


def _keys(named: tuple[str, ...]) -> dict[str, Any]:
    """Read the keys that are named; and the secret of the environment, if any."""
    found: dict[str, Any] = {}
    if secret := os.environ.get(keyring.VARIABLE):
        found["env"] = secret
    for each in named:
        name, _equal, path = each.partition("=")
        try:
            found[name] = Path(path).read_bytes().strip()
        except OSError as error:
            refuse(f"The key {name!r} cannot be read: {error.strerror}.", error)
    return found
