"""What the rules draw: few values, so that they meet; short to read when they fail."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from hypothesis import strategies as st

from tests.model.allocating import Terms
from tests.model.calendar import DAY, HOUR, Asked, Season

CLOCKS = (
    "8:00",
    "9:00",
    "0:00",
    "1:00",
    "2:00",
    "3:00",
    "8:30",
    "2:30",
    "10:15",
    "8:07",
)
LENGTHS = (60, 120, 30, 15, 5, 180, DAY, 2 * DAY, 7, 3, 0, -30)
ROOMS = ("hall", "room", "yard")
CARTS = ("cart1", "cart2")
STEPS = ("savepoint", "release", "back", "commit", "commit", "rollback")
"""What may become of a transaction."""

Layout: TypeAlias = dict[str, tuple[str, ...]]
"""Which rooms there are, and which others block each of them."""


class Spell(NamedTuple):
    """A range as people say it: the day of the weekend, the clock, minutes."""

    day: int
    clock: str
    minutes: int

    @property
    def walls(self) -> tuple[int, int]:
        """Start and end as the clocks show them."""
        hour, minute = map(int, self.clock.split(":"))
        start = (2 + self.day) * DAY + hour * HOUR + minute
        return start, start + self.minutes

    def following(self, minutes: int) -> Spell:
        """What begins when this ends."""
        day, minute = divmod(self.walls[1], DAY)
        return Spell(day - 2, f"{minute // HOUR}:{minute % HOUR:02}", minutes)

    def asked(self, season: Season) -> Asked:
        """The minutes that are meant."""
        start, end = self.walls
        return Asked(season.read(start), season.read(end))


class Plan(NamedTuple):
    """What is allocated before anything else."""

    room: str
    spells: list[Spell]
    terms: Terms


class Part(NamedTuple):
    """A part of an allocation, in minutes after its start; *minutes* 0: to its end."""

    skip: int
    minutes: int
    short: bool

    def of(self, start: int, end: int) -> Asked:
        """The minutes that are meant."""
        first = start + self.skip
        last = first + self.minutes if self.minutes else end
        return Asked(first, last, self.short)


class Share(NamedTuple):
    """A part of an allocation, in quarters of it: always within, never empty."""

    first: int
    last: int

    def of(self, start: int, end: int) -> Asked:
        """The minutes that are meant."""
        length = end - start
        return Asked(start + self.first * length // 4, start + self.last * length // 4)


class Pick(NamedTuple):
    """One of what there is, by its position; *way*: what is wrong with it, if so.

    "gone": it is one of all that there ever were; "astray": another room is asked.
    """

    at: int
    way: str


What: TypeAlias = str | list[Spell | Part | Share]
"""The word "group", or ranges."""


class Wish(NamedTuple):
    """What somebody asks for in terms of some allocation."""

    what: What
    quota: int
    cart: str | None
    single: bool
    data: tuple[tuple[str, int], ...]
    email: str
    modest: bool
    """Do they take fewer places if the allocation allows no more?"""


def rarely(value: object, usual: object) -> st.SearchStrategy[object]:
    """Something usual, seven times out of eight."""
    return st.sampled_from([usual] * 7 + [value])


spells = st.builds(
    Spell, st.sampled_from((1, 0, 2)), st.sampled_from(CLOCKS), st.sampled_from(LENGTHS)
)
usual_spells = st.builds(
    Spell,
    st.sampled_from((1, 0, 2)),
    st.sampled_from(("12:00", "8:00", "1:00", "8:30", "2:00", "14:15")),
    st.sampled_from((60, 120, 30, 180)),
)
shares = st.sampled_from(
    [
        Share(first, last)
        for first, last in ((0, 4), (0, 2), (2, 4), (0, 1), (1, 2), (2, 3), (3, 4))
    ]
    + [Share(1, 3), Share(0, 3)]
)
parts = st.builds(
    Part,
    st.sampled_from((0, 15, 30, 60, 5, 7)),
    st.sampled_from((0, 30, 60, 15, 5, 7)),
    st.booleans(),
)
whats: st.SearchStrategy[What] = st.one_of(
    st.lists(parts, min_size=1, max_size=2),
    st.lists(parts | usual_spells, min_size=1, max_size=2),
    st.just("group"),
)
usual_whats: st.SearchStrategy[What] = st.one_of(
    st.lists(shares, min_size=1, max_size=1),
    st.lists(shares, min_size=1, max_size=1),
    st.just("group"),
)
data = st.sampled_from(((), (("n", 1),), (("n", 2),)))
quotas = st.sampled_from((1, 2, 1, 3, 2, 1, 0))
usual_quotas = st.sampled_from((1, 2, 1, 3))
carts = st.sampled_from((None, None, "cart1", "cart2"))
use = st.sampled_from(("confirm all", "confirm some", "remove"))
wishes = st.builds(
    Wish,
    what=whats,
    quota=quotas,
    cart=carts,
    single=st.booleans(),
    data=data,
    email=rarely("nobody", "ada@example.org"),
    modest=st.booleans(),
)
usual_wishes = st.builds(
    Wish,
    what=usual_whats,
    quota=usual_quotas,
    cart=carts,
    single=st.booleans(),
    data=data,
    email=st.just("ada@example.org"),
    modest=st.just(True),
)
usual_picks = st.builds(Pick, st.integers(0, 11), st.just(""))
picks = st.builds(
    Pick, st.integers(0, 11), st.sampled_from((*[""] * 8, "gone", "astray"))
)
terms = st.builds(
    Terms,
    partly=st.booleans(),
    raster=st.sampled_from((15, 5, 30, 60, 15, 30, 60, 7)),
    whole_day=rarely(True, False),
    quota=st.sampled_from((1, 2, 3, None)),
    limit=st.sampled_from((0, 0, 0, 1, 2)),
    grouped=st.booleans(),
    manual=st.booleans(),
    skip=rarely(True, False),
    data=data,
)
usual_terms = st.builds(
    Terms,
    partly=st.booleans(),
    raster=st.sampled_from((15, 5, 30, 60)),
    quota=st.sampled_from((1, 2, 3)),
    manual=st.booleans(),
)
groups_of_terms = st.builds(
    Terms,
    grouped=st.just(True),
    raster=st.sampled_from((15, 30)),
    quota=st.sampled_from((1, 2)),
    manual=st.booleans(),
)
days = st.frozensets(st.sampled_from((5, 6, 0)), max_size=2)

plans = st.builds(
    Plan,
    st.sampled_from(ROOMS),
    st.lists(usual_spells, min_size=1, max_size=2),
    usual_terms,
) | st.builds(
    Plan,
    st.sampled_from(ROOMS),
    st.lists(usual_spells, min_size=2, max_size=3, unique_by=lambda each: each.clock),
    groups_of_terms,
)


def furnished(room: str) -> tuple[st.SearchStrategy[Plan], ...]:
    """Allocations of a room: in parts while the clocks change, as a whole, a group."""
    quotas = st.sampled_from((2, 3, 1))
    night = st.sampled_from(
        (Spell(1, "1:00", 180), Spell(1, "2:00", 60), Spell(1, "0:00", 240))
    )
    rasters = st.sampled_from((15, 5, 30, 60))
    limits = st.sampled_from((0, 0, 2, 1))
    in_parts = st.builds(
        Terms, partly=st.just(True), raster=rasters, quota=quotas, limit=limits
    )
    whole = st.builds(Terms, quota=quotas, limit=limits, manual=st.booleans())
    return (
        st.builds(Plan, st.just(room), st.tuples(night).map(list), in_parts),
        st.builds(Plan, st.just(room), st.just([Spell(1, "8:00", 60)]), whole),
        st.builds(
            Plan,
            st.just(room),
            st.just([Spell(0, "9:00", 60), Spell(2, "9:00", 60)]),
            groups_of_terms,
        ),
    )


furniture = st.tuples(*(plan for room in ROOMS for plan in furnished(room)))
"""What there is before anything else."""
