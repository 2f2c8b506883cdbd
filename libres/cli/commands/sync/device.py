"""``libres sync device``: the reference client on a file, to try everything out.

What the library itself asks of a server is in `libres.sync.client`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from libres.cli.commands.sync.opening import (
    DRY,
    FOUND,
    Command,
    counted,
    dry_run_option,
    refuse,
    secret,
    show,
    stdin_option,
    told,
)
from libres.cli.options import plain_text
from libres.cli.terminal import printable, shortened
from libres.sync import client
from libres.sync.client import Edit, Pulled, Pushed, Row
from libres.sync.client.device import CURSOR
from libres.sync.errors import MalformedRequest
from libres.sync.strict_json import read_json

URL: Final = "url"
NAMES: Final = ("user", "organization", "device")
"""What the file keeps of who has signed in, beside what the client keeps itself."""

LONGEST: Final = 60
"""Letters of a value in a table."""


@click.group()
def device() -> None:
    """Be a device: edit without a server, push, pull. The rows are in an SQLite file.

    The server is one that 'libres serve' runs.
    """


# Opening ------------------------------------------------------------------------------

file_option = click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default="device.db",
    show_default=True,
    help="The file of the device.",
)


def on_device(command: Command) -> Command:
    """Give a command a device that has signed in once."""

    @file_option
    @wraps(command)
    def opened(path: Path, **arguments: Any) -> None:
        if not path.exists():
            refuse(
                f"There is no device in {path}: 'libres sync device sign-in' makes it."
            )
        with _device(path, None) as found:
            command(found, **arguments)

    return opened


@contextmanager
def _device(path: Path, url: str | None) -> Iterator[client.Device]:
    """Open a file; *url*: None for the server that it knows."""
    try:
        with told():
            where = url or _known(path)
            with client.Device(path, where) as found, _asking(where):
                yield found
    except sqlite3.Error as error:
        refuse(f"{path} cannot be used as the file of a device: {error}.", error)
    except ImportError as error:
        refuse(str(error), error)


@contextmanager
def _asking(where: str) -> Iterator[None]:
    """Say which server gives no answer."""
    try:
        yield
    except client.ServerAway as error:
        refuse(
            f"No answer from {where}: what was edited is kept, and sent the next time.",
            error,
        )


def _known(path: Path) -> str:
    """Return the server that a file belongs to."""
    uri = f"{path.resolve().as_uri()}?mode=ro"  # so that nothing is made in others
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        is_device = connection.execute(HAS_STATE).fetchone()
        found = connection.execute(KNOWN, (URL,)).fetchone() if is_device else None
    if found is None:
        refuse(f"Nobody has signed in on {path} yet: 'libres sync device sign-in'.")
    return str(found[0])


HAS_STATE: Final = "SELECT 1 FROM sqlite_master WHERE name = 'state'"
KNOWN: Final = "SELECT value FROM state WHERE name = ?"


def _address(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> str | None:
    """Check where a server should be. Raises BadParameter."""
    if value is None or _is_address(value):
        return value
    message = f"{value!r} is not the address of a server, as {URL_EXAMPLE}."
    raise click.BadParameter(message)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        has_port = parts.port != 0
    except ValueError:
        return False
    is_plain = parts.netloc.isascii() and parts.netloc.isprintable()
    is_one_word = is_plain and " " not in parts.netloc and bool(parts.hostname)
    return parts.scheme in {"http", "https"} and is_one_word and has_port


URL_EXAMPLE: Final = "http://127.0.0.1:8080"


def on_edits(command: Callable[..., str]) -> Command:
    """Do so for a command that edits: it has ``--dry-run`` as well."""

    @dry_run_option
    @wraps(command)
    def editing(found: client.Device, dry_run: bool, **arguments: Any) -> None:
        try:
            with found.store.writing():
                said = command(found, **arguments)
                if dry_run:
                    raise _DryRun
        except _DryRun:
            said = f"{DRY}{said}"
        click.echo(printable(str(said)))

    return on_device(editing)


class _DryRun(Exception):
    """Undoes what was edited."""


class Plain(click.ParamType):  # type: ignore[type-arg]  # generic for newer stubs
    """A value: JSON, or else a text as it is."""

    name = "value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Read it. Fails for a text in another encoding."""
        text = plain_text(ctx, param, value)  # type: ignore[arg-type]  # it uses neither
        try:
            return read_json(text.encode())
        except MalformedRequest:
            return text


