"""The list of checks: what each is called, what it means, what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must not be; *mended* says what ``repair`` does, if it can."""

    name: str
    message: str
    remedy: str
    mended: str | None = None
    is_notice: bool = False


CHECKS: Final = (
    Check(
        "old-schema",
        "Columns or tables are missing, so that some checks cannot be made.",
        "Run libres db upgrade, then check again.",
    ),
    # Slots
    Check(
        "slot-without-allocation",
        "A slot belongs to an allocation that does not exist.",
        "Delete the slot: nobody can see or free it.",
        mended="The slot is deleted.",
    ),
    Check(
        "slot-on-another-resource",
        "A slot has another resource than its allocation, so it guards the wrong time.",
        "Find out which of both is meant, and remove and make the reservation again.",
    ),
    Check(
        "slot-outside-allocation",
        "A slot begins before its allocation or ends after it.",
        "Move the allocation back, or remove the reservation or blocker of the slot.",
    ),
    Check(
        "slot-off-raster",
        "A slot is not one step of the raster of its allocation, or not the whole of "
        "an allocation that is not partly available.",
        "Remove the reservation or blocker of the slot, and make it again.",
    ),
    Check(
        "slot-without-owner",
        "A slot has no reservation or blocker with its id and token.",
        "There is a record with this token or with this id, but none with both: set "
        "source_id and reservation_token to those of the one that is meant, or delete "
        "the slot.",
        mended="A slot of which neither the id nor the token is known is deleted.",
    ),
    Check(
        "slot-of-pending-reservation",
        "A slot is held by a reservation that is still pending.",
        "Set the reservation to approved, or delete the slot.",
    ),
    # Reservations and blockers
    Check(
        "reservation-without-slots",
        "A reservation is approved, but holds nothing, so others may get its time.",
        "Set it to pending and approve it again, or remove it.",
    ),
    Check(
        "reservation-with-missing-slots",
        "An approved reservation holds less than it should: all of its time on as "
        "many places as its quota, of each allocation that it is about.",
        "Remove it and make it again while the time is still free.",
    ),
    Check(
        "reservation-with-surplus-slots",
        "An approved reservation holds more than it should: other times, more places "
        "than its quota, or an allocation that it is not about.",
        "Delete the slots that are too many, or remove it and make it again.",
    ),
    Check(
        "blocker-without-slots",
        "A blocker holds nothing, so its time can be reserved.",
        "Remove it, and add it again.",
    ),
    Check(
        "blocker-on-some-places",
        "A blocker holds only some of the slots or places of its time, so the others "
        "can be reserved.",
        "Remove it, and add it again once all places are free.",
    ),
    Check(
        "blocker-with-surplus-slots",
        "A blocker holds other times or another allocation than it says.",
        "Delete the slots that are too many, or remove it and add it again.",
    ),
    Check(
        "group-without-members",
        "A reservation or blocker is about a group that has no allocation.",
        "Remove it, or set its target to the group that is meant.",
    ),
    Check(
        "reservation-without-allocation",
        "A pending reservation is about a time that is not allocated any more.",
        "Deny it, or allocate the time again.",
    ),
    Check(
        "expired-session",
        "A session holds pending reservations that nobody has touched for 15 minutes.",
        "Call remove_expired_reservation_sessions regularly.",
        mended="The reservations of the session are deleted, and their slots.",
        is_notice=True,
    ),
    # Allocations
    Check(
        "overlapping-masters",
        "Two allocations of one resource overlap, so a time can be reserved twice.",
        "Move or remove one of them.",
    ),
    Check(
        "mirror-without-master",
        "A mirror has no master of its start.",
        "The mirror holds slots: make its master again, or remove the reservations "
        "and the mirror.",
        mended="A mirror without slots is deleted.",
    ),
    Check(
        "mirror-beyond-quota",
        "A mirror is none of the places that the quota of its master allows.",
        "The mirror holds slots: raise the quota, or remove the reservations and the "
        "mirror.",
        mended="A mirror without slots is deleted.",
    ),
    Check(
        "mirror-unlike-master",
        "A mirror differs from its master in its end, raster, group, timezone, or in "
        "being partly available.",
        "The mirror holds slots: remove their reservations, set the mirror to what "
        "its master says, and make them again.",
        mended="The mirror is set to what its master says, if no slot depends on it.",
    ),
    Check(
        "mirror-with-old-terms",
        "A mirror has an older quota, limit or kind of approval than its master, whose "
        "terms are the ones that count.",
        "Nothing needs to be done.",
        mended="The mirror is set to what its master says.",
        is_notice=True,
    ),
    Check(
        "group-with-differing-terms",
        "The members of a group differ in quota, limit or kind of approval.",
        "Set new_quota, quota_limit and approve_manually for the group with "
        "move_allocation.",
    ),
    Check(
        "allocation-off-raster",
        "An allocation does not begin and end on its raster.",
        "Move it to the same start and end with move_allocation.",
    ),
    # Single values
    Check(
        "invalid-span",
        "Times are missing, or the end does not lie after the start.",
        "Set the times, or delete the row.",
    ),
    Check(
        "invalid-raster",
        "A raster is not one of 5, 10, 15, 30 and 60 minutes.",
        "Set the raster to the length of the slots.",
    ),
    Check(
        "invalid-quota",
        "A quota is below 1, or a limit below 0.",
        "Set the quota to the number of places.",
    ),
    Check(
        "unknown-timezone",
        "A timezone has a name that nobody knows.",
        "Set the timezone to the one of the resource, such as Europe/Zurich.",
    ),
)
"""In the order in which findings are told."""

BY_NAME: Final = {check.name: check for check in CHECKS}
