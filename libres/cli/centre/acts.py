"""What happens in the community centre: one act per corner of the library.

Written like an application: every call is one that anybody could make, and none is
special to the demo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from libres.cli.centre.week import (
    EVERY_DAY,
    FRIDAY,
    MONDAY,
    SATURDAY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    WORKDAYS,
    Week,
)
from libres.db.scheduler import Scheduler

if TYPE_CHECKING:
    from libres.cli.centre.telling import Teller

ADA, BEN, CLEO, DAN, EVA = (
    f"{name}@example.org" for name in ("ada", "ben", "cleo", "dan", "eva")
)


@dataclass(frozen=True, slots=True)
class Resource:
    """What can be reserved: its name, what is special, whose slots are in its way."""

    name: str
    about: str
    blocking: tuple[str, ...] = ()


MEETING_ROOM = Resource("Meeting room", "steps of 15 minutes")
STUDIO = Resource("Music studio", "steps of 30 minutes")
WORKSHOP = Resource("Workshop", "steps of 60 minutes")
CONCERT = Resource("Concert", "20 seats, at most 4 at once")
COURSE = Resource("Pottery course", "three evenings, 6 places, only as a whole")
NURSERY = Resource("Nursery", "2 places, approved by hand")
HALL = Resource("Hall", "blocked by its halves", ("North half", "South half"))
NORTH = Resource("North half", "blocked by the hall", ("Hall",))
SOUTH = Resource("South half", "blocked by the hall", ("Hall",))

RESOURCES = (
    MEETING_ROOM,
    STUDIO,
    WORKSHOP,
    CONCERT,
    COURSE,
    NURSERY,
    HALL,
    NORTH,
    SOUTH,
)
"""In the order in which they are drawn."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What every act needs: the week, and who tells what happens in it."""

    tell: Teller
    week: Week

    def scheduler(self, resource: Resource) -> Scheduler:
        """Return the scheduler of a resource; to make one costs nothing."""
        return Scheduler(
            self.tell.context,
            resource.name,
            str(self.week.zone),
            blocking_names=resource.blocking,
        )

    def enter(self, resource: Resource) -> Scheduler:
        """Begin to tell about a resource, and return its scheduler."""
        self.tell.chapter(resource.name, resource.about)
        return self.scheduler(resource)


def meeting_room(stage: Stage) -> None:
    """Book in pieces, refuse what is taken, move to another time."""
    room, week, tell = stage.enter(MEETING_ROOM), stage.week, stage.tell
    workdays = week.spans(WORKDAYS, "08:00", "18:00")
    what = "Monday to Friday, 8:00 to 18:00"
    tell.do(room.allocate, what, workdays, partly_available=True, raster=15)

    mornings = week.spans((MONDAY, WEDNESDAY), "09:00", "10:30")
    tell.do(room.book, "Monday and Wednesday, 9:00 to 10:30", ADA, mornings)
    monday = week.span(MONDAY, "10:00", "11:00")
    tell.refused(room.book, "Monday, 10:00 to 11:00, when ada is in", BEN, monday)

    tuesday = week.span(TUESDAY, "13:00", "14:45")
    [bens] = tell.do(room.book, "Tuesday, 13:00 to 14:45", BEN, tuesday)
    later = week.span(TUESDAY, "15:00", "16:45")
    what = "it to two hours later"
    tell.do(room.change_reservation, what, bens.token, bens.id, *later)


def studio(stage: Stage) -> None:
    """Block time for what is not a reservation."""
    room, week, tell = stage.enter(STUDIO), stage.week, stage.tell
    days = week.spans(EVERY_DAY, "10:00", "22:00")
    what = "every day, 10:00 to 22:00"
    tell.do(room.allocate, what, days, partly_available=True, raster=30)

    evenings = week.spans((TUESDAY, THURSDAY), "18:30", "22:00")
    band = {"band": "The Mirrors"}
    tell.do(room.book, "two evenings for a band", CLEO, evenings, data=band)

    tuning = week.span(FRIDAY, "10:00", "13:00")
    tell.do(room.add_blocker, "a blocker: the piano is tuned", tuning, reason="tuning")


