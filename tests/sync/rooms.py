"""Rooms of two organisations, and what is needed to push to the core by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import select

from libres.db.models import Reservation
from libres.sync.core_models import RESERVATION
from libres.sync.handlers import Item, Work
from libres.sync.models import SyncOrganization, SyncPending
from libres.sync.registry import registry_of
from libres.sync.values import ALL, Flags, Member, Organization, Role, User

MONDAY = datetime(2026, 11, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEYS = UUID(int=7)


def at(clock, day=0):
    """A moment of the week of the tests: day 0 is a Monday, in UTC."""
    hours, minutes = map(int, clock.split(":"))
    return MONDAY + timedelta(days=day, hours=hours, minutes=minutes)


def iso(clock, day=0):
    """The same as clients send it."""
    return at(clock, day).isoformat()


def organization(session, slug):
    """Add an organisation; its reference is its slug."""
    row = SyncOrganization(
        id=uuid5(KEYS, slug), context="test", name=slug, slug=slug, reference=slug
    )
    session.add(row)
    session.flush()
    return Organization(row.id, row.name, row.slug, row.reference)


def member(of, name="john_manager", filters=None, **flags):
    """A member with all rights, or with those given per model: their short names."""
    known = {f"libres.{model}": value for model, value in flags.items()}
    rights = {f"libres.{each}": ALL for each in ("Reservation", "Allocation")}
    return Member(
        user=User(name, name, f"{name}@example.org"),
        organization=of,
        role=Role(uuid5(KEYS, "role"), "managers", "Managers"),
        flags={**rights, "libres.CheckIn": ALL, **known},
        filters=filters or {},
    )


NO_UPDATE = Flags(*([True] * 4), update=False, delete=True)


class Desk:
    """Pushes items for a member, as a push does once it has read them."""

    def __init__(self, context, who, model=RESERVATION):
        self.context, self.who, self.name = context, who, model

    @property
    def model(self):
        """The model that is written."""
        return registry_of(self.context).named(self.name)

    @property
    def session(self):
        """The session of the context."""
        return self.context.get_service("session_provider").session()

    def item(self, op, key=None, version=None, **sent):
        """An item, with what Python holds of what was sent."""
        values = {name: self.model.fields[name].read(v) for name, v in sent.items()}
        return Item(
            *(0, self.model, op, None if key is None else (key,), values, version)
        )

    def push(self, op, key=None, version=None, **sent):
        """Write one item and return its outcome; not committed."""
        work = Work(self.context, self.session, self.who)
        items = [self.item(op, key, version, **sent)]
        (outcome,) = self.model.handler.write(work, items)
        return outcome

    def reserve(self, first, last, room="Room 201", **sent):
        """Create a reservation from one time of day to another."""
        times = {"start": iso(first), "end": iso(last)}
        return self.push("create", resource=room, **times, **sent)

    def rows(self):
        """All reservations, by id."""
        self.session.expire_all()
        return self.session.scalars(select(Reservation).order_by(Reservation.id)).all()


def pending(session, relation="reservations"):
    """What is noted of a table and not numbered yet."""
    session.flush()
    query = select(SyncPending).where(SyncPending.relation == relation)
    return list(session.scalars(query.order_by(SyncPending.seq)))
