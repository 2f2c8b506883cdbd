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


What: TypeAlias = str | list[Spell | Part]
"""The word "group", or ranges."""


class Wish(NamedTuple):
    """What somebody asks for in terms of some allocation."""

    what: What
    quota: int
    cart: str | None
    single: bool
    data: tuple[tuple[str, int], ...]
    email: str


def rarely(value: object, usual: object) -> st.SearchStrategy[object]:
    """Something usual, seven times out of eight."""
    return st.sampled_from([usual] * 7 + [value])


spells = st.builds(
    Spell, st.sampled_from((1, 0, 2)), st.sampled_from(CLOCKS), st.sampled_from(LENGTHS)
)
usual_spells = st.builds(
    Spell,
    st.sampled_from((1, 1, 0)),
    st.sampled_from(("8:00", "9:00", "1:00", "8:30", "2:00")),
    st.sampled_from((60, 120, 30, 180)),
)
usual_parts = st.builds(
    Part, st.sampled_from((0, 30)), st.sampled_from((0, 30)), st.just(False)
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
usual_whats: st.SearchStrategy[What] = st.lists(
    usual_parts, min_size=1, max_size=1
) | st.just("group")
data = st.sampled_from(((), (("n", 1),), (("n", 2),)))
quotas = st.sampled_from((1, 2, 1, 3, 2, 1, 0))
carts = st.sampled_from((None, "cart1", "cart2"))
wishes = st.builds(
    Wish,
    what=whats,
    quota=quotas,
    cart=carts,
    single=st.booleans(),
    data=data,
    email=rarely("nobody", "ada@example.org"),
)
usual_wishes = st.builds(
    Wish,
    what=usual_whats,
    quota=st.sampled_from((1, 1, 2)),
    cart=carts,
    single=st.booleans(),
    data=data,
    email=st.just("ada@example.org"),
)
stray = rarely(True, False)
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
