"""Who visits the pages of the configuration, and what they may see and do there.

Platform staff may do everything; administrators of organisations what concerns their
own; auditors see everything of theirs, and change nothing. Who may call a view is said
beside it, by a rule; what has no rule is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from flask import current_app, g, redirect, request, session, url_for

from libres.db.models.timestamp import TimestampMixin
from libres.sync import Sync
from libres.sync.audit import Audit
from libres.sync.memberships import Memberships
from libres.sync.users import users_of
from libres.web import actors, guarding
from libres.web.edge import Edge, edge
from libres.web.errors import NotAllowed, NotFound, NotIdentified, NotSetUp

if TYPE_CHECKING:
    from uuid import UUID

    from flask.typing import ResponseReturnValue

    from libres.context.core import Context
    from libres.sync.values import Organization, Pages, User

T = TypeVar("T")
View = TypeVar("View", bound=Callable[..., Any])

Rule = Literal["anybody", "visitor", "admin", "staff"]
"""Whoever comes; who may see anything; who may change the organisation named in the
address (staff, where none is); staff only."""

ANYBODY: Final = "anybody"
VISITOR: Final = "visitor"
ADMIN: Final = "admin"
STAFF: Final = "staff"

REFUSED: Final = "You may not do this, or not for this organisation."

NOTHING: Final = (
    "You are signed in as {name}, but may see nothing here: an administrator of your "
    "organisation, or the staff of the platform, may give you a role for these pages."
)

OWN: Final = (
    "You cannot take the administration from yourself: somebody else who has it does."
)

EXPIRED: Final = "Sign in to the configuration: nobody is signed in, or not any more."

SIGN_IN: Final = "libres.config.signin.sign_in"

COOKIE: Final = "libres_config"
LONGEST: Final = 8 * 60 * 60
"""Seconds until a visitor has to sign in again."""

SKEW: Final = 60
"""So many seconds the clocks of two servers may differ."""


def rule(wanted: Rule) -> Callable[[View], View]:
    """Say who may call a view."""

    def ruled(view: View) -> View:
        view.rule = wanted  # type: ignore[attr-defined]
        return view

    return ruled


def rule_of(endpoint: str) -> Rule | None:
    """Return who may call a view; None: nobody has said so."""
    found: Rule | None = getattr(current_app.view_functions.get(endpoint), "rule", None)
    return found


@dataclass(frozen=True, slots=True)
class Seat:
    """What a visitor may do in an organisation."""

    organization: Organization
    level: Pages


@dataclass(frozen=True)
class Visit:
    """Who visits: ``visit()`` in every view."""

    edge: Edge
    user: User
    seats: Mapping[str, Seat]
    """By the slug of the organisation; all of them for staff."""

    @property
    def context(self) -> Context:
        """The context that is configured."""
        return self.edge.context

    @property
    def sync(self) -> Sync:
        """Its synchronisation."""
        return Sync(self.context)

    @property
    def audit(self) -> Audit:
        """Its audit."""
        return Audit(self.context)

    @property
    def is_staff(self) -> bool:
        """Of the platform: may do everything."""
        return self.user.staff

    @property
    def may_see(self) -> bool:
        """Tell whether there is anything that they may see."""
        return self.is_staff or bool(self.seats)

    @property
    def is_of_host(self) -> bool:
        """Tell whether the host has signed them in, and not these pages."""
        return bool(self.edge.caller.user)

    @property
    def organizations(self) -> list[Organization]:
        """The organisations that they may see, by name."""
        found = [each.organization for each in self.seats.values()]
        return sorted(found, key=lambda each: (each.name.lower(), each.slug))

    @property
    def tenants(self) -> list[str] | None:
        """The references of these; None: they see what belongs to nobody as well."""
        if self.is_staff:
            return None
        return [each.reference for each in self.organizations]

    @property
    def ids(self) -> list[UUID] | None:
        """The ids of these; None, as for `tenants`."""
        return None if self.is_staff else [each.id for each in self.organizations]

    def organization(self, slug: str) -> Organization:
        """Return an organisation that they may see. Raises NotFound for all others."""
        seat = self.seats.get(slug)
        if seat is None:
            raise NotFound
        return seat.organization

    def may_change(self, slug: str | None) -> bool:
        """Tell whether they may change an organisation; None: what belongs to none."""
        if self.is_staff:
            return slug is None or slug in self.seats
        seat = None if slug is None else self.seats.get(slug)
        return seat is not None and seat.level == ADMIN

    def insist_still(self, slug: str) -> None:
        """Refuse a change that has taken from them what allows it, or that was made
        after somebody else has. At the end of its transaction; one statement.

        So an organisation always keeps an administrator, unless staff has no use for
        one. Raises NotAllowed.
        """
        if self.is_staff:
            return
        seat = _seats(self.context, self.user).get(slug)
        if seat is None or seat.level != ADMIN:
            raise NotAllowed(OWN)

    def reading(self) -> AbstractContextManager[None]:
        """Read, in a transaction that cannot write."""
        return self.edge.reading()

    def write(self, fn: Callable[[], T]) -> T:
        """Run *fn* in a transaction, and commit; it was the visitor who did so."""
        return self.edge.write(fn, actor=self.user.username)


def visit() -> Visit:
    """Return who visits. Raises NotIdentified, if nobody has signed in.

    Two statements, when it is asked for the first time.
    """
    if "libres_visit" not in g:
        g.libres_visit = _found(edge())
    found: Visit | None = g.libres_visit
    if found is None:
        raise NotIdentified(EXPIRED)
    return found


def visiting() -> Visit | None:
    """Return who visits; None: nobody who has signed in."""
    try:
        return visit()
    except NotIdentified:
        return None


def settled() -> Visit | None:
    """Return who visits, for what every page shows; None also if that cannot be found
    out, as a page that tells of an error must not fail by it."""
    with suppress(Exception):
        return visiting()
    return None


def is_announced() -> bool:
    """Tell whether somebody says that they are a visitor, true or not: it is not looked
    up, so any page may ask."""
    return COOKIE in session or bool(edge().caller.user)


# Signed in ----------------------------------------------------------------------------


def begin(user: User) -> None:
    """Begin a session: nothing that was known before proves anything in it."""
    session.clear()
    now = TimestampMixin.timestamp().timestamp()
    session[COOKIE] = {"user": user.id, "version": user.version, "at": int(now)}


def _found(here: Edge) -> Visit | None:
    """Look who visits, and what they may do, as it is at this moment."""
    if not actors.is_noted(here):
        return None
    with here.reading():
        user = _user(here)
        if user is None or not user.active:
            return None
        return Visit(here, user, _seats(here.context, user))


def _user(here: Edge) -> User | None:
    """Return whom the host has signed in, else whom our cookie says."""
    known = here.caller.user
    if known:
        return users_of(here.context).user(known)
    told = session.get(COOKIE)
    if not isinstance(told, dict):
        return None
    age = TimestampMixin.timestamp().timestamp() - told.get("at", 0)
    user = users_of(here.context).user(str(told.get("user")))
    is_good = user is not None and user.version == told.get("version")
    return user if is_good and -SKEW <= age <= LONGEST else None


def _seats(context: Context, user: User) -> dict[str, Seat]:
    if user.staff:
        every = Sync(context).organizations.all()
        return {each.slug: Seat(each, "admin") for each in every}
    theirs = Memberships(context).of_user(user.id)
    return {
        each.organization.slug: Seat(each.organization, each.role.pages)
        for each in theirs
        if each.active and each.organization.active and each.role.pages is not None
    }


# Guarding -----------------------------------------------------------------------------


def guard() -> ResponseReturnValue | None:
    """Refuse who may not call this view. Before each view of these pages.

    Raises NotSetUp, NotFound, NotAllowed; who has not signed in is asked to.
    """
    if not actors.is_noted(edge()):
        raise NotSetUp(room="sync")
    if request.method not in guarding.SAFE:
        guarding.check_token(_token())
    wanted = rule_of(request.endpoint or "")
    if wanted == ANYBODY:
        return None
    here = visiting()
    if here is None:
        return _asked_to_sign_in()
    _insist(here, wanted)
    return None


def _token() -> str | None:
    """Return what proves that a page of ours sends this: always, as a host may know
    people by what browsers send along by themselves."""
    sent = request.headers.get("X-CSRF-Token")
    if sent is None and request.mimetype in guarding.FORMS:
        sent = request.form.get("csrf_token")
    return sent


def _insist(here: Visit, wanted: Rule | None) -> None:
    if not here.may_see:
        raise NotAllowed(NOTHING.format(name=here.user.username))
    slug = (request.view_args or {}).get("slug")
    if slug is not None:
        here.organization(slug)
    if not _may(here, wanted, slug):
        raise NotAllowed(REFUSED)


def _may(here: Visit, wanted: Rule | None, slug: str | None) -> bool:
    if wanted == VISITOR:
        return True
    if wanted == ADMIN:
        return here.may_change(slug)
    return wanted == STAFF and here.is_staff


def _asked_to_sign_in() -> ResponseReturnValue:
    """Lead people to the page where they sign in; refuse what is no page."""
    wanted = request.accept_mimetypes
    is_page = wanted["text/html"] > wanted["application/json"]
    if request.method not in guarding.SAFE or not is_page:
        raise NotIdentified(EXPIRED)
    return redirect(sign_in_url(), 303)


def sign_in_url() -> str:
    """Return where one signs in, and gets back from to this page, if it is one."""
    is_page = request.method in guarding.SAFE and request.endpoint != SIGN_IN
    back = request.full_path.removesuffix("?") if is_page else None
    return url_for(SIGN_IN, next=back)
