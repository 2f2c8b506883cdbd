"""Books for who sits at a browser, and remembers what is theirs.

What may be booked is decided by the scheduler; here it is only asked, and its answer is
told to people.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4, uuid5

from apiflask import Schema
from flask import session
from marshmallow import EXCLUDE, ValidationError

from libres.db import loading
from libres.db.models.timestamp import TimestampMixin
from libres.db.operations.fitting import Alternatives, alternatives
from libres.domain.days import to_zone
from libres.modules import errors
from libres.modules.errors import LibresError
from libres.waiting import TimeIsFree, WaitingList
from libres.web.drawing import told_whole
from libres.web.errors import NotFound
from libres.web.fields import Email, Text, Whole, moment_of, uuid_of
from libres.web.identity import BOOK, MANAGE, READ
from libres.web.problems import flat, status_of
from libres.web.showing import Viewer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from libres.db.scheduler import Scheduler
    from libres.web.directory import Place
    from libres.web.edge import Edge

TOKENS: Final = "libres_tokens"
"""Where a session of the pages keeps the tokens of what was booked in it."""

MOST: Final = 50
"""Tokens that are kept, the latest."""

MOST_PLACES: Final = 10_000

REFUSALS: Final[Mapping[type[Exception], str]] = {
    errors.AlreadyReservedError: "This time is taken: somebody was faster.",
    errors.TimerangeTooLong: "This is not offered from start to end.",
    errors.InvalidReservationError: "Nothing is offered at this time.",
    errors.QuotaImpossible: "There are not that many places.",
    errors.QuotaOverLimit: "So many places cannot be had at once.",
    errors.InvalidEmailAddress: "This is not an e-mail address.",
    errors.TooManyConflicts: "Too many others book right now: try it once more.",
    TimeIsFree: "This time is free again: book it.",
    errors.InvalidReservationToken: "This was booked already, and given back since.",
}
"""What people are told of an error; of others, its message."""


# Whose --------------------------------------------------------------------------------


def viewer_of(here: Edge) -> Viewer:
    """Return who looks, and which reservations are theirs."""
    return Viewer(
        frozenset(remembered()), here.caller.email, sees_all=here.caller.may(READ)
    )


def remembered() -> list[UUID]:
    """Return the tokens of what was booked in this browser."""
    kept = session.get(TOKENS)
    found = (uuid_of(str(each)) for each in (kept if isinstance(kept, list) else ()))
    return [each for each in found if each is not None]


def remember(token: UUID) -> None:
    """Keep a token in the session of this browser, with the latest ones before it."""
    kept = [str(each) for each in remembered() if each != token]
    session[TOKENS] = [*kept, str(token)][-MOST:]


# What ---------------------------------------------------------------------------------


class Form(Schema):
    """What is filled in to book; the times are read for themselves."""

    email = Email(required=True)
    title = Text(load_default="")
    places = Whole(least=1, most=MOST_PLACES, strict=False, load_default=1)
    once = Text(longest=50, load_default="")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody would like to have."""

    start: datetime
    end: datetime
    email: str
    title: str
    places: int
    once: str

    @property
    def data(self) -> dict[str, Any] | None:
        """What is kept with the reservation."""
        return {"title": self.title.strip()} if self.title.strip() else None

    @property
    def key(self) -> str:
        """What the same form has if it is sent twice, and a changed one has not."""
        said = (self.start, self.end, self.email, self.title, self.places)
        return f"page:{uuid5(uuid_of(self.once) or uuid4(), repr(said))}"

    def times(self, place: Place) -> str:
        """Tell where and when it is."""
        start, end = (to_zone(each, place.timezone) for each in (self.start, self.end))
        return f"{place.title}, {told_whole(start, end)}"


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it was filled in: with what is wrong, or a wish."""

    typed: Mapping[str, str]
    start: datetime | None
    end: datetime | None
    wish: Wish | None = None
    wrong: Mapping[str, list[str]] = field(default_factory=dict)


def filled(form: Mapping[str, str]) -> Filled:
    """Read a form: ``start`` and ``end``, or ``span`` with both and a slash between."""
    typed = dict(form)
    wrong: dict[str, list[str]] = {}
    first, _, last = typed.get("span", "").partition("/")
    start = _moment(first or typed.get("start"), "start", wrong)
    end = _moment(last or typed.get("end"), "end", wrong)
    if start and end and start >= end:
        wrong["end"] = ["It must end after it starts."]
    given = {key: value for key, value in typed.items() if value.strip()}
    values, more = load(Form(), given)
    wrong |= more
    wish = None
    if start and end and not wrong:
        wish = Wish(start, end, **values)
    return Filled(typed, start, end, wish, wrong)


def load(
    schema: Schema, given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Read a form by a schema; return its values, and what is wrong by field.

    What is not known is left out: buttons and times have names, too.
    """
    try:
        return schema.load(given, unknown=EXCLUDE), {}
    except ValidationError as error:
        told = flat(error.messages)
        return {}, {name.partition(".")[0]: said for name, said in told.items()}


