"""What every view works with: who asks, the context, reading, writing, and answers.

A request is answered by one read-only transaction, or by one that writes and is tried
again while others get in its way.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import date, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from flask import Response, g, request

from libres.web import actors
from libres.web.directory import Place, place_named
from libres.web.errors import InvalidRequest, NotAllowed, NotIdentified
from libres.web.identity import Caller, identity_of
from libres.web.keys import sent
from libres.web.limits import Limits

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.db.scheduler import Scheduler
    from libres.web.settings import WebSettings

T = TypeVar("T")

LARGEST_ID: Final = 2**63 - 1

SOMEBODY: Final = ""
"""The name of those who do not say who they are."""


class Edge:
    """What a request is answered with: ``edge()`` in every view."""

    def __init__(
        self, context: Context, settings: WebSettings, limits: Limits | None = None
    ) -> None:
        self.context = context
        self.settings = settings
        self._limits = limits
        self._caller: Caller | None = None
        self._held = ExitStack()
        self.retries = 0
        """How often a write of this request was tried again."""

    @property
    def limits(self) -> Limits:
        """How often callers may ask. Made when it is needed: it starts a thread."""
        if self._limits is None:
            self._limits = Limits(self.settings)
        return self._limits

    @property
    def caller(self) -> Caller:
        """Who asks. Raises NotIdentified for a key that nobody has."""
        if self._caller is None:
            with self.reading():
                found = identity_of(self.context).caller(request)
            self._caller = found or Caller(SOMEBODY, self.settings.anonymous)
        return self._caller

    def settle(self) -> None:
        """Find out who asks, for a page that tells of an error; nobody, if that fails.

        A key in a header is not looked up again: wrong ones are counted elsewhere.
        """
        if self._caller is None and sent(request) is None:
            with suppress(Exception):
                self._caller = self.caller
        self._caller = self._caller or Caller(SOMEBODY)

    def insist(self, scope: str) -> None:
        """Refuse who may not do this.

        Raises NotIdentified if they do not say who they are, else NotAllowed.
        """
        if self.caller.may(scope):
            return
        if self.caller.name == SOMEBODY:
            raise NotIdentified
        raise NotAllowed(scope=scope)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read, in a transaction that cannot write and gets in the way of nobody.

        A host's provider that has no ``read_only_session()`` lends its session.
        """
        if self.context.read_only_session is not None:
            yield
            return
        provider = self.context.get_service("session_provider")
        if not callable(getattr(provider, "read_only_session", None)):
            yield
            return
        with self.context.read_only():
            yield

    def hold(self) -> None:
        """Read in one transaction until `release`: all that is asked agrees, and one
        transaction costs less than several."""
        self._held.enter_context(self.reading())

    def release(self) -> None:
        """End what `hold` has begun, if it was."""
        self._held.close()

    def write(self, fn: Callable[[], T], actor: str | None = None) -> T:
        """Run *fn* in a transaction, again if others get in the way; then commit.

        What it changes was changed by *actor* (None: the caller), as far as changes are
        noted. Raises TooManyConflicts, which is answered by 503.
        """
        self.release()
        tries = count()

        def tried() -> T:
            self.retries += next(tries) > 0
            return fn()

        caller = SOMEBODY if self._caller is None else self._caller.name
        with actors.acting_as(self, caller if actor is None else actor):
            return self.context.transaction(tried, attempts=self.settings.attempts)

    def place(self, name: str) -> Place:
        """Return a resource. Raises NotFound. One statement."""
        with self.reading():
            return place_named(self.context, name)

    def scheduler(self, name: str) -> Scheduler:
        """Make the scheduler of a resource. Raises NotFound. One statement."""
        return self.place(name).scheduler(self.context)


def edge() -> Edge:
    """Return what this request is answered with."""
    found: Edge = g.libres
    return found


# Answers ------------------------------------------------------------------------------


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    message = f"{type(value).__name__} is not known to JSON"
    raise TypeError(message)


def answer(
    payload: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with JSON: datetimes as ISO 8601, as they are; no NaN."""
    body = json.dumps(payload, default=_plain, allow_nan=False, separators=(",", ":"))
    return Response(body, status, headers, mimetype="application/json")


def polled(payload: object) -> Response:
    """Answer what is asked for again and again: with an ETag, and by 304 if it is what
    the caller has already."""
    return conditional(answer(payload))


def conditional(response: Response) -> Response:
    """Give an answer an ETag; make it a 304 if the caller has it already."""
    response.add_etag()
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization, Cookie"
    response.make_conditional(request)
    return response


def nothing() -> Response:
    """Answer that it is done."""
    return Response(status=204)


# Pages of lists -----------------------------------------------------------------------


def cursor_of(*values: object) -> str:
    """Say where a page ended, in a word that callers cannot read anything into."""
    plain = json.dumps(values, default=_plain, separators=(",", ":"))
    return urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def id_value(value: Any) -> int:
    """Read the id of a row from a cursor. Raises ValueError."""
    if type(value) is not int or not 0 <= value <= LARGEST_ID:
        raise ValueError(value)
    return value


def cursor_values(cursor: str, *kinds: Callable[[Any], Any]) -> list[Any]:
    """Read a word of cursor_of, each value by its kind. Raises InvalidRequest."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        values = json.loads(urlsafe_b64decode(padded))
        return [kind(value) for kind, value in zip(kinds, values, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        message = "Not a cursor: pass 'next' of the page before, as it is."
        raise InvalidRequest(errors={"cursor": [message]}) from error
