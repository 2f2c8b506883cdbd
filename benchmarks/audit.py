"""Measures the audit: noting, numbering with the chain, verifying, asking, erasing.

The database is made for it and dropped. What is verified is really verified: if it is
not good, there are no figures.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from statistics import median, quantiles
from time import perf_counter
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import create_engine, insert, text
from sqlalchemy.orm import Session

from benchmarks.databases import Databases, bound, databases
from benchmarks.sync.tables import TENANT, Base, Customer, Unwatched
from libres.context.core import Context
from libres.db import new_scheduler
from libres.sync import Sync, audit, configure
from libres.sync.audit import Audit, Verdict, verify_export

NAME: Final = "audit"

PARTS: Final = ("noting", "numbering", "verify", "offline", "query", "erase")

BATCH: Final = 20_000
"""Rows that are written, and numbered, at once."""

LARGE: Final = 10
"""So many times as many changes are asked if it is to be large."""

COPY: Final = text("""\
INSERT INTO sync_changes SELECT (jsonb_populate_record(change, jsonb_build_object(
    'position', position + :offset, 'key', key || '/' || :offset
))).* FROM sync_changes AS change WHERE position <= :count
""")
"""More to ask, which no chain holds together: not to be verified."""

SECRET: Final = secrets.token_urlsafe(48)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", multiple=True, type=click.Choice(PARTS), default=PARTS)
@click.option(
    "--changes", default=1_000_000, show_default=True, type=click.IntRange(100)
)
@click.option("--rounds", default=400, show_default=True, type=click.IntRange(20))
@click.option("--large", is_flag=True, help="Ask ten times as many changes.")
@click.option("--dsn", help="A server to use; else one is started and deleted.")
def main(
    only: tuple[str, ...], changes: int, rounds: int, large: bool, dsn: str | None
) -> None:
    """Measure the audit of so many changes."""
    said = Console()
    with databases(dsn) as made, _house(made) as context:
        if "noting" in only:
            _show_noting(said, noting(context.get_setting("dsn"), rounds))
        if {*PARTS[1:]} & {*only}:
            asked = Measuring(made, context, changes, rounds)
            _show_rates(said, list(_rates(said, asked, only)))
        if "query" in only:
            _show_spreads(said, changes, list(queries(asked)))
            if large:
                _enlarge(said, asked)
                _show_spreads(said, LARGE * changes, list(queries(asked)))


@contextmanager
def _house(made: Databases) -> Iterator[Context]:
    with bound(made, NAME) as (context, _engine):
        new_scheduler(context, "first", "UTC").setup_database()
        context.get_service("session_provider").session().commit()
        configure(context, {"env": SECRET})
        trail = Audit(context)
        Base.metadata.create_all(trail.session.connection())
        audit.setup(context, audit.audited(Customer, tenant_sql="{row}.tenant"))
        trail.commit()
        yield context


# Figures ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measuring:
    """What is measured, and how much of it."""

    made: Databases
    context: Context
    changes: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast something went."""

    name: str
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, in seconds: half of all, and 95 of 100."""

    name: str
    half: float
    late: float

    @classmethod
    def of(cls, name: str, seconds: list[float]) -> Spread:
        """Sum up single times."""
        return cls(name, median(seconds), quantiles(seconds, n=20)[-1])


def _rates(said: Console, asked: Measuring, only: tuple[str, ...]) -> Iterator[Rate]:
    yield _numbered(said, asked)
    asked.made.settle(NAME)
    if "verify" in only:
        yield _verified(said, asked)
    if "offline" in only:
        yield from _offline(asked)
    if "erase" in only:
        yield _erased(asked)


# Noting -------------------------------------------------------------------------------


def noting(dsn: str, rounds: int) -> dict[str, Spread]:
    """Compare single writes without anybody who notes them, and with the audit, in
    turn: each with its COMMIT, on a connection that stays, as pools keep it."""
    engine = create_engine(dsn)
    took: dict[str, list[float]] = {}
    with Session(engine) as session:
        for number in range(rounds + 20):
            for model, name in ((Unwatched, "none"), (Customer, "audit")):
                for verb, seconds in _written(session, model, number):
                    if number >= 20:
                        took.setdefault(f"{verb}, {name}", []).append(seconds)
    engine.dispose()
    return {name: Spread.of(name, seconds) for name, seconds in took.items()}


def _written(session: Session, model: Any, number: int) -> Iterator[tuple[str, float]]:
    row = model(tenant=TENANT, name=f"n{number}", age=number)
    acts: dict[str, Callable[[], object]] = {
        "insert": lambda: session.add(row),
        "update": lambda: setattr(row, "age", -1),
        "delete": lambda: session.delete(row),
    }
    for verb, act in acts.items():
        if verb != "insert":
            session.refresh(row)
        began = perf_counter()
        act()
        session.commit()
        yield verb, perf_counter() - began


def _show_noting(said: Console, found: dict[str, Spread]) -> None:
    table = Table("a single write", "nobody", "audit", "more")
    for verb in ("insert", "update", "delete"):
        plain, noted = found[f"{verb}, none"], found[f"{verb}, audit"]
        more = f"{noted.half / plain.half - 1:+.0%}"
        table.add_row(verb, _ms(plain.half), _ms(noted.half), more)
    said.print(table)


# Numbering and verifying --------------------------------------------------------------


def _numbered(said: Console, asked: Measuring) -> Rate:
    sync, seconds = Sync(asked.context), 0.0
    sync.number()
    with Progress(console=said, transient=True) as shown:
        task = shown.add_task("numbers", total=asked.changes)
        for first in range(0, asked.changes, BATCH):
            count = min(BATCH, asked.changes - first)
            values = [
                {"tenant": TENANT, "name": f"Name {each % 5000}", "age": each % 90}
                for each in range(first, first + count)
            ]
            sync.session.execute(insert(Customer), values)
            sync.session.commit()
            began = perf_counter()
            sync.number()
            seconds += perf_counter() - began
            shown.advance(task, count)
    return Rate("numbered, with the chain", asked.changes, seconds)


def _verified(said: Console, asked: Measuring) -> Rate:
    trail = Audit(asked.context)
    trail.anchor()
    with Progress(console=said, transient=True) as shown:
        task = shown.add_task("verifies", total=None)
        began = perf_counter()
        verdict = trail.verify(
            told=lambda done, of: shown.update(task, completed=done, total=of)
        )
        seconds = perf_counter() - began
    return Rate("verified", _good(verdict), seconds)


def _offline(asked: Measuring) -> Iterator[Rate]:
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        began = perf_counter()
        count = Audit(asked.context).export(file)
        yield Rate("exported", count, perf_counter() - began)
        file.seek(0)
        began = perf_counter()
        verdict = verify_export(file, {"env": SECRET})
        yield Rate("verified offline", _good(verdict), perf_counter() - began)


def _good(verdict: Verdict) -> int:
    if not verdict.is_good:
        raise click.ClickException(verdict.problem)
    return verdict.checked


def _erased(asked: Measuring) -> Rate:
    trail, rows = Audit(asked.context), min(100, asked.rounds)
    keys = text("SELECT id FROM bench_customers ORDER BY id DESC LIMIT :rows")
    found = trail.session.scalars(keys, {"rows": rows}).all()
    trail.commit()
    began = perf_counter()
    for key in found:
        trail.erase(Customer, key, ["name"], reason="benchmark")
        trail.commit()
    return Rate("rows erased, one by one", len(found), perf_counter() - began)


def _show_rates(said: Console, rates: list[Rate]) -> None:
    table = Table("", "changes", "seconds", "per second")
    for each in rates:
        speed = each.count / each.seconds
        table.add_row(
            each.name, *(f"{each.count:,}", f"{each.seconds:.1f}"), f"{speed:,.0f}"
        )
    said.print(table)


# Asking -------------------------------------------------------------------------------


def queries(asked: Measuring) -> Iterator[Spread]:
    """Measure what pages ask for, a hundred changes each."""
    trail, rounds = Audit(asked.context), min(asked.rounds, 50)
    (newest,) = trail.history(limit=1)
    hour = newest.at - timedelta(hours=1)
    questions: dict[str, dict[str, Any]] = {
        "the newest": {},
        "of a model": {"model": Customer},
        "of a row": {"model": Customer, "id": newest.key},
        "of a user": {"user": newest.actor},
        "of a user that there is not": {"user": "nobody"},
        "of an organisation": {"tenants": [TENANT]},
        "of an hour": {"since": hour, "until": newest.at},
    }
    for name, question in questions.items():
        took = []
        for _each in range(rounds):
            began = perf_counter()
            trail.history(**question)
            took.append(perf_counter() - began)
        yield Spread.of(name, took)


def _enlarge(said: Console, asked: Measuring) -> None:
    trail = Audit(asked.context)
    last = trail.history(limit=1)[0].position
    with Progress(console=said, transient=True) as shown:
        for number in shown.track(range(1, LARGE), description="copies"):
            values = {"offset": number * last, "count": last}
            trail.session.execute(COPY, values)
            trail.commit()
    trail.session.execute(text("UPDATE sync_feeds SET position = 10 * position"))
    trail.commit()
    asked.made.settle(NAME)


def _show_spreads(said: Console, changes: int, spreads: list[Spread]) -> None:
    table = Table(f"100 of {changes:,} changes", "half", "95 of 100")
    for each in spreads:
        table.add_row(each.name, _ms(each.half), _ms(each.late))
    said.print(table)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


if __name__ == "__main__":
    main()
