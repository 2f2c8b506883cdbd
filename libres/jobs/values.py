"""What the parts of this room hand to each other: jobs, and what became of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from libres.jobs.rooms import SYNC, Room

if TYPE_CHECKING:
    from libres.context.core import Context

Status = Literal["ok", "error", "skipped"]


class Skip(Exception):
    """There is nothing to do: the message says why."""


class Failed(Exception):
    """Something is wrong that was looked for: the message says what."""


class JobFailed(Exception):
    """A job has failed: the message says which, and why."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a job has done."""

    count: int = 0
    """How much: rows, changes, …"""

    text: str = ""
    """What else there is to say; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is to be done now and then."""

    name: str
    meaning: str
    """In one sentence."""

    every: timedelta
    """How often it should run."""

    work: Callable[[Context], Done]
    """Does it, in transactions of its own. May be repeated at any time."""

    room: Room = SYNC
    """What has to be set up."""

    waiting: Callable[[Context], int] | None = None
    """Tells how much there is to do, and does nothing; None: nobody can tell."""

    by_name: bool = False
    """It runs only if somebody names it, since it takes something from people."""

    @property
    def actor(self) -> str:
        """Who it is, as the audit shows it."""
        return f"system:{self.name}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job."""

    name: str
    status: Status
    """``skipped``: it runs already, or what it needs is not set up."""

    count: int
    """How much was done: rows, changes, …"""

    seconds: float
    text: str
    """What else there is to say, or what went wrong; empty: nothing."""

    def check(self) -> Outcome:
        """Return it. Raises JobFailed if the job has failed."""
        if self.status == "error":
            message = f"The job {self.name} has failed: {self.text}"
            raise JobFailed(message)
        return self