def workshop(stage: Stage) -> None:
    """Give back what was reserved."""
    room, week, tell = stage.enter(WORKSHOP), stage.week, stage.tell
    days = week.spans(range(TUESDAY, SATURDAY + 1), "09:00", "20:00")
    what = "Tuesday to Saturday, 9:00 to 20:00"
    tell.do(room.allocate, what, days, partly_available=True, raster=60)

    afternoons = week.spans((WEDNESDAY, FRIDAY), "14:00", "18:00")
    wednesday, _friday = tell.do(room.book, "two afternoons", DAN, afternoons)
    what = "one of them again"
    tell.do(room.remove_reservation, what, wednesday.token, wednesday.id)


def concert(stage: Stage) -> None:
    """Sell many places of one time, and not too many at once."""
    hall, week, tell = stage.enter(CONCERT), stage.week, stage.tell
    evening = week.span(SATURDAY, "19:30", "22:00")
    tell.do(hall.allocate, "Saturday evening", evening, quota=20, quota_limit=4)
    for guest in (ADA, DAN, EVA):
        tell.do(hall.book, "four seats", guest, evening, quota=4)
    tell.refused(hall.book, "five seats", BEN, evening, quota=5)


def course(stage: Stage) -> None:
    """Reserve a group: all of its dates, or none."""
    room, week, tell = stage.enter(COURSE), stage.week, stage.tell
    evenings = week.spans((MONDAY, WEDNESDAY, FRIDAY), "18:00", "20:00")
    what = "three evenings as one group"
    group = tell.do(room.allocate, what, evenings, grouped=True, quota=6)[0].group
    tell.do(room.book, "a place in the group", EVA, group=group)
    tell.do(room.book, "two places in the group", BEN, group=group, quota=2)


def nursery(stage: Stage) -> None:
    """Let people wait, approve some, and deny the one for whom no place is left."""
    places, week, tell = stage.enter(NURSERY), stage.week, stage.tell
    days = week.spans(WORKDAYS, "08:00", "16:00")
    what = "Monday to Friday, 8:00 to 16:00"
    opened = tell.do(places.allocate, what, days, quota=2, approve_manually=True)

    queue = [
        tell.do(places.reserve, "Monday and Tuesday", parent, days[:2])
        for parent in (CLEO, DAN, EVA)
    ]
    tell.note(f"{opened[0].waitinglist_length} are waiting for Monday")
    first, second, third = queue
    tell.do(places.approve_reservations, "who came first", first)
    tell.do(places.approve_reservations, "who came second", second)
    tell.refused(places.approve_reservations, "who came third", third)
    tell.do(places.deny_reservation, "who came third", third)


def hall(stage: Stage) -> None:
    """Let a hall and its two halves keep out of each other's way."""
    halves = stage.scheduler(NORTH), stage.scheduler(SOUTH)
    whole, week, tell = stage.enter(HALL), stage.week, stage.tell
    days = week.spans(EVERY_DAY, "08:00", "22:00")
    for room in (whole, *halves):
        what = f"{room.name}, every day, 8:00 to 22:00"
        tell.do(room.allocate, what, days, partly_available=True, raster=30)

    yoga = week.spans((MONDAY, THURSDAY), "18:00", "19:30")
    tell.do(halves[0].book, "yoga in the north half", ADA, yoga)
    tell.refused(whole.book, "the hall during yoga", BEN, yoga)
    party = week.span(SATURDAY, "12:00", "22:00")
    tell.do(whole.book, "the hall for a party", CLEO, party)
    tell.refused(halves[1].book, "the south half during the party", DAN, party)
    polish = week.span(FRIDAY, "08:00", "12:00")
    what = "a blocker: the floor is polished"
    tell.do(whole.add_blocker, what, polish, reason="the floor is polished")


ACTS = (meeting_room, studio, workshop, concert, course, nursery, hall)
"""In the order in which they are told."""