def _moment(
    text: str | None, name: str, wrong: dict[str, list[str]]
) -> datetime | None:
    try:
        return moment_of(text)
    except ValidationError as error:
        wrong[name] = [str(each) for each in error.messages]
        return None


# Booking ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Booked:
    """What came of a wish."""

    token: UUID
    is_pending: bool
    times: str

    @property
    def words(self) -> str:
        """What is told of it."""
        if self.is_pending:
            return f"Asked for {self.times}: it waits for approval."
        return f"Booked: {self.times}."


def book(here: Edge, place: Place, wish: Wish) -> Booked:
    """Book what is wished, or reserve it if somebody has to approve it.

    Remembers it. Raises NotIdentified, NotAllowed, and what the scheduler raises.
    """
    here.insist(BOOK)

    def write() -> Booked:
        scheduler = place.scheduler(here.context)
        is_pending = _needs_approval(scheduler, wish)
        asked: dict[str, Any] = {
            "dates": (wish.start, wish.end),
            "data": wish.data,
            "quota": wish.places,
            "idempotency_key": wish.key,
        }
        if is_pending:
            token = scheduler.reserve(wish.email, **asked)
        else:
            token = scheduler.book(wish.email, **asked)[0].token
        return Booked(token, is_pending, wish.times(place))

    booked = here.write(write)
    remember(booked.token)
    return booked


def wait(here: Edge, place: Place, wish: Wish) -> int | None:
    """Wait for what is wished; return which turn it is.

    Raises NotIdentified, NotAllowed, and what ``WaitingList.join`` raises.
    """
    here.insist(BOOK)

    def write() -> int | None:
        scheduler = place.scheduler(here.context)
        entry = WaitingList(here.context).join(
            scheduler,
            wish.email,
            wish.start,
            wish.end,
            places=wish.places,
            data=wish.data,
            again=here.caller.may(MANAGE) or here.caller.has_email(wish.email),
        )
        return entry.position

    return here.write(write)


def _needs_approval(scheduler: Scheduler, wish: Wish) -> bool:
    """Tell whether somebody has to approve what is wished. One statement."""
    touched = scheduler.allocations_in_range(wish.start, wish.end).options(
        loading.WITHOUT_SLOTS
    )
    return any(
        each.approve_manually and each.overlaps(wish.start, wish.end)
        for each in touched
    )


def give_back(here: Edge, place: Place, token: UUID, id: int) -> None:  # noqa: A002 - as the scheduler has it
    """Remove a reservation of the viewer.

    Raises NotFound if there is none that is theirs.
    """
    here.insist(BOOK)
    viewer = viewer_of(here)

    def write() -> None:
        scheduler = place.scheduler(here.context)
        found = scheduler.reservations_by_token(token, id).first()
        if found is None or not viewer.has(found.token, found.email):
            raise NotFound
        scheduler.remove_reservation(token, id)

    here.write(write)


# Refusing -----------------------------------------------------------------------------


def refusal(error: LibresError) -> tuple[int, str] | None:
    """Return the status and the words for an error; None: it is not one of a wish."""
    status = status_of(error)
    if status not in {409, 422, 503} and not isinstance(
        error, errors.InvalidReservationToken
    ):
        return None
    return status or 409, _words(error)


def _words(error: LibresError) -> str:
    free = error.facts.get("free")
    if free:
        return f"Places that are left at this time: {free}."
    told = (REFUSALS[kind] for kind in type(error).__mro__ if kind in REFUSALS)
    return next(told, str(error))


def other_times(
    here: Edge,
    place: Place,
    known: Sequence[Place],
    start: datetime,
    end: datetime,
    places: int,
) -> Alternatives:
    """Return what else would do, here and on the others that are known.

    Two statements.
    """
    others = [each.scheduler(here.context) for each in known if each.name != place.name]
    return alternatives(
        place.scheduler(here.context),
        start,
        end,
        others=others,
        places=places,
        now=TimestampMixin.timestamp(),
    )
