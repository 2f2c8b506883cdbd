"""The rules: what may happen to the library and to the model at the same time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
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
    same_found,
    same_shown,
    same_tables,
)
from tests.model.drawing import Layout, Part, Pick, Plan, Share, Spell, What, Wish
from tests.model.house import House
from tests.model.reserving import Request
from tests.model.world import Allocation, Blocker, Refused, Reservation, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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


AnyMade = TypeVar("AnyMade", Made, Held)


def sometimes(are_there: Callable[[Any], object]) -> Callable[[Any], Any]:
    """A rule that makes sense while there is something in the world."""
    return precondition(lambda self: bool(are_there(self.world)))  # type: ignore[no-any-return] # as Hypothesis has it


while_allocated = sometimes(lambda world: world.allocations)
while_reserved = sometimes(lambda world: world.reservations)
while_blocked = sometimes(lambda world: world.blockers)


class Machine(RuleBasedStateMachine):
    """A house of some rooms, of which some block others."""

    def __init__(self, context: Context, clock: Clock, layout: Layout) -> None:
        super().__init__()
        self.context, self.clock, self.layout = context, clock, layout
        self.now = 0
        self.is_new = True
        self.savepoints: list[tuple[World, Any]] = []
        self.made: dict[int, Made] = {}
        self.reservations: dict[int, Held] = {}
        self.blockers: dict[int, Held] = {}

    @initialize(
        season=st.sampled_from(("autumn", "spring")),
        plans=drawing.furniture,
        guests=st.lists(
            st.tuples(drawing.usual_picks, drawing.usual_wishes),
            min_size=2,
            max_size=5,
        ),
    )
    def open(
        self, season: str, plans: tuple[Plan, ...], guests: list[tuple[Pick, Wish]]
    ) -> None:
        """Begin with some allocations in each room, and with some guests."""
        self.season = {"autumn": AUTUMN, "spring": SPRING}[season]
        self.world = self.committed = World(self.season, self.layout)
        self.house = House.of(self.context, self.season, self.layout)
        self.wait(0)
        for plan in plans:
            if plan.room in self.layout:
                self._allocate(*plan)
        for pick, wish in guests:
            self._book(self._allocation(pick), wish)
        self.transact("commit")

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

    # What the rules are about ---------------------------------------------------

    def room(self, name: str) -> str:
        """A room that there is."""
        rooms = list(self.house.rooms)
        return rooms[drawing.ROOMS.index(name) % len(rooms)]

    def scheduler(self, room: str) -> Any:
        return self.house.rooms[room]

    def _allocation(self, pick: Pick, *preferred: Callable[[Allocation], Any]) -> Made:
        return self._chosen(pick, self.made, self.world.allocations, preferred)

    def _reservation(
        self, pick: Pick, *preferred: Callable[[Reservation], Any]
    ) -> Held:
        return self._chosen(pick, self.reservations, self.world.reservations, preferred)

    def _blocker(self, pick: Pick, *preferred: Callable[[Blocker], Any]) -> Held:
        return self._chosen(pick, self.blockers, self.world.blockers, preferred)

    def _chosen(
        self,
        pick: Pick,
        ever: dict[int, AnyMade],
        there: dict[int, Any],
        preferred: Iterable[Callable[[Any], Any]],
    ) -> AnyMade:
        """One that is there, if possible of those that are preferred; or one that is
        gone, or is called in another room."""
        keys = sorted(ever if pick.way == "gone" else there) or sorted(ever)
        for is_preferred in preferred:
            found = [
                each for each in keys if each in there and is_preferred(there[each])
            ]
            keys = found or keys
        it = ever[keys[pick.at % len(keys)]]
        rooms = list(self.house.rooms)
        at = rooms.index(it.room) + (pick.way == "astray")
        return it._replace(room=rooms[at % len(rooms)])

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

    def naive(self, spells: list[Spell]) -> list[tuple[datetime, datetime]]:
        """Ranges as people say them."""
        walls = (each.walls for each in spells)
        naive = self.season.naive
        return [(naive(start), naive(end)) for start, end in walls]

    def asked(self, spells: list[Spell]) -> tuple[Asked, ...]:
        return tuple(each.asked(self.season) for each in spells)

    # Allocations ----------------------------------------------------------------

    @rule(plan=drawing.plans)
    def allocate(self, plan: Plan) -> None:
        self._allocate(*plan)

    @rule(
        name=st.sampled_from(drawing.ROOMS),
        spells=st.lists(drawing.spells, max_size=3),
        terms=drawing.terms,
    )
    def allocate_anything(self, name: str, spells: list[Spell], terms: Terms) -> None:
        self._allocate(name, spells, terms)

    @rule(
        name=st.sampled_from(drawing.ROOMS),
        spell=drawing.usual_spells,
        terms=drawing.usual_terms,
    )
    def allocate_in_a_row(self, name: str, spell: Spell, terms: Terms) -> None:
        """Two ranges, of which one begins when the other ends."""
        self._allocate(name, [spell, spell.following(60)], terms)

    def _allocate(self, name: str, spells: list[Spell], terms: Terms) -> None:
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
            return
        self.house.learn_allocations(done.expected, done.found)
        for key, allocation in zip(done.expected, done.found, strict=True):
            group = self.world.allocations[key].group
            self.house.texts.learn(group, allocation.group)
            self.made[key] = Made(room, key)

    @while_allocated
    @rule(
        pick=drawing.picks,
        spell=st.none() | drawing.usual_spells | drawing.spells,
        use=st.sampled_from(("both", "both", "start", "end")),
        quota=st.none() | drawing.quotas,
        limit=st.none() | st.sampled_from((0, 1, 2)),
        manual=st.none() | st.booleans(),
        whole_day=drawing.rarely(True, False),
        data=st.none() | drawing.data,
    )
    def move(self, pick: Pick, spell: Spell | None, use: str, **options: Any) -> None:
        start, end = spell.asked(self.season)[:2] if spell else (None, None)
        start = None if use == "end" else start
        end = None if use == "start" else end
        wanted = Move(start=start, end=end, **options)
        self._move(self._allocation(pick), wanted)

    @while_allocated
    @rule(
        pick=drawing.usual_picks,
        later=st.sampled_from((0, 15, 30, -30, 60)),
        longer=st.sampled_from((0, 30, -30, 60)),
    )
    def shift(self, pick: Pick, later: int, longer: int) -> None:
        it = self._allocation(pick, self._has_slots, lambda each: each.partly)
        start, end = self.span(it)
        self._move(it, Move(start=start + later, end=end + longer))

    @while_allocated
    @rule(
        pick=drawing.picks,
        other=drawing.usual_picks,
        quota=st.none() | drawing.usual_quotas,
    )
    def join(self, pick: Pick, other: Pick, quota: int | None) -> None:
        it = self._allocation(pick)
        joined = self._allocation(other, lambda each: each.room == it.room)
        self._move(it, Move(group=self.group(joined), quota=quota))

    def _move(self, it: Made, wanted: Move) -> None:
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
            lambda world: allocating.move(world, it.room, it.key, wanted),
            lambda: self.scheduler(it.room).move_allocation(self.id_of(it), **given),
        )

    @while_allocated
    @rule(pick=drawing.picks, quota=drawing.quotas)
    def change_quota(self, pick: Pick, quota: int) -> None:
        self._change_quota(self._allocation(pick), quota)

    def _change_quota(self, it: Made, quota: int) -> None:
        scheduler = self.scheduler(it.room)
        self.both(
            lambda world: allocating.change_quota(world, it.room, it.key, quota),
            lambda: scheduler.change_quota(
                scheduler.allocation_by_id(self.id_of(it)), quota
            ),
        )

    @sometimes(lambda world: world.reservations and world.slots)
    @rule(pick=drawing.usual_picks, more=st.sampled_from((0, 0, 1)))
    def close_gap(self, pick: Pick, more: int) -> None:
        """Remove who has the first of several places, then lower the quota."""
        it = self._allocation(pick, self._has_slots, self._is_shared)
        slots = self.world.slots_of(self.world.allocations[it.key])
        guests = [each for each in slots if not each.blocked]
        if guests:
            _, key = min(guests, key=lambda each: (each.place, each.start)).owner
            self._remove_reservation(self.reservations[key], alone=True)
        slots = self.world.slots_of(self.world.allocations[it.key])
        self._change_quota(it, max(1, len({each.place for each in slots}) + more))

    def _has_slots(self, allocation: Allocation) -> bool:
        return bool(self.world.slots_of(allocation))

    def _is_shared(self, allocation: Allocation) -> bool:
        owners = {each.owner for each in self.world.slots_of(allocation)}
        return len(owners) > 1

    @while_allocated
    @rule(pick=drawing.picks, by_group=st.booleans())
    def remove_allocation(self, pick: Pick, by_group: bool) -> None:
        it = self._allocation(pick, lambda each: not self._has_slots(each))
        key = None if by_group else it.key
        groups = [self.group(it)] if by_group else []
        self.both(
            lambda world: allocating.remove(world, it.room, key, groups),
            lambda: self.scheduler(it.room).remove_allocation(
                id=None if by_group else self.id_of(it),
                groups=[self.house.uuid(each) for each in groups] or None,
            ),
        )

    @rule(
        name=st.sampled_from(drawing.ROOMS),
        spell=drawing.spells.filter(lambda each: each.minutes > 0),
        days=drawing.days,
        exclude_groups=st.booleans(),
        everything=drawing.rarely(True, False),
    )
    def remove_unused(
        self,
        name: str,
        spell: Spell,
        days: frozenset[int],
        exclude_groups: bool,
        everything: bool,
    ) -> None:
        room = self.room(name)
        if everything:
            self._extinguish(room)
            return
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

    def _extinguish(self, room: str) -> None:
        self.both(
            lambda world: allocating.extinguish(world, room),
            lambda: self.scheduler(room).extinguish_managed_records(),
        )

    # Reservations ---------------------------------------------------------------

    @while_allocated
    @rule(pick=drawing.usual_picks, wish=drawing.usual_wishes)
    def reserve(self, pick: Pick, wish: Wish) -> None:
        self._reserve(self._allocation(pick), wish)

    @while_allocated
    @rule(pick=drawing.usual_picks, wish=drawing.usual_wishes)
    def book(self, pick: Pick, wish: Wish) -> None:
        self._book(self._allocation(pick), wish)

    @while_allocated
    @rule(pick=drawing.usual_picks, wish=drawing.usual_wishes)
    def book_shared(self, pick: Pick, wish: Wish) -> None:
        """Book where there are others, but still a place."""
        it = self._allocation(pick, self._has_slots, self._has_place)
        self._book(it, wish)

    @while_allocated
    @rule(
        picks=st.tuples(drawing.usual_picks, drawing.usual_picks),
        wish=drawing.usual_wishes,
        cart=st.sampled_from(drawing.CARTS),
        forget=st.booleans(),
    )
    def fill_cart(
        self, picks: tuple[Pick, Pick], wish: Wish, cart: str, forget: bool
    ) -> None:
        """Book one thing and reserve another one in the same cart; perhaps expire."""
        booked, reserved = (self._allocation(pick, self._has_place) for pick in picks)
        self._book(booked, wish._replace(cart=cart))
        self._reserve(reserved, wish._replace(cart=cart))
        if forget:
            self.wait(reserving.LIFETIME + 1)
            self._expire()

    def _has_place(self, allocation: Allocation) -> bool:
        return bool(self.world.free(allocation, allocation.own))

    @while_allocated
    @rule(pick=drawing.picks, wish=drawing.wishes, at_once=st.booleans())
    def reserve_anything(self, pick: Pick, wish: Wish, at_once: bool) -> None:
        make = self._book if at_once else self._reserve
        make(self._allocation(pick), wish)

    def _reserve(self, it: Made, wish: Wish) -> None:
        request, given = self._request(it, wish)
        before = set(self.world.reservations)
        done = self.both(
            lambda world: reserving.reserve(world, it.room, request),
            lambda: self.scheduler(it.room).reserve(**given),
        )
        if done is not None:
            self._learn_token(done.expected, done.found)
            made = self.house.unknown_reservations(it.room, done.found)
            self._learn_reservations(before, made)

    def _book(self, it: Made, wish: Wish) -> None:
        request, given = self._request(it, wish)
        before = set(self.world.reservations)
        done = self.both(
            lambda world: reserving.book(world, it.room, request),
            lambda: self.scheduler(it.room).book(**given),
        )
        if done is not None:
            token = self.world.reservations[done.expected[0]].token
            self._learn_token(token, done.found[0].token)
            self._learn_reservations(before, done.found)

    def _request(self, it: Made, wish: Wish) -> tuple[Request, dict[str, Any]]:
        """What the model is asked for, and what the library is."""
        asked, dates, group = self._meant(it, wish.what)
        quota = self._fitting(it, wish.quota) if wish.modest else wish.quota
        request = Request(
            dates=asked,
            group=group,
            email=wish.email,
            data=wish.data,
            session=wish.cart,
            quota=quota,
            single=wish.single,
        )
        return request, {
            "email": wish.email,
            "dates": dates,
            "group": self.house.uuid(group),
            "data": dict(wish.data),
            "session_id": self.house.uuid(wish.cart),
            "quota": quota,
            "single_token_per_session": wish.single,
        }

    def _fitting(self, it: Made, quota: int) -> int:
        """The quota, or as much of it as the allocation allows."""
        known = self._known(it)
        return min(quota, known.quota, known.limit or quota) if known else quota

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

    def _learn_reservations(self, before: set[int], made: list[Any]) -> None:
        keys = sorted(set(self.world.reservations) - before)
        self.house.learn_reservations(keys, made)
        for key in keys:
            known = self.world.reservations[key]
            self.reservations[key] = Held(known.room, known.token, key)

    @while_allocated
    @rule(
        pick=drawing.usual_picks,
        rival=drawing.usual_picks,
        wish=drawing.usual_wishes,
    )
    def be_outrun(self, pick: Pick, rival: Pick, wish: Wish) -> None:
        """Reserve, but let somebody book it elsewhere before it is approved."""
        before = set(self.world.reservations)
        it = self._allocation(pick, self._has_place, self._is_blockable)
        self._reserve(it, wish._replace(cart=None))
        start, end = self.span(it)
        other = self._allocation(
            rival,
            lambda each: start < each.end and each.start < end,
            lambda each: each.room in self.layout[it.room],
        )
        self._book(other, wish._replace(what=[Share(0, 4)], cart=None))
        for key in sorted(set(self.world.reservations) - before):
            if self.world.reservations[key].status == "pending":
                self._approve(self.reservations[key])

    def _is_blockable(self, allocation: Allocation) -> bool:
        """Is it in a room that others block?"""
        return bool(self.layout[allocation.room])

    @while_reserved
    @rule(pick=drawing.picks, alone=st.booleans())
    def approve(self, pick: Pick, alone: bool) -> None:
        it = self._reservation(pick, lambda each: each.status == "pending")
        (self._approve_one if alone else self._approve)(it)

    def _approve(self, it: Held) -> None:
        done = self.both(
            lambda world: reserving.approve(world, it.room, it.token),
            lambda: self.scheduler(it.room).approve_reservations(self._token(it)),
        )
        self._same_slots(done)

    def _approve_one(self, it: Held) -> None:
        home = self.reservations[it.key].room
        query = self.scheduler(home).reservations_by_token(*self._ids(it))
        if record := query.first():
            done = self.both(
                lambda world: reserving.approve(world, it.room, it.token, it.key),
                lambda: self.scheduler(it.room).approve_reservation(record),
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

    @while_reserved
    @rule(pick=drawing.picks)
    def deny(self, pick: Pick) -> None:
        it = self._reservation(pick)
        self.both(
            lambda world: reserving.deny(world, it.room, it.token),
            lambda: self.scheduler(it.room).deny_reservation(self._token(it)),
        )

    @while_reserved
    @rule(pick=drawing.picks, alone=st.booleans())
    def remove_reservation(self, pick: Pick, alone: bool) -> None:
        self._remove_reservation(self._reservation(pick), alone=alone)

    def _remove_reservation(self, it: Held, *, alone: bool) -> None:
        token, id_ = self._ids(it)
        key = it.key if alone else None
        self.both(
            lambda world: reserving.remove(world, it.room, it.token, key),
            lambda: self.scheduler(it.room).remove_reservation(
                token, id_ if alone else None
            ),
        )

    @while_reserved
    @rule(
        pick=drawing.usual_picks,
        share=drawing.shares,
        quota=st.sampled_from((None, None, 1, 2, 3)),
    )
    def change_reservation(self, pick: Pick, share: Share, quota: int | None) -> None:
        """Change it to another part of its allocation."""
        it = self._reservation(pick, lambda each: each.times)
        known = self.world.reservations.get(it.key)
        self._change(it, share.of(*self._home(known)), quota)

    @while_reserved
    @rule(pick=drawing.picks, part=drawing.parts, quota=st.none() | drawing.quotas)
    def change_to_anything(self, pick: Pick, part: Part, quota: int | None) -> None:
        it = self._reservation(pick)
        known = self.world.reservations.get(it.key)
        self._change(it, part.of(*self._home(known)), quota)

    def _home(self, known: Reservation | Blocker | None) -> tuple[int, int]:
        """Start and end of the allocation around a reservation or a blocker."""
        if known and known.times:
            for each in self.world.touched(known.times, known.room):
                return each.start, each.end
        return self.span(Made(known.room if known else "", 0))

    @while_reserved
    @rule(
        pick=drawing.usual_picks,
        later=st.sampled_from((0, 15, 30, -15, -30, 60)),
        longer=st.sampled_from((0, 15, 30, -15, -30, 60)),
    )
    def shift_reservation(self, pick: Pick, later: int, longer: int) -> None:
        it = self._reservation(pick, lambda each: each.times)
        known = self.world.reservations.get(it.key)
        if known and known.times:
            start, end, _ = known.times
            self._change(it, Asked(start + later, end + longer), None)

    def _change(self, it: Held, asked: Asked, quota: int | None) -> None:
        token, id_ = self._ids(it)
        scheduler, dates = self.scheduler(it.room), self.season.dates(asked)
        done = self.both(
            lambda world: reserving.change(
                world, it.room, it.token, it.key, asked, quota
            ),
            lambda: scheduler.change_reservation(token, id_, *dates, quota),
        )
        if done is not None:
            assert (done.found is None) == (done.expected is None)
            assert done.found is None or done.found.id == id_

    @while_reserved
    @rule(
        pick=drawing.picks,
        email=st.none() | st.sampled_from(("ada@example.org", "bob@example.org")),
        data=drawing.data,
    )
    def edit(
        self, pick: Pick, email: str | None, data: tuple[tuple[str, int], ...]
    ) -> None:
        it = self._reservation(pick)
        scheduler, token = self.scheduler(it.room), self._token(it)
        if email:
            self.both(
                lambda world: reserving.change_email(world, it.room, it.token, email),
                lambda: scheduler.change_email(token, email),
            )
        else:
            self.both(
                lambda world: reserving.change_data(world, it.room, it.token, data),
                lambda: scheduler.change_reservation_data(token, dict(data)),
            )

    # Blockers -------------------------------------------------------------------

    @while_allocated
    @rule(
        pick=drawing.usual_picks,
        what=drawing.usual_whats,
        reason=st.sampled_from((None, "paint")),
    )
    def add_blocker(self, pick: Pick, what: What, reason: str | None) -> None:
        """Block a part or a group, if possible beside somebody."""
        it = self._allocation(pick, lambda each: each.partly or what == "group")
        self._add_blocker(it, what, reason)

    @while_allocated
    @rule(pick=drawing.usual_picks, wish=drawing.usual_wishes, swap=st.booleans())
    def block_beside(self, pick: Pick, wish: Wish, swap: bool) -> None:
        """Book one half, block the other one, and try to block the first instead."""
        it = self._allocation(
            pick, lambda each: each.partly, lambda each: not self._has_slots(each)
        )
        halves = [Share(0, 2), Share(2, 4)]
        booked, blocked = reversed(halves) if swap else halves
        before = set(self.world.blockers)
        self._book(it, wish._replace(what=[booked]))
        self._add_blocker(it, [blocked], None)
        for key in set(self.world.blockers) - before:
            asked = booked.of(*self._home(self.world.blockers[key]))
            self._change_blocker(self.blockers[key], asked)

    @while_allocated
    @rule(pick=drawing.picks, what=drawing.whats)
    def block_anything(self, pick: Pick, what: What) -> None:
        self._add_blocker(self._allocation(pick), what, None)

    def _add_blocker(self, it: Made, what: What, reason: str | None) -> None:
        asked, dates, group = self._meant(it, what)
        done = self.both(
            lambda world: blocking.add(world, it.room, asked, group, reason),
            lambda: self.scheduler(it.room).add_blocker(
                dates, self.house.uuid(group), reason
            ),
        )
        if done is not None:
            self._learn_blockers(done)

    def _learn_blockers(self, done: Done) -> None:
        for key, blocker in zip(done.expected, done.found, strict=True):
            known = self.world.blockers[key]
            self.house.blockers.learn(key, blocker.id)
            self.house.texts.learn(known.token, blocker.token)
            self.blockers[key] = Held(known.room, known.token, key)

    @while_blocked
    @rule(pick=drawing.picks, alone=st.booleans())
    def remove_blocker(self, pick: Pick, alone: bool) -> None:
        it = self._blocker(pick)
        key = it.key if alone else None
        id_ = self.house.blockers.real[it.key] if alone else None
        self.both(
            lambda world: blocking.remove(world, it.room, it.token, key),
            lambda: self.scheduler(it.room).remove_blocker(self._token(it), id_),
        )

    @while_blocked
    @rule(pick=drawing.usual_picks, share=drawing.shares)
    def change_blocker(self, pick: Pick, share: Share) -> None:
        """Change it to another part of its allocation, perhaps where others are."""
        it = self._blocker(pick, lambda each: each.times, self._has_neighbours)
        self._change_blocker(it, share.of(*self._home(self._blocked(it))))

    @while_blocked
    @rule(
        pick=drawing.picks,
        part=drawing.parts,
        reason=st.sampled_from((None, "paint")),
        move=st.booleans(),
    )
    def edit_blocker(
        self, pick: Pick, part: Part, reason: str | None, move: bool
    ) -> None:
        it = self._blocker(pick)
        if move:
            self._change_blocker(it, part.of(*self._home(self._blocked(it))))
        else:
            self._change_reason(it, reason)

    def _blocked(self, it: Held) -> Blocker | None:
        return self.world.blockers.get(it.key)

    def _has_neighbours(self, blocker: Blocker) -> bool:
        members = self.world.members(blocker.room, blocker.target)
        return any(self._is_shared(each) for each in members)

    def _change_blocker(self, it: Held, asked: Asked) -> None:
        id_ = self.house.blockers.real[it.key]
        scheduler, dates = self.scheduler(it.room), self.season.dates(asked)
        done = self.both(
            lambda world: blocking.change(world, it.room, it.token, it.key, asked),
            lambda: scheduler.change_blocker(self._token(it), id_, *dates),
        )
        if done is not None:
            assert (done.found is None) == (done.expected is None)

    def _change_reason(self, it: Held, reason: str | None) -> None:
        scheduler = self.scheduler(it.room)
        self.both(
            lambda world: blocking.change_reason(world, it.room, it.token, reason),
            lambda: scheduler.change_blocker_reason(self._token(it), reason),
        )

    # Carts and time -------------------------------------------------------------

    @while_reserved
    @rule(
        pick=drawing.usual_picks, cart=st.sampled_from(drawing.CARTS), use=drawing.use
    )
    def use_cart(self, pick: Pick, cart: str, use: str) -> None:
        """Confirm all or a part of a cart, or take something out."""
        it = self._reservation(pick, lambda each: each.session)
        known = self.world.reservations.get(it.key)
        cart = (known and known.session) or cart
        if use == "remove":
            self._remove_from_cart(cart, it)
        else:
            self._confirm(cart, it.token if use == "confirm some" else None)

    def _confirm(self, cart: str, token: str | None) -> None:
        self.both(
            lambda world: reserving.confirm(world, cart, token),
            lambda: self.house.queries.confirm_reservations_for_session(
                self.house.uuid(cart), self.house.uuid(token)
            ),
        )

    def _remove_from_cart(self, cart: str, it: Held) -> None:
        self.both(
            lambda world: reserving.remove_from_session(world, cart, it.token),
            lambda: self.house.queries.remove_reservation_from_session(
                self.house.uuid(cart), self._token(it)
            ),
        )

    @rule(
        minutes=st.sampled_from((16, 16, 16, 15, 1)), expire=drawing.rarely(False, True)
    )
    def pass_time(self, minutes: int, expire: bool) -> None:
        self.wait(minutes)
        self.is_new = True
        if expire:
            self._expire()

    def _expire(self) -> None:
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

    @rule(step=st.sampled_from(drawing.STEPS))
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

    @while_allocated
    @rule(pick=drawing.usual_picks, part=drawing.shares | drawing.parts)
    def look_at(self, pick: Pick, part: Part | Share) -> None:
        it = self._allocation(pick)
        known = self.world.allocations[it.key]
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
        wanted = answers.Search(*spell.walls, **options)
        same_found(self.house, self.world, self.room(name), wanted)
