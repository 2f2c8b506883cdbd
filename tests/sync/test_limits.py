"""Nobody gets more answers than may, and nobody pays for what others ask."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest
from sqlalchemy import select

from libres.sync import limits
from libres.sync.errors import TooManyRequests
from libres.sync.limits import Limit
from libres.sync.models import SyncLimit
from tests.fixtures.races import race_threads
from tests.fixtures.statements import counted

pytestmark = pytest.mark.usefixtures("sync")


def usual(who="device:1", minute=60, hour=3000):
    """The limits of somebody."""
    return [Limit(who, minute, 60), Limit(who, hour, 3600)]


@pytest.fixture
def ask(context, clock):
    """Asks so often, and returns how many requests were answered."""

    def _ask(times=1, asked=None):
        answered = 0
        for _ in range(times):
            try:
                limits.count(context, asked or usual(), clock.now)
            except TooManyRequests:
                continue
            answered += 1
        return answered

    return _ask


def wait_of(context, asked, now):
    """How many seconds somebody has to wait who is refused."""
    with pytest.raises(TooManyRequests) as raised:
        limits.count(context, asked, now)
    return raised.value.retry_after


def counts(context):
    """What is counted, by who and window."""
    session = context.get_service("session_provider").session()
    session.rollback()
    found = session.scalars(select(SyncLimit)).all()
    return {(each.who, each.seconds): each.count for each in found}


def test_one_too_many(context, clock, ask):
    """The 61st request in a minute is refused, and told when to come back."""
    assert ask(60) == 60
    clock.advance(timedelta(seconds=20.5))
    assert wait_of(context, usual(), clock.now) == 40
    assert ask(asked=usual("device:2")) == 1


def test_next_minute(ask, clock):
    """When the minute is over, one may ask as often again."""
    ask(61)
    clock.advance(timedelta(seconds=59.9))
    assert ask() == 0
    clock.advance(timedelta(seconds=0.1))
    assert ask(61) == 60


def test_refused_requests_do_not_count(context, ask, clock):
    """Whoever keeps asking neither waits longer nor uses up the hour."""
    ask(60)
    for _ in range(5):
        clock.advance(timedelta(seconds=10))
        ask(10)
    assert wait_of(context, usual(), clock.now) == 10
    assert counts(context) == {("device:1", 60): 60, ("device:1", 3600): 60}


def test_longest_wait_counts(context, ask, clock):
    """Of several windows that are full the last one that ends is told."""
    few = usual(minute=2, hour=2)
    assert ask(3, few) == 2
    assert wait_of(context, few, clock.now) == 3600


def test_full_hour_leaves_the_minute(context, ask, clock):
    """What is refused for one window is not counted in the other."""
    few = usual(hour=1)
    assert ask(3, few) == 1
    clock.advance(timedelta(minutes=1))
    assert wait_of(context, few, clock.now) == 3540
    assert counts(context) == {("device:1", 60): 1, ("device:1", 3600): 1}


def test_another_limit_counts_at_once(ask):
    """A lower limit holds for the window that runs."""
    assert ask(10) == 10
    assert ask(1, usual(minute=10)) == 0
    assert ask(2, usual(minute=11)) == 1


def test_clock_is_set_back(ask, clock):
    """A window that begins in the future is none."""
    ask(60)
    clock.advance(-timedelta(days=1))
    assert ask(1) == 1


def test_given_back(context, ask, clock):
    """What was counted for nothing is taken back."""
    ask(60)
    limits.give_back(context, usual(), clock.now)
    assert ask(2) == 1


def test_without_limits(context, clock):
    """Who has no limit may ask as often as they like, and it costs nothing."""
    session = context.get_service("session_provider").session()
    with counted(session) as statements:
        limits.count(context, [], clock.now)
        limits.give_back(context, [], clock.now)
    assert statements == []


def test_one_statement(context, clock):
    """All windows are counted at once, whether answered or refused."""
    session = context.get_service("session_provider").session()
    for expected in (None, TooManyRequests):
        with counted(session) as statements:
            if expected is None:
                limits.count(context, usual(minute=1), clock.now)
            else:
                wait_of(context, usual(minute=1), clock.now)
        assert len(statements) == 1


def test_old_windows_are_dropped(context, ask, clock):
    """What is over is forgotten, what runs is not."""
    ask()
    clock.advance(timedelta(days=1, seconds=1))
    ask(asked=usual("device:2"))
    assert limits.drop_over(context, clock.now) == 2
    assert {who for who, _ in counts(context)} == {"device:2"}


def race_for(context, clock, limits_of, rounds):
    """Let eight ask at the same moment, in so many rounds; count the answers."""
    barrier = Barrier(8)

    def many():
        answers = Counter()
        for number in range(rounds):
            barrier.wait(60)
            try:
                limits.count(context, limits_of(number), clock.now)
            except TooManyRequests:
                answers["refused"] += 1
            else:
                answers["answered"] += 1
        return answers

    outcomes = race_threads([many] * 8)
    assert [each.error for each in outcomes] == [None] * 8
    return sum((each.value for each in outcomes), Counter())


def test_race(context, clock, ask):
    """Of many who ask at the same moment no more get through than may."""
    ask()
    answers = race_for(context, clock, lambda _: usual(), 12)
    assert answers == {"answered": 59, "refused": 37}
    assert counts(context) == {("device:1", 60): 60, ("device:1", 3600): 60}


def test_race_of_the_first(context, clock):
    """The same if none of them finds anything counted."""
    answers = race_for(context, clock, lambda number: usual(f"device:{number}", 1), 25)
    assert answers == {"answered": 25, "refused": 175}


def test_race_of_different_limits(context, clock):
    """Two limits that are counted together are locked in the same order by all."""

    def both(reverse):
        asked = [Limit("login:1", 500, 60), Limit("address:1", 500, 60)]
        for _ in range(20):
            limits.count(context, asked[::-1] if reverse else asked, clock.now)

    outcomes = race_threads([partial(both, number % 2) for number in range(6)])
    assert [each.error for each in outcomes] == [None] * 6
    assert counts(context) == {("login:1", 60): 120, ("address:1", 60): 120}
