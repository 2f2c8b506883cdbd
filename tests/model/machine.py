"""The rules: what may happen to the library and to the model at the same time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from libres.db.auditing import audit
from tests.model import allocating, answers, blocking, drawing, reserving
from tests.model.allocating import Move, Terms
from tests.model.calendar import AUTUMN, SPRING, Asked
from tests.model.comparing import (
    same_allocation,
    same_answers,
    same_figures,
    same_shown,
    same_tables,
)
from tests.model.drawing import Layout, Part, Plan, Spell, What, Wish
from tests.model.house import House
from tests.model.reserving import Request
from tests.model.world import Allocation, Blocker, Refused, Reservation, World

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from libres.context.core import Context
    from tests.fixtures.clock import Clock

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


class Made(NamedTuple):
    """An allocation that was made at some time; perhaps it is gone."""

    room: str
    key: int


class Held(NamedTuple):
    """A reservation or a blocker that was made at some time; perhaps it is gone."""

    room: str
    token: str
    key: int


class Done(NamedTuple):
    """What came of a call: the model's answer, and the library's."""

    expected: Any
    found: Any


class Machine(RuleBasedStateMachine):
    """A house of some rooms, of which some block others."""

    made = Bundle("made")
    reservations = Bundle("reservations")
    blockers = Bundle("blockers")

    def __init__(self, context: Context, clock: Clock, layout: Layout) -> None:
        super().__init__()
        self.context, self.clock, self.layout = context, clock, layout
        self.now = 0
        self.is_new = True
        self.savepoints: list[tuple[World, Any]] = []

    @initialize(
        target=made,
        season=st.sampled_from(("autumn", "spring")),
        plans=st.lists(drawing.plans, min_size=1, max_size=4),
    )
    def open(self, season: str, plans: list[Plan]) -> Any:
        self.season = {"autumn": AUTUMN, "spring": SPRING}[season]
        self.world = self.committed = World(self.season, self.layout)
        self.house = House.of(self.context, self.season, self.layout)
        self.wait(0)
        made = [self._allocate(*plan) for plan in plans]
        return multiple(*(each for some in made for each in some.values))

    def teardown(self) -> None:
        if hasattr(self, "house"):
            self.house.clear()

    # Both at once ---------------------------------------------------------------

    def both(
        self, model: Callable[[World], Any], library: Callable[[], Any]
    ) -> Done | None:
        """Let both do it; None if it is refused, by an error of the same class."""
        trial = self.world.copy()
        try:
            expected = model(trial)
        except Refused as refusal:
            self.refused(refusal, library)
            return None
        found = library()
        self.world, self.is_new = trial, True
        return Done(expected, found)

    def refused(self, refusal: Refused, library: Callable[[], Any]) -> None:
        try:
            found = library()
        except Exception as error:
            if type(error) not in refusal.classes:
                raise
        else:
            message = f"allowed ({found!r}), but the model says {refusal.classes}"
            raise AssertionError(message)

    @invariant()
    def same(self) -> None:
        """The tables, and if something has changed all answers, are the same."""
        if not hasattr(self, "house"):
            return
        same_tables(self.house, self.world)
        if self.is_new:
            assert audit(self.house.session) == []
            same_answers(self.house, self.world)
        self.is_new = False

    # What the rules pass --------------------------------------------------------

    def room(self, name: str, *, stray: bool = False) -> str:
        """A room that there is; if *stray*, another one."""
        rooms = list(self.house.rooms)
        at = drawing.ROOMS.index(name)
        return rooms[(at + stray) % len(rooms)]

    def scheduler(self, room: str) -> Any:
        return self.house.rooms[room]

    def span(self, made: Made) -> tuple[int, int]:
        """Start and end of an allocation or, if it is gone, of another one."""
        known = self._known(made)
        return (known.start, known.end) if known else (3 * 1440, 3 * 1440 + 60)

    def group(self, made: Made) -> str:
        """The group of an allocation or, if all are gone, one that is unknown."""
        known = self._known(made)
        return known.group if known else f"{made.room} gone"

    def _known(self, made: Made) -> Allocation | None:
        others = next(iter(self.world.masters(made.room)), None)
        return self.world.allocations.get(made.key, others)

    def id_of(self, made: Made) -> int:
        found: int = self.house.allocations.real[made.key]
        return found

    def _kept(self, it: Any, known: Collection[int], *, stray: bool) -> Any:
        """What is left is drawn again, and rarely what is gone."""
        return multiple(it) if stray or it.key in known else multiple()

    def naive(self, spells: list[Spell]) -> list[tuple[datetime, datetime]]:
        """Ranges as people say them."""
        walls = (each.walls for each in spells)
        naive = self.season.naive
        return [(naive(start), naive(end)) for start, end in walls]

    def asked(self, spells: list[Spell]) -> tuple[Asked, ...]:
        return tuple(each.asked(self.season) for each in spells)

    # Allocations ----------------------------------------------------------------

    @rule(target=made, plan=drawing.plans)
    def allocate(self, plan: Plan) -> Any:
        return self._allocate(*plan)

    @rule(
        target=made,
        name=st.sampled_from(drawing.ROOMS),
        spells=st.lists(drawing.spells, max_size=3),
        terms=drawing.terms,
    )
    def allocate_anything(self, name: str, spells: list[Spell], terms: Terms) -> Any:
        return self._allocate(name, spells, terms)

    def _allocate(self, name: str, spells: list[Spell], terms: Terms) -> Any:
        room = self.room(name)
        done = self.both(
            lambda world: allocating.allocate(world, room, self.asked(spells), terms),
            lambda: self.scheduler(room).allocate(
                self.naive(spells),
                partly_available=terms.partly,
                raster=terms.raster,
                whole_day=terms.whole_day,
                quota=terms.quota,
                quota_limit=terms.limit,
                grouped=terms.grouped,
                approve_manually=terms.manual,
                skip_overlapping=terms.skip,
                data=dict(terms.data),
            ),
        )
        if done is None:
            return multiple()
        self.house.learn_allocations(done.expected, done.found)
        for key, allocation in zip(done.expected, done.found, strict=True):
            group = self.world.allocations[key].group
            self.house.texts.learn(group, allocation.group)
        return multiple(*(Made(room, key) for key in done.expected))

    @rule(
        it=made,
        spell=st.none() | drawing.usual_spells | drawing.spells,
        use=st.sampled_from(("both", "both", "start", "end")),
        quota=st.none() | drawing.quotas,
        limit=st.none() | st.sampled_from((0, 1, 2)),
        manual=st.none() | st.booleans(),
        whole_day=drawing.rarely(True, False),
        data=st.none() | drawing.data,
        stray=drawing.stray,
    )
    def move(
        self,
        it: Made,
        spell: Spell | None,
        use: str,
        stray: bool,
        **options: Any,
    ) -> None:
        start, end = spell.asked(self.season)[:2] if spell else (None, None)
        start = None if use == "end" else start
        end = None if use == "start" else end
        wanted = Move(start=start, end=end, **options)
        self._move(self.room(it.room, stray=stray), it, wanted)

    @rule(
        it=made,
        later=st.sampled_from((0, 15, 30, -30, 60)),
        longer=st.sampled_from((0, 30, -30, 60)),
    )
    def shift(self, it: Made, later: int, longer: int) -> None:
        start, end = self.span(it)
        self._move(it.room, it, Move(start=start + later, end=end + longer))

    @rule(it=made, other=made, quota=st.none() | drawing.quotas)
    def join(self, it: Made, other: Made, quota: int | None) -> None:
        if it.room == other.room:
            wanted = Move(group=self.group(other), quota=quota)
            self._move(it.room, it, wanted)

    def _move(self, room: str, it: Made, wanted: Move) -> None:
        given = {
            "new_start": wanted.start and self.season.moment(wanted.start),
            "new_end": wanted.end and self.season.moment(wanted.end),
            "group": self.house.uuid(wanted.group),
            "new_quota": wanted.quota,
            "approve_manually": wanted.manual,
            "quota_limit": wanted.limit,
            "whole_day": wanted.whole_day,
        }
        if wanted.data is not None:
            given["data"] = dict(wanted.data)
        self.both(
            lambda world: allocating.move(world, room, it.key, wanted),
            lambda: self.scheduler(room).move_allocation(self.id_of(it), **given),
        )

    @rule(it=made, quota=drawing.quotas, stray=drawing.stray)
    def change_quota(self, it: Made, quota: int, stray: bool) -> None:
        room = self.room(it.room, stray=stray)
        scheduler = self.scheduler(room)
        self.both(
            lambda world: allocating.change_quota(world, room, it.key, quota),
            lambda: scheduler.change_quota(
                scheduler.allocation_by_id(self.id_of(it)), quota
            ),
        )

    @rule(target=made, it=consumes(made), by_group=st.booleans(), stray=drawing.stray)
    def remove_allocation(self, it: Made, by_group: bool, stray: bool) -> Any:
        room = self.room(it.room, stray=stray)
        key = None if by_group else it.key
        groups = [self.group(it)] if by_group else []
        self.both(
            lambda world: allocating.remove(world, room, key, groups),
            lambda: self.scheduler(room).remove_allocation(
                id=None if by_group else self.id_of(it),
                groups=[self.house.uuid(each) for each in groups] or None,
            ),
        )
        return self._kept(it, self.world.allocations, stray=stray)

    @rule(
        name=st.sampled_from(drawing.ROOMS),
        spell=drawing.spells.filter(lambda each: each.minutes > 0),
        days=drawing.days,
        exclude_groups=st.booleans(),
    )
    def remove_unused(
        self, name: str, spell: Spell, days: frozenset[int], exclude_groups: bool
    ) -> None:
        room = self.room(name)
        start, end = self.naive([spell])[0]
        done = self.both(
            lambda world: allocating.remove_unused(
                world,
                room,
                spell.asked(self.season),
                days,
                exclude_groups=exclude_groups,
            ),
            lambda: self.scheduler(room).remove_unused_allocations(
                start, end, days=days, exclude_groups=exclude_groups
            ),
        )
        assert done is not None
        assert done.found == done.expected

    @rule(name=st.sampled_from(drawing.ROOMS), sure=drawing.rarely(True, False))
    def extinguish(self, name: str, sure: bool) -> None:
        room = self.room(name)
        if sure:
            self.both(
                lambda world: allocating.extinguish(world, room),
                lambda: self.scheduler(room).extinguish_managed_records(),
            )

    # Reservations ---------------------------------------------------------------

    @rule(
        target=reservations,
        it=made,
        wish=drawing.usual_wishes,
        elsewhere=st.sampled_from((False, False, True)),
    )
    def reserve(self, it: Made, wish: Wish, elsewhere: bool) -> Any:
        return self._reserve(self.room(it.room, stray=elsewhere), it, wish)

    @rule(
        target=reservations,
        it=made,
        wish=drawing.usual_wishes,
        elsewhere=st.sampled_from((False, False, True)),
    )
    def book(self, it: Made, wish: Wish, elsewhere: bool) -> Any:
        return self._book(self.room(it.room, stray=elsewhere), it, wish)

    @rule(target=reservations, it=made, wish=drawing.wishes, stray=drawing.stray)
    def reserve_anything(self, it: Made, wish: Wish, stray: bool) -> Any:
        return self._reserve(self.room(it.room, stray=stray), it, wish)

    @rule(target=reservations, it=made, wish=drawing.wishes, stray=drawing.stray)
    def book_anything(self, it: Made, wish: Wish, stray: bool) -> Any:
        return self._book(self.room(it.room, stray=stray), it, wish)

    def _reserve(self, room: str, it: Made, wish: Wish) -> Any:
        request, given = self._request(it, wish)
        before = set(self.world.reservations)
        done = self.both(
            lambda world: reserving.reserve(world, room, request),
            lambda: self.scheduler(room).reserve(**given),
        )
        if done is None:
            return multiple()
        self._learn_token(done.expected, done.found)
        made = self.house.unknown_reservations(room, done.found)
        return self._learn_reservations(before, made)

    def _book(self, room: str, it: Made, wish: Wish) -> Any:
        request, given = self._request(it, wish)
        before = set(self.world.reservations)
        done = self.both(
            lambda world: reserving.book(world, room, request),
            lambda: self.scheduler(room).book(**given),
        )
        if done is None:
            return multiple()
        token = self.world.reservations[done.expected[0]].token
        self._learn_token(token, done.found[0].token)
        return self._learn_reservations(before, done.found)

    def _request(self, it: Made, wish: Wish) -> tuple[Request, dict[str, Any]]:
        """What the model is asked for, and what the library is."""
        asked, dates, group = self._meant(it, wish.what)
        request = Request(
            dates=asked,
            group=group,
            email=wish.email,
            data=wish.data,
            session=wish.cart,
            quota=wish.quota,
            single=wish.single,
        )
        return request, {
            "email": wish.email,
            "dates": dates,
            "group": self.house.uuid(group),
            "data": dict(wish.data),
            "session_id": self.house.uuid(wish.cart),
            "quota": wish.quota,
            "single_token_per_session": wish.single,
        }

    def _meant(
        self, it: Made, what: What
    ) -> tuple[tuple[Asked, ...], list[Any], str | None]:
        """Ranges for the model and for the library, or a group."""
        if what == "group":
            return (), [], self.group(it)
        asked, dates = [], []
        for each in what:
            if isinstance(each, Spell):
                asked.append(each.asked(self.season))
                dates += self.naive([each])
            else:
                asked.append(each.of(*self.span(it)))
                dates.append(self.season.dates(asked[-1]))
        return tuple(asked), dates, None

    def _learn_token(self, token: str, real: Any) -> None:
        known = self.house.texts.real
        assert known.get(token, real) == real, "it is the token of the session"
        self.house.texts.learn(token, real)

    def _learn_reservations(self, before: set[int], made: list[Any]) -> Any:
        keys = sorted(set(self.world.reservations) - before)
        self.house.learn_reservations(keys, made)
        known = (self.world.reservations[key] for key in keys)
        return multiple(*(Held(each.room, each.token, each.key) for each in known))

    @rule(it=reservations, stray=drawing.stray)
    def approve(self, it: Held, stray: bool) -> None:
        room = self.room(it.room, stray=stray)
        done = self.both(
            lambda world: reserving.approve(world, room, it.token),
            lambda: self.scheduler(room).approve_reservations(self._token(it)),
        )
        self._same_slots(done)

    @rule(it=reservations, stray=drawing.stray)
    def approve_one(self, it: Held, stray: bool) -> None:
        query = self.scheduler(it.room).reservations_by_token(*self._ids(it))
        if record := query.first():
            room = self.room(it.room, stray=stray)
            done = self.both(
                lambda world: reserving.approve(world, room, it.token, it.key),
                lambda: self.scheduler(room).approve_reservation(record),
            )
            self._same_slots(done)

    def _same_slots(self, done: Done | None) -> None:
        if done is None:
            return
        places = self.house.places()
        found = [
            (*places[each.resource], self.season.minute(each.start))
            for each in done.found
        ]
        allocations = self.world.allocations
        expected = [
            (allocations[each.allocation].room, each.place, each.start)
            for each in done.expected
        ]
        assert sorted(found) == sorted(expected)

    def _token(self, it: Held) -> Any:
        return self.house.uuid(it.token)

    def _ids(self, it: Held) -> tuple[Any, int]:
        return self._token(it), self.house.reservations.real[it.key]

    @rule(target=reservations, it=consumes(reservations), stray=drawing.stray)
    def deny(self, it: Held, stray: bool) -> Any:
        room = self.room(it.room, stray=stray)
        self.both(
            lambda world: reserving.deny(world, room, it.token),
            lambda: self.scheduler(room).deny_reservation(self._token(it)),
        )
        return self._kept(it, self.world.reservations, stray=stray)

    @rule(
        target=reservations,
        it=consumes(reservations),
        alone=st.booleans(),
        stray=drawing.stray,
    )
    def remove_reservation(self, it: Held, alone: bool, stray: bool) -> Any:
        room = self.room(it.room, stray=stray)
        token, id_ = self._ids(it)
        key = it.key if alone else None
        self.both(
            lambda world: reserving.remove(world, room, it.token, key),
            lambda: self.scheduler(room).remove_reservation(
                token, id_ if alone else None
            ),
        )
        return self._kept(it, self.world.reservations, stray=stray)

    @rule(
        it=reservations,
        part=drawing.usual_parts | drawing.parts,
        quota=st.sampled_from((None, None, 1, 2, 3, 0)),
        stray=drawing.stray,
    )
    def change_reservation(
        self, it: Held, part: Part, quota: int | None, stray: bool
    ) -> None:
        known = self.world.reservations.get(it.key)
        asked = part.of(*self._home(it.room, known))
        self._change(self.room(it.room, stray=stray), it, asked, quota)

    def _home(self, room: str, known: Reservation | Blocker | None) -> tuple[int, int]:
        """Start and end of the allocation around a reservation or a blocker."""
        if known and known.times:
            for each in self.world.touched(known.times, room):
                return each.start, each.end
        return self.span(Made(room, 0))

    @rule(
        it=reservations,
        later=st.sampled_from((0, 15, 30, -15, -30, 60)),
        longer=st.sampled_from((0, 15, 30, -15, -30, 60)),
    )
    def shift_reservation(self, it: Held, later: int, longer: int) -> None:
        known = self.world.reservations.get(it.key)
        if known and known.times:
            start, end, _ = known.times
            self._change(it.room, it, Asked(start + later, end + longer), None)

    def _change(self, room: str, it: Held, asked: Asked, quota: int | None) -> None:
        token, id_ = self._ids(it)
        dates = self.season.dates(asked)
        done = self.both(
            lambda world: reserving.change(world, room, it.token, it.key, asked, quota),
            lambda: self.scheduler(room).change_reservation(token, id_, *dates, quota),
        )
        if done is not None:
            assert (done.found is None) == (done.expected is None)
            assert done.found is None or done.found.id == id_

    @rule(
        it=reservations,
        email=st.none() | st.sampled_from(("ada@example.org", "bob@example.org")),
        data=drawing.data,
        stray=drawing.stray,
    )
    def edit(
        self,
        it: Held,
        email: str | None,
        data: tuple[tuple[str, int], ...],
        stray: bool,
    ) -> None:
        room = self.room(it.room, stray=stray)
        scheduler, token = self.scheduler(room), self._token(it)
        if email:
            self.both(
                lambda world: reserving.change_email(world, room, it.token, email),
                lambda: scheduler.change_email(token, email),
            )
        else:
            self.both(
                lambda world: reserving.change_data(world, room, it.token, data),
                lambda: scheduler.change_reservation_data(token, dict(data)),
            )

    # Blockers -------------------------------------------------------------------

    @rule(
        target=blockers,
        it=made,
        what=drawing.usual_whats | drawing.whats,
        reason=st.sampled_from((None, "paint")),
        stray=drawing.stray,
    )
    def add_blocker(self, it: Made, what: What, reason: str | None, stray: bool) -> Any:
        room = self.room(it.room, stray=stray)
        asked, dates, group = self._meant(it, what)
        done = self.both(
            lambda world: blocking.add(world, room, asked, group, reason),
            lambda: self.scheduler(room).add_blocker(
                dates, self.house.uuid(group), reason
            ),
        )
        return multiple() if done is None else self._learn_blockers(done)

    def _learn_blockers(self, done: Done) -> Any:
        for key, blocker in zip(done.expected, done.found, strict=True):
            self.house.blockers.learn(key, blocker.id)
            self.house.texts.learn(self.world.blockers[key].token, blocker.token)
        known = (self.world.blockers[key] for key in done.expected)
        return multiple(*(Held(each.room, each.token, each.key) for each in known))

    @rule(
        target=blockers,
        it=consumes(blockers),
        alone=st.booleans(),
        stray=drawing.stray,
    )
    def remove_blocker(self, it: Held, alone: bool, stray: bool) -> Any:
        room = self.room(it.room, stray=stray)
        id_ = self.house.blockers.real[it.key] if alone else None
        self.both(
            lambda world: blocking.remove(
                world, room, it.token, it.key if alone else None
            ),
            lambda: self.scheduler(room).remove_blocker(self._token(it), id_),
        )
        return self._kept(it, self.world.blockers, stray=stray)

    @rule(
        it=blockers,
        part=drawing.usual_parts | drawing.parts,
        stray=drawing.stray,
    )
    def change_blocker(self, it: Held, part: Part, stray: bool) -> None:
        asked = part.of(*self._home(it.room, self.world.blockers.get(it.key)))
        self._change_blocker(self.room(it.room, stray=stray), it, asked)

    @rule(
        it=blockers,
        later=st.sampled_from((0, 15, 30, -15, -30, 60)),
        longer=st.sampled_from((0, 15, 30, -15, -30, 60)),
    )
    def shift_blocker(self, it: Held, later: int, longer: int) -> None:
        known = self.world.blockers.get(it.key)
        if known and known.times:
            start, end, _ = known.times
            self._change_blocker(it.room, it, Asked(start + later, end + longer))

    def _change_blocker(self, room: str, it: Held, asked: Asked) -> None:
        id_ = self.house.blockers.real[it.key]
        dates = self.season.dates(asked)
        done = self.both(
            lambda world: blocking.change(world, room, it.token, it.key, asked),
            lambda: self.scheduler(room).change_blocker(self._token(it), id_, *dates),
        )
        if done is not None:
            assert (done.found is None) == (done.expected is None)

    @rule(it=blockers, reason=st.sampled_from((None, "paint")), stray=drawing.stray)
    def change_reason(self, it: Held, reason: str | None, stray: bool) -> None:
        room = self.room(it.room, stray=stray)
        self.both(
            lambda world: blocking.change_reason(world, room, it.token, reason),
            lambda: self.scheduler(room).change_blocker_reason(self._token(it), reason),
        )

    # Carts and time -------------------------------------------------------------

    @rule(cart=st.sampled_from(drawing.CARTS), it=reservations, of_token=st.booleans())
    def confirm(self, cart: str, it: Held, of_token: bool) -> None:
        token = it.token if of_token else None
        self.both(
            lambda world: reserving.confirm(world, cart, token),
            lambda: self.house.queries.confirm_reservations_for_session(
                self.house.uuid(cart), self.house.uuid(token)
            ),
        )

    @rule(cart=st.sampled_from(drawing.CARTS), it=reservations)
    def remove_from_cart(self, cart: str, it: Held) -> None:
        self.both(
            lambda world: reserving.remove_from_session(world, cart, it.token),
            lambda: self.house.queries.remove_reservation_from_session(
                self.house.uuid(cart), self._token(it)
            ),
        )

    @rule(minutes=st.sampled_from((1, 10, 15, 16)), expire=st.booleans())
    def pass_time(self, minutes: int, expire: bool) -> None:
        self.wait(minutes)
        if not expire:
            return
        done = self.both(
            reserving.expire, self.house.queries.remove_expired_reservation_sessions
        )
        assert done is not None
        names = self.house.texts.name
        assert {names[each] for each in done.found} == done.expected

    def wait(self, minutes: int) -> None:
        self.now += minutes
        self.world.now = self.now
        self.clock.now = NEW_YEAR + timedelta(minutes=self.now)

    # Transactions ---------------------------------------------------------------

    @rule(step=st.sampled_from(("savepoint", "release", "back", "commit", "rollback")))
    def transact(self, step: str) -> None:
        if step == "savepoint":
            savepoint = self.house.any_room.begin_nested()
            self.savepoints.append((self.world.copy(), savepoint))
        elif step == "commit":
            self.house.any_room.commit()
            self.committed, self.savepoints = self.world.copy(), []
        elif step == "rollback":
            self.house.any_room.rollback()
            self.savepoints = []
            self._return_to(self.committed)
        elif self.savepoints:
            self._end_savepoint(step)

    def _end_savepoint(self, step: str) -> None:
        world, savepoint = self.savepoints.pop()
        if step == "release":
            savepoint.commit()
        else:
            savepoint.rollback()
            self._return_to(world)

    def _return_to(self, world: World) -> None:
        self.world, self.is_new = world.copy(), True
        self.world.now = self.now

    # Questions ------------------------------------------------------------------

    @rule(
        name=st.sampled_from(drawing.ROOMS),
        spell=drawing.spells.filter(lambda each: each.minutes > 0),
        normalize=st.booleans(),
    )
    def ask(self, name: str, spell: Spell, normalize: bool) -> None:
        room, asked = self.room(name), spell.asked(self.season)
        same_figures(self.house, self.world, room, asked)
        same_shown(self.house, self.world, room, asked, normalize=normalize)

    @rule(it=made, part=drawing.parts)
    def look_at(self, it: Made, part: Part) -> None:
        known = self.world.allocations.get(it.key)
        if known is None:
            return
        same_allocation(self.house, self.world, it.key)
        asked = part.of(known.start, known.end)
        if asked.start < asked.end and known.overlaps(asked):
            scheduler = self.scheduler(it.room)
            master = scheduler.allocation_by_id(self.id_of(it))
            dates = self.season.dates(asked)
            free = self.world.free(known, asked)
            assert scheduler.free_allocations_count(master, *dates) == len(free)
            spot = master.find_spot(*dates)
            number = spot and self.house.places()[spot.resource][1]
            assert number == answers.find_spot(self.world, known, asked)

    @rule(
        name=st.sampled_from(drawing.ROOMS),
        spell=st.sampled_from((Spell(0, "8:00", 2 * 1440 + 120), Spell(1, "2:00", 180)))
        | drawing.spells.filter(lambda each: each.minutes > 0),
        days=drawing.days,
        minspots=st.sampled_from((0, 1, 2, 3)),
        available_only=st.booleans(),
        whole_day=st.sampled_from(("any", "any", "yes", "no")),
        groups=st.sampled_from(("any", "any", "yes", "no")),
        strict=st.booleans(),
    )
    def search(self, name: str, spell: Spell, **options: Any) -> None:
        room = self.room(name)
        wanted = answers.Search(*spell.walls, **options)
        dates = self.naive([spell])[0]
        found = self.scheduler(room).search_allocations(*dates, **options)
        known = self.house.allocations.name
        assert [
            (known[each.id], hasattr(each, "is_extra_result")) for each in found
        ] == answers.search(self.world, room, wanted)
