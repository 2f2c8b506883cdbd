"""Several processes want the same time at the same moment; the places decide."""

from __future__ import annotations

from functools import partial

import pytest

from tests.fixtures.races import race
from tests.races import actors

SLOTS_OF_AN_HOUR = 4
"""At a raster of 15 minutes."""


@pytest.mark.parametrize(
    ("quota", "rivals"),
    [
        pytest.param(1, 4, id="one place, so the slot key decides"),
        pytest.param(3, 5, id="three places, so mirrors are made at the same moment"),
    ],
)
def test_booking_race(dsn: str, quota: int, rivals: int) -> None:
    """As many processes succeed as there are places; the others hear why not."""
    actors.allocate(dsn, quota)
    outcomes = race([partial(actors.book, dsn)] * rivals)
    refused = [outcome.error for outcome in outcomes if not outcome.ok]
    assert refused == ["AlreadyReservedError"] * (rivals - quota)
    assert actors.count_slots(dsn) == SLOTS_OF_AN_HOUR * quota


def test_approval_race(dsn: str) -> None:
    """Of several pending reservations of one place exactly one gets approved."""
    actors.allocate(dsn, 1)
    tokens = [actors.reserve(dsn) for _ in range(4)]
    outcomes = race([partial(actors.approve, dsn, token) for token in tokens])
    refused = [outcome.error for outcome in outcomes if not outcome.ok]
    assert refused == ["AlreadyReservedError"] * 3
    assert actors.count_slots(dsn) == SLOTS_OF_AN_HOUR


def test_blocker_against_booking(dsn: str) -> None:
    """A blocker and a booking of the same time exclude each other."""
    actors.allocate(dsn, 2)
    outcomes = race([partial(actors.book, dsn), partial(actors.block, dsn)])
    refused = [outcome.error for outcome in outcomes if not outcome.ok]
    assert refused == ["AlreadyReservedError"]


def test_same_token_approved_twice_at_once(dsn: str) -> None:
    """One reservation approved by two processes holds its slots once."""
    actors.allocate(dsn, 2)
    token = actors.reserve(dsn)
    outcomes = race([partial(actors.approve, dsn, token)] * 2)
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert actors.count_slots(dsn) == SLOTS_OF_AN_HOUR