class Assignment(Plain):
    """A field and its value: NAME=VALUE."""

    name = "field=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Read it. Fails for what has no name."""
        if isinstance(value, tuple):
            return value
        name, equals, text = value.partition("=")
        if not name or not equals:
            self.fail(f"{value!r} is not NAME=VALUE, as title=Lunch.", param, ctx)
        return plain_text(ctx, param, name), super().convert(text, param, ctx)  # type: ignore[arg-type]  # it uses neither


model_argument = click.argument("model", callback=plain_text)
id_argument = click.argument("id_", metavar="ID", type=Plain())
number_argument = click.argument("number", type=int)
fields_argument = click.argument(
    "fields", nargs=-1, type=Assignment(), metavar="[FIELD=VALUE]…"
)


# Signing in ---------------------------------------------------------------------------


@device.command("sign-in")
@file_option
@click.option("--url", callback=_address, help="Where the server is; kept in the file.")
@click.argument("username", required=False, callback=plain_text)
@click.option(
    "--org", callback=plain_text, metavar="SLUG", help="For those in several."
)
@click.option(
    "--name", callback=plain_text, help="What the server lists the device as."
)
@stdin_option
@click.option(
    "--key-stdin", is_flag=True, help="Read the key of a device in the same way."
)
def sign_in(
    path: Path,
    url: str | None,
    username: str | None,
    org: str | None,
    name: str | None,
    from_stdin: bool,
    key_stdin: bool,
) -> None:
    """Sign in as USERNAME, or without a name by the key of the device.

    Password or key are asked for; the password is not kept.
    """
    is_new = not path.exists()
    if is_new and url is None:
        message = f"Say where the server is: --url {URL_EXAMPLE}"
        raise click.UsageError(message)
    what = "Key" if username is None else "Password"
    given = secret(what, from_stdin=from_stdin or key_stdin)
    try:
        with _device(path, url) as found:
            answer = _signed_in(found, given, username, org, name)
            _keep(found, url, answer)
    except click.ClickException:
        if is_new:
            _forget(path)
        raise
    click.echo(printable(f"Signed in as {answer['user']['username']}."))


def _signed_in(
    found: client.Device,
    given: str,
    username: str | None,
    org: str | None,
    name: str | None,
) -> dict[str, Any]:
    if username is None:
        return found.sign_in_by_key(given)
    return found.sign_in(username, given, organization=org, name=name)


def _keep(found: client.Device, url: str | None, answer: dict[str, Any]) -> None:
    known = answer.get("device") or {}
    values = (answer["user"]["username"], answer["organization"], known.get("name"))
    with found.store.writing():
        for name, value in zip(NAMES, values, strict=True):
            found.store.set(name, value)
        if url is not None:
            found.store.set(URL, url)


def _forget(path: Path) -> None:
    """Leave no file behind of a device that could not sign in."""
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


# Looking ------------------------------------------------------------------------------


@device.command("status")
@on_device
def status(found: client.Device) -> None:
    """Show who is signed in, which rows there are, and what waits to be pushed."""
    store = found.store
    kept = [(name, store.get(name)) for name in (URL, *NAMES)]
    counts = [(model, counted(n, "row")) for model, n in store.counts().items()]
    waiting = [
        ("to be pushed", counted(len(found.pending), "edit")),
        ("refused", counted(len(found.refused), "edit")),
    ]
    show(["", ""], iter([*kept, *counts, *waiting]))


@device.command("list")
@on_device
@model_argument
@click.option("--fields", "wanted", callback=plain_text, help="These only: a,b,c.")
def list_rows(found: client.Device, model: str, wanted: str | None) -> None:
    """List the rows of a MODEL, with what was edited here."""
    rows = found.rows(model)
    known = sorted({name for row in rows for name in row.fields})
    names = wanted.split(",") if wanted else known
    cells = ((_told(row.id), *_values(row, names), _state(row)) for row in rows)
    show(["id", *map(printable, names), "state"], cells)


def _values(row: Row, names: Sequence[str]) -> Iterator[str]:
    return (_told(row.fields.get(name)) for name in names)


def _told(value: object) -> str:
    if value is None or isinstance(value, str):
        return shortened(printable(value or ""), LONGEST)
    return shortened(json.dumps(value, ensure_ascii=False), LONGEST)


def _state(row: Row) -> str:
    if row.pending:
        return "to be pushed"
    return f"version {row.version}"


