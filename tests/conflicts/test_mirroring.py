"""What the scheduler reserves takes part in claims, and the reverse."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError

from libres import conflicts
from libres.conflicts import ConflictError, MirroredElsewhere, Period, Proposal, schema
from libres.conflicts.mirror_schema import BLOCKERS, RESERVATIONS
from libres.conflicts.models import ConflictClaim
from libres.context.registry import create_default_registry
from libres.db import new_scheduler
from libres.db.models import (
    Allocation,
    Reservation,
    ReservationBlocker,
    ReservedSlot,
)
from libres.db.models.timestamp import TimestampMixin
from libres.modules.errors import LibresError
from tests.conflicts.times import SOURCE, at, hours
from tests.fixtures.statements import counted

MAIL = "ada@example.org"
TICK = timedelta(microseconds=1)


@pytest.fixture
def mirrored(context):
    """The claims of the context 'test', with the core mirrored into them."""
    claims = conflicts.setup(context, mirror_reservations=True, mirror_pending=True)
    claims.commit()
    return claims


@pytest.fixture
def room(mirrored, context):  # noqa: ARG001 - which is set up first
    """A room that is open from 9 to 17, in steps of 15 minutes."""
    return opened(context, "Room 201")


def opened(context, name, **options):
    """Open a resource from 9 to 17."""
    room = new_scheduler(context, name, "UTC")
    room.allocate(hours(9, 17), partly_available=True, raster=15, **options)
    return room


def asked(room, start, end, **more):
    """A proposal for the resource of a scheduler."""
    return Proposal(resource=room.resource, during=hours(start, end), **more)


def mirror(claims, source=RESERVATIONS):
    """What is mirrored: hours, places, capacity, tentative; in order."""
    rows = claims.session.execute(
        select(
            ConflictClaim.during,
            ConflictClaim.places,
            ConflictClaim.capacity,
            ConflictClaim.tentative,
        )
        .where(ConflictClaim.source == source)
        .order_by(ConflictClaim.during, ConflictClaim.id)
    )
    return [(during.lower.hour, during.upper.hour, *rest) for during, *rest in rows]


def approved(room, start, end, **more):
    """Reserve and approve some hours; return the token."""
    token = room.reserve(MAIL, hours(start, end), **more)
    room.approve_reservations(token)
    return token


class TestReservations:
    def test_approved_is_in_the_way(self, room, mirrored):
        """Approved it is found, removed it is not. (C16)"""
        during = (at(9, 30), at(10, 30))
        question = Proposal(resource=room.resource, during=during)
        token = room.reserve(MAIL, hours(9, 10))
        room.approve_reservations(token)
        (found,) = mirrored.check(question)
        assert found.during == Period(*hours(9, 10))
        assert (found.source, found.label) == (RESERVATIONS, MAIL)
        room.remove_reservation(token)
        assert mirrored.check(question) == []

    def test_one_row_per_stretch(self, room, mirrored):
        """Slots of a stretch are one claim; of two dates, two."""
        token = room.reserve(MAIL, [hours(9, 11), hours(12, 14)])
        room.approve_reservations(token)
        assert mirror(mirrored) == [(9, 11, 1, None, False), (12, 14, 1, None, False)]

    def test_across_allocations(self, mirrored, context):
        """Neighbouring allocations of a group are one stretch."""
        room = new_scheduler(context, "group", "UTC")
        dates = [hours(9, 10), hours(10, 11), hours(12, 13)]
        group = room.allocate(dates, grouped=True)[0].group
        room.approve_reservations(room.reserve(MAIL, group=group))
        assert mirror(mirrored) == [(9, 11, 1, None, False), (12, 13, 1, None, False)]

    def test_host_is_refused(self, room, mirrored):
        """What is approved, a host cannot claim."""
        approved(room, 9, 10)
        with pytest.raises(ConflictError) as caught:
            mirrored.claim(asked(room, 9, 12))
        assert caught.value.conflicts[0].source == RESERVATIONS

    def test_scheduler_is_refused(self, room, mirrored):
        """What a host has claimed, cannot be approved; who has it is told."""
        token = room.reserve(MAIL, hours(9, 10))
        held = mirrored.put(SOURCE, 1, room.resource, hours(9, 12))
        with pytest.raises(ConflictError) as caught, mirrored.guarded():
            room.approve_reservations(token)
        assert caught.value.conflicts == [held]
        assert room.reservations_by_token(token).one().status == "pending"
        assert room.managed_reserved_slots().count() == 0

    def test_without_guarded(self, room, mirrored):
        """Without the block the error of the database comes, and nothing is written."""
        token = room.reserve(MAIL, hours(9, 10))
        mirrored.put(SOURCE, 1, room.resource, hours(9, 12))
        room.commit()
        with pytest.raises(IntegrityError, match="conflict_claims_guard"):
            room.transaction(lambda: room.approve_reservations(token))
        assert room.managed_reserved_slots().count() == 0

    def test_change(self, room, mirrored):
        """A reservation that is changed takes its claim along."""
        token = approved(room, 9, 10)
        reservation = room.reservations_by_token(token).one()
        room.change_reservation(token, reservation.id, *hours(14, 16))
        assert mirror(mirrored) == [(14, 16, 1, None, False)]

    def test_rollback(self, room, mirrored):
        """What is rolled back is claimed by nobody."""
        room.commit()
        approved(room, 9, 10)
        room.rollback()
        assert mirror(mirrored) == []

    def test_statements(self, room, mirrored):
        """The mirror costs the scheduler no statement."""
        token = room.reserve(MAIL, hours(9, 10))
        with counted(room.session) as statements:
            room.approve_reservations(token)
        assert len(statements) <= 6

    def test_extinguish(self, room, mirrored):
        """A resource that is removed with all its records leaves no claim."""
        approved(room, 9, 10)
        room.extinguish_managed_records()
        assert mirror(mirrored) == []

    def test_truncate(self, room, mirrored):
        """Also if the table is emptied as a whole."""
        approved(room, 9, 10)
        mirrored.put(SOURCE, 1, "mine", hours(9, 10))
        room.session.execute(text("TRUNCATE reserved_slots"))
        assert mirror(mirrored) == []
        assert mirrored.query().source(SOURCE).exists()
        room.rollback()


class TestQuota:
    @pytest.fixture
    def hall(self, mirrored, context):
        """A hall with three places."""
        return opened(context, "hall", quota=3)

    def test_places(self, hall, mirrored):
        """A reservation of two places is one claim of two of three."""
        approved(hall, 9, 10, quota=2)
        assert mirror(mirrored) == [(9, 10, 2, 3, False)]

    def test_up_to_quota(self, hall, mirrored):
        """Reservations of one resource do not meet each other below the quota."""
        for _ in range(3):
            approved(hall, 9, 10)
        assert len(mirror(mirrored)) == 3
        with pytest.raises(LibresError):
            approved(hall, 9, 10)

    def test_host_wants_it_alone(self, hall, mirrored):
        """A host that wants all of it is in the way of any place, and the reverse."""
        approved(hall, 9, 10)
        with pytest.raises(ConflictError):
            mirrored.claim(asked(hall, 9, 10))
        mirrored.claim(asked(hall, 11, 12))
        token = hall.reserve(MAIL, hours(11, 12))
        with pytest.raises(ConflictError), mirrored.guarded():
            hall.approve_reservations(token)

    def test_host_takes_places(self, hall, mirrored):
        """A host may take places of the same capacity."""
        approved(hall, 9, 10, quota=2)
        mirrored.claim(asked(hall, 9, 10, capacity=3))
        with pytest.raises(ConflictError):
            mirrored.claim(asked(hall, 9, 10, capacity=3))

    def test_change_quota(self, hall, mirrored):
        """A changed quota is the new capacity."""
        approved(hall, 9, 10)
        (allocation,) = hall.managed_allocations().filter_by(resource=hall.resource)
        hall.change_quota(allocation, 5)
        assert mirror(mirrored) == [(9, 10, 1, 5, False)]
        hall.change_quota(allocation, 1)
        assert mirror(mirrored) == [(9, 10, 1, None, False)]


class TestBlockers:
    def test_blocked(self, room, mirrored):
        """A blocker is a claim, with its reason, and gone when it is removed."""
        blockers = room.add_blocker(hours(9, 10), reason="Painters")
        (found,) = mirrored.check(asked(room, 9, 10))
        assert (found.source, found.label) == (BLOCKERS, "Painters")
        room.remove_blocker(blockers[0].token)
        assert mirrored.check(asked(room, 9, 10)) == []

    def test_takes_all_places(self, mirrored, context):
        """A blocker leaves no place."""
        hall = opened(context, "hall", quota=3)
        hall.add_blocker(hours(9, 10))
        assert mirror(mirrored, BLOCKERS) == [(9, 10, 3, 3, False)]
        with pytest.raises(ConflictError):
            mirrored.claim(asked(hall, 9, 10, capacity=3))


class TestPending:
    def test_tentative(self, room, mirrored):
        """Who waits is told, but keeps nobody out."""
        room.reserve(MAIL, hours(9, 10))
        (found,) = mirrored.check(asked(room, 9, 10))
        assert (found.tentative, found.exclusive) == (True, False)
        mirrored.claim(asked(room, 9, 10))

    def test_session_expires(self, room, mirrored, monkeypatch):
        """What lies in a cart counts for as long as the session does."""
        session = "0e7c1cb7-4ac5-4fe9-8b6b-5e8d1a3b8a10"
        room.reserve(
            MAIL, hours(9, 10), session_id=session, single_token_per_session=True
        )
        (found,) = mirrored.check(asked(room, 9, 10))
        later = found.expires
        monkeypatch.setattr(TimestampMixin, "timestamp", lambda: later)
        assert mirrored.check(asked(room, 9, 10)) == []

    def test_group(self, mirrored, context):
        """Who waits for a group waits for all its dates."""
        room = new_scheduler(context, "group", "UTC")
        group = room.allocate([hours(9, 10), hours(12, 13)], grouped=True)[0].group
        token = room.reserve(MAIL, group=group)
        assert mirror(mirrored) == [(9, 10, 1, None, True), (12, 13, 1, None, True)]
        room.deny_reservation(token)
        assert mirror(mirrored) == []

    def test_not_unless_asked(self, context):
        """Without being asked for, pending ones are not mirrored."""
        claims = conflicts.setup(context, mirror_reservations=True)
        room = opened(context, "room")
        room.reserve(MAIL, hours(9, 10))
        assert claims.check(asked(room, 9, 10)) == []


class TestSetup:
    def test_what_was_there(self, claims, context):
        """Reservations from before the mirror are mirrored at once."""
        room = opened(context, "room")
        approved(room, 9, 10)
        room.add_blocker(hours(12, 13))
        assert claims.check(asked(room, 9, 13)) == []
        claims.setup(mirror_reservations=True)
        assert len(claims.check(asked(room, 9, 13))) == 2

    def test_refused_if_taken(self, claims, context):
        """What is reserved and claimed already is told; nothing is set up then."""
        room = opened(context, "room")
        approved(room, 9, 10)
        held = claims.put(SOURCE, 1, room.resource, hours(9, 10))
        with pytest.raises(ConflictError) as caught:
            claims.setup(mirror_reservations=True)
        assert caught.value.conflicts == [held]
        approved(room, 11, 12)
        assert mirror(claims) == []

    def test_again(self, room, mirrored):
        """Setting up again changes nothing, and without the mirror it stays."""
        approved(room, 9, 10)
        mirrored.setup(mirror_reservations=True, mirror_pending=True)
        mirrored.setup()
        approved(room, 10, 11)
        assert len(mirror(mirrored)) == 2

    def test_one_context(self, mirrored, context):
        """The core of a database is mirrored into one context."""
        other = create_default_registry().register_context("other")
        other.set_setting("dsn", context.get_setting("dsn"))
        claims = conflicts.Claims(other)
        for act in (
            lambda: claims.setup(mirror_reservations=True),
            claims.verify_mirror,
            claims.remove_mirror,
        ):
            with pytest.raises(MirroredElsewhere, match="owner: test"):
                act()
        claims.close()
        other.get_service("session_provider").stop_service()

    def test_remove(self, room, mirrored):
        """Removed, its claims are gone, and new ones do not come."""
        approved(room, 9, 10)
        assert mirrored.remove_mirror() == 1
        approved(room, 11, 12)
        assert mirror(mirrored) == []

    def test_setup_database(self, empty_dsn):
        """The core leaves the tables of claims to whoever wants claims."""
        context = create_default_registry().register_context("other")
        context.set_setting("dsn", empty_dsn)
        room = new_scheduler(context, "room", "UTC")
        room.setup_database()
        made = set(inspect(room.session.connection()).get_table_names())
        assert "allocations" in made
        assert made.isdisjoint(model.__tablename__ for model in schema.MODELS)
        conflicts.setup(context)
        room.setup_database()
        room.close()
        context.get_service("session_provider").stop_service()


class TestVerify:
    def test_sound(self, room, mirrored):
        """Nothing differs after all that the scheduler did."""
        approved(room, 9, 10)
        room.reserve(MAIL, hours(10, 11))
        assert mirrored.verify_mirror() == []

    @pytest.mark.parametrize(
        ("damage", "kind"),
        [
            ("DELETE FROM conflict_claims", "missing"),
            ("UPDATE conflict_claims SET label = 'x'", "stale"),
            ("UPDATE conflict_claims SET source_id = '99'", "orphaned"),
        ],
    )
    def test_damage(self, room, mirrored, damage, kind):
        """What somebody has done to the claims is found, and mended."""
        approved(room, 9, 10)
        room.session.execute(text(damage))
        found = mirrored.verify_mirror(repair=True)
        assert kind in {each.kind for each in found}
        assert mirrored.verify_mirror() == []
        assert mirror(mirrored) == [(9, 10, 1, None, False)]


# Everything the scheduler does --------------------------------------------------------


def expected(session):
    """The mirror, by brute force from the slots: (source, id, hour, places)."""
    rows = session.execute(
        select(
            ReservedSlot.source_type,
            ReservedSlot.source_id,
            ReservedSlot.start,
            ReservedSlot.end,
        )
    )
    found = defaultdict(int)
    for kind, number, start, end in rows:
        moment = start
        while moment < end:
            found[kind, number, moment] += 1
            moment += timedelta(minutes=15)
    return dict(found)


def seen(session):
    """The same, from the claims."""
    rows = session.execute(
        select(
            ConflictClaim.source,
            ConflictClaim.source_id,
            ConflictClaim.during,
            ConflictClaim.places,
        ).where(~ConflictClaim.tentative)
    )
    kinds = {RESERVATIONS: "reservation", BLOCKERS: "blocker"}
    found = defaultdict(int)
    for source, number, during, places in rows:
        moment = during.lower
        while moment < during.upper:
            found[kinds[source], int(number), moment] += places
            moment += timedelta(minutes=15)
    return dict(found)


def waiting(session):
    """The ids of pending reservations: by the core, and by the claims."""
    core = session.scalars(
        select(Reservation.id).where(Reservation.status == "pending")
    )
    claimed = session.scalars(
        select(ConflictClaim.source_id).where(ConflictClaim.tentative)
    )
    return set(core), {int(number) for number in claimed}


QUARTERS = st.integers(0, 31)

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "reserve",
                "approve",
                "approve",
                "book",
                "deny",
                "remove",
                "change",
                "block",
                "unblock",
                "quota",
                "move",
            ]
        ),
        QUARTERS,
        st.integers(1, 8),
        st.integers(1, 3),
    ),
    min_size=5,
    max_size=25,
)


def step(room, verb, first, length, number):
    """Do one thing with a scheduler, as far as there is something to do it with."""
    start = at(9) + timedelta(minutes=15 * first)
    end = start + timedelta(minutes=15 * length)
    session = room.session
    reservations = session.scalars(select(Reservation).order_by(Reservation.id)).all()
    some = reservations[first % len(reservations)] if reservations else None
    blocker = session.scalars(select(ReservationBlocker)).first()
    allocation = session.scalars(
        select(Allocation).where(Allocation.resource == room.resource)
    ).one()
    if verb in ("reserve", "book"):
        getattr(room, verb)(MAIL, (start, end), quota=number)
    elif verb == "block":
        room.add_blocker((start, end))
    elif verb == "quota":
        room.change_quota(allocation, number)
    elif verb == "move":
        room.move_allocation(allocation.id, *hours(9 - number, 17 + number))
    elif verb == "unblock" and blocker:
        room.remove_blocker(blocker.token)
    elif verb == "change" and some:
        room.change_reservation(some.token, some.id, start, end)
    elif verb in ("approve", "deny", "remove") and some:
        act = {
            "approve": room.approve_reservations,
            "deny": room.deny_reservation,
            "remove": room.remove_reservation,
        }[verb]
        act(some.token)


class TestEverything:
    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(steps=STEPS, quota=st.integers(1, 3))
    def test_follows(self, mirrored, context, steps, quota):
        """After each thing a scheduler does, the claims are what the slots say."""
        room = new_scheduler(context, "any", "UTC")
        room.rollback()
        opening = {"partly_available": True, "raster": 15, "quota": quota}
        room.allocate(hours(9, 17), **opening)
        for each in steps:
            try:
                with room.begin_nested():
                    step(room, *each)
            except LibresError:
                pass
            assert seen(room.session) == expected(room.session)
            core, claimed = waiting(room.session)
            assert core == claimed
        assert mirrored.verify_mirror() == []
