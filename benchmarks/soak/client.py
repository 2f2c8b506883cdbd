"""A client: does one step after the other and notes each before and after.

Reads from the standard input what it is to do, as JSON: ``dsn``, ``seed``, ``file``,
and ``items``, what its predecessor held. Works until it is killed or gets another line.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from random import Random
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import MultipleResultsFound, NoResultFound, OperationalError

from benchmarks.soak.operations import Hands, Item, chosen
from benchmarks.soak.world import context_on, state_of
from libres.modules.errors import LibresError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from benchmarks.soak.operations import Step
    from libres.context.core import Context

ATTEMPTS, PATIENCE = 200, 60.0
"""Long enough for a server that is killed and started again."""

REFUSALS = (LibresError, NoResultFound, MultipleResultsFound)
"""What the library documents."""

LONGEST_TEXT = 300

UNCERTAIN = frozenset({"OutcomeUnknown"})
"""Errors of the library after which nobody knows what is stored."""


class Client:
    """One process of the soak."""

    def __init__(self, request: dict[str, Any]) -> None:
        items = {token: Item(*item) for token, item in request["items"].items()}
        context = context_on(request["dsn"])
        self._hands = Hands(Random(request["seed"]), context, items)  # noqa: S311 - load, no secret
        self._file = os.open(request["file"], os.O_WRONLY | os.O_APPEND)
        self._codes: list[str] = []
        provider = _provider(context)
        self._session = provider.session
        _listen(provider.engine, self._codes)

    def run(self, ended: threading.Event) -> None:
        """Work until the end."""
        while not ended.is_set():
            self._step(chosen(self._hands))

    def _step(self, step: Step) -> None:
        self._note(begin=step.name, token=step.token)
        began, runs = time.perf_counter(), [0]
        self._codes.clear()
        try:
            token, state = self._transaction(step, runs)
        except Exception as error:
            self._failed(step, error, runs[0], began)
            return
        if token is not None:
            self._hold(token, step.item)
        self._note(
            end=step.name,
            token=token,
            state=state,
            item=step.item and [step.item.kind, step.item.resource],
            **self._figures(runs[0], began),
        )

    def _transaction(
        self, step: Step, runs: list[int]
    ) -> tuple[str | None, list[str] | None]:
        def run() -> tuple[str | None, list[str] | None]:
            runs[0] += 1
            token = step.run()
            return token, state_of(self._session(), token) if token else None

        return self._hands.context.transaction(
            run, attempts=ATTEMPTS, deadline=PATIENCE
        )

    def _failed(self, step: Step, error: Exception, runs: int, began: float) -> None:
        name = type(error).__name__
        certain = isinstance(error, REFUSALS) and name not in UNCERTAIN
        if not certain and step.token is not None:
            self._hands.items.pop(step.token, None)
        figures = self._figures(runs, began)
        text = "" if certain else str(error)[:LONGEST_TEXT]
        self._note(end=step.name, error=name, certain=certain, text=text, **figures)

    def _hold(self, token: str, item: Item | None) -> None:
        if item is None:
            self._hands.items.pop(token, None)
        else:
            self._hands.items[token] = item

    def _figures(self, runs: int, began: float) -> dict[str, Any]:
        return {
            "retries": max(0, runs - 1),
            "conflicts": list(self._codes),
            "seconds": round(time.perf_counter() - began, 6),
        }

    def _note(self, **facts: Any) -> None:
        """Write a line; what is written survives this process."""
        os.write(self._file, json.dumps(facts).encode() + b"\n")


def _provider(context: Context) -> Any:
    """Connect, as soon as there is a server."""
    while True:
        try:
            return context.get_service("session_provider")
        except OperationalError:
            time.sleep(0.1)


def _listen(engine: Engine, codes: list[str]) -> None:
    """Collect the SQLSTATE of every error; of none: the connection was lost."""

    def collect(context: Any) -> None:
        error = context.original_exception
        code = getattr(error, "pgcode", None) or getattr(error, "sqlstate", None)
        codes.append(code or "lost")

    event.listen(engine, "handle_error", collect)


def main() -> None:
    """Be a client."""
    client = Client(json.loads(sys.stdin.readline()))
    ended = threading.Event()
    threading.Thread(target=_wait, args=(ended,), daemon=True).start()
    client.run(ended)


def _wait(ended: threading.Event) -> None:
    sys.stdin.readline()
    ended.set()


if __name__ == "__main__":
    main()