@device.command("refused")
@on_device
def list_refused(found: client.Device) -> None:
    """List what the server has refused, why, and what it offers instead."""
    _show_refused(found.refused)


def _show_refused(edits: Sequence[Edit]) -> None:
    for each in edits:
        error = each.error or {}
        what = f"{each.number}: {each.op} {each.model} {_told(each.id)}"
        said = f"{error.get('type')}: {error.get('message')}"
        click.echo(printable(f"{what}. {said}"))
        for other in error.get("alternatives", ()):
            click.echo(printable(f"  free instead: {_assignments(other)}"))


def _assignments(fields: dict[str, Any]) -> str:
    """Write what ``retry`` reads."""
    return " ".join(
        f"{name}={json.dumps(value) if ' ' in str(value) else value}"
        for name, value in fields.items()
        if name in {"resource", "start", "end"}
    )


# Editing ------------------------------------------------------------------------------


@device.command("create")
@on_edits
@model_argument
@fields_argument
@click.option(
    "--id", "id_", type=Plain(), help="By default a temporary one, until it is pushed."
)
def create(
    found: client.Device, model: str, fields: tuple[tuple[str, Any], ...], id_: Any
) -> str:
    """Make a row of a MODEL.

    A VALUE is JSON, or else a text as it is: 'age=36', 'name=Ada', 'code="36"'.
    """
    return f"Created: {_told(found.create(model, dict(fields), id_))}"


@device.command("change")
@on_edits
@model_argument
@id_argument
@fields_argument
def change(
    found: client.Device, model: str, id_: Any, fields: tuple[tuple[str, Any], ...]
) -> str:
    """Change fields of a row."""
    if not fields:
        message = "Say what to change: FIELD=VALUE."
        raise click.UsageError(message)
    found.change(model, id_, dict(fields))
    return "Changed."


@device.command("remove")
@on_edits
@model_argument
@id_argument
def remove(found: client.Device, model: str, id_: Any) -> str:
    """Delete a row."""
    found.remove(model, id_)
    return "Removed."


@device.command("retry")
@on_edits
@number_argument
@fields_argument
def retry(
    found: client.Device, number: int, fields: tuple[tuple[str, Any], ...]
) -> str:
    """Edit once more what was refused, with other values if some are given.

    NUMBER is that of 'refused'.
    """
    edit = _refused(found, number)
    found.retry(replace(edit, fields={**edit.fields, **dict(fields)}))
    return "It is pushed the next time."


@device.command("dismiss")
@on_edits
@number_argument
def dismiss(found: client.Device, number: int) -> str:
    """Forget what was refused; NUMBER is that of 'refused'."""
    found.dismiss(_refused(found, number))
    return "Forgotten."


def _refused(found: client.Device, number: int) -> Edit:
    for each in found.refused:
        if each.number == number:
            return each
    message = "Nothing refused has this number: see 'libres sync device refused'."
    raise click.ClickException(message)


# Talking to the server ----------------------------------------------------------------


@device.command("push")
@on_device
@dry_run_option
@click.pass_context
def push(command: click.Context, found: client.Device, dry_run: bool) -> None:
    """Send what was edited. The exit status is 1 if some of it was refused."""
    if dry_run:
        number = counted(len(found.pending), "edit")
        click.echo(f"{DRY}{number} would be pushed.")
        return
    pushed = found.push()
    _tell_pushed(pushed)
    command.exit(FOUND if pushed.refused else 0)


def _tell_pushed(pushed: Pushed) -> None:
    click.echo(f"{pushed.stored:,} stored, {len(pushed.refused):,} refused.")
    _show_refused(pushed.refused)


@device.command("pull")
@on_device
def pull(found: client.Device) -> None:
    """Fetch what is new."""
    is_first = found.store.get(CURSOR) is None
    _tell_pulled(found.pull(), is_first)


def _tell_pulled(pulled: Pulled, is_first: bool) -> None:
    click.echo(f"{counted(pulled.rows, 'row')} came, {pulled.deleted:,} went.")
    if pulled.begun_anew and not is_first:
        click.echo(f"Anew: {printable(', '.join(pulled.begun_anew))}.")


@device.command("sync")
@on_device
@click.pass_context
def sync(command: click.Context, found: client.Device) -> None:
    """Push, then pull. The exit status is 1 if something was refused."""
    is_first = found.store.get(CURSOR) is None
    pushed, pulled = found.sync()
    _tell_pushed(pushed)
    _tell_pulled(pulled, is_first)
    command.exit(FOUND if pushed.refused else 0)
