"""Errors: one class per situation, whose docstring is its message."""

from __future__ import annotations

import copy
import inspect
import pickle
from datetime import UTC, datetime

import pytest

from libres.modules import errors

START = datetime(2030, 6, 3, 10, tzinfo=UTC)
END = datetime(2030, 6, 3, 11, tzinfo=UTC)

DIRECT = [
    "AffectedReservationError",
    "AlreadyReservedError",
    "ContextAlreadyExists",
    "ContextIsLocked",
    "DatesMayNotBeEqualError",
    "DirtyReadOnlySession",
    "IdempotencyKeyReused",
    "InvalidAllocationError",
    "InvalidEmailAddress",
    "InvalidQuota",
    "InvalidReservationError",
    "InvalidReservationToken",
    "ModifiedReadOnlySession",
    "NoReservationsToConfirm",
    "NotReservableError",
    "NotTimezoneAware",
    "OutcomeUnknown",
    "OutdatedSchema",
    "OverlappingAllocationError",
    "OverlappingReservationError",
    "QuotaImpossible",
    "QuotaOverLimit",
    "ReservationParametersInvalid",
    "ReservationTooLong",
    "ReservationTooShort",
    "TimerangeTooLong",
    "TooManyConflicts",
    "UnknownContext",
    "UnknownService",
    "UnknownUtility",
    "UpgradeImpossible",
]


def made(name):
    """Make an error of this name with the facts it needs."""
    cls = getattr(errors, name)
    if name == "OverlappingAllocationError":
        return cls(START, END, None)
    if name == "TooManyConflicts":
        return cls(attempts=3, seconds=0.5)
    return cls()


def through_pickle(error):
    """Send an error to another process and back."""
    return pickle.loads(pickle.dumps(error))  # noqa: S301  # pickled a moment ago


@pytest.mark.parametrize("name", DIRECT)
def test_tree(name):
    """They derive from LibresError directly."""
    assert getattr(errors, name).__bases__ == (errors.LibresError,)
    assert issubclass(errors.LibresError, Exception)


def test_pending_is_affected():
    """A pending reservation in the way is a reservation in the way."""
    assert issubclass(
        errors.AffectedPendingReservationError, errors.AffectedReservationError
    )


def test_complete():
    """The table above names every class of the module."""
    found = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.LibresError)
    }
    assert found == {*DIRECT, "LibresError", "AffectedPendingReservationError"}


@pytest.mark.parametrize("name", DIRECT)
def test_says_something(name):
    """No message is empty, and each is one sentence or more on one line."""
    said = str(made(name))
    assert len(said) > 20
    assert "\n" not in said


@pytest.mark.parametrize("name", DIRECT)
def test_no_reservation(name):
    """The attribute ``reservation`` only exists once it was set."""
    error = made(name)
    assert not hasattr(error, "reservation")
    error.reservation = "r"
    assert error.reservation == "r"


@pytest.mark.parametrize("name", DIRECT)
@pytest.mark.parametrize("copied", [copy.copy, through_pickle])
def test_copies(name, copied):
    """Errors survive copying and pickling, with their attributes."""
    error = made(name)
    again = copied(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.facts == error.facts


def test_facts():
    """What the raiser knows becomes attributes and part of the message."""
    error = errors.AlreadyReservedError(start=START, quota=None)
    assert (error.start, error.quota) == (START, None)
    assert str(error).endswith("(start: 2030-06-03 10:00:00+00:00)")


def test_positional():
    """What is passed by position stands first, and stays in args."""
    error = errors.UnknownService("service/x")
    assert error.args == ("service/x",)
    assert str(error).startswith("service/x: No service of this name")


def test_whole_sentence():
    """A sentence of the raiser's own replaces the general one."""
    assert str(errors.InvalidQuota("The quota is 0.")) == "The quota is 0."


def test_overlapping():
    """An overlap has both times and the allocation in the way."""
    error = errors.OverlappingAllocationError(START, END, "existing")
    assert (error.start, error.end, error.existing) == (START, END, "existing")


def test_affected():
    """The slot in the way may be unknown."""
    assert errors.AffectedReservationError("slot").existing == "slot"
    assert errors.AffectedReservationError(None).existing is None
    assert errors.AffectedPendingReservationError("row").existing == "row"


def test_too_many_conflicts():
    """The error after the last attempt says how often and how long."""
    error = errors.TooManyConflicts(attempts=3, seconds=0.5)
    assert (error.attempts, error.seconds) == (3, 0.5)
    assert str(error).endswith("(attempts: 3, seconds: 0.5)")


def test_outcome_unknown():
    """The error after a COMMIT without an answer has the number of the transaction."""
    assert errors.OutcomeUnknown("1234").number == "1234"
    assert str(errors.OutcomeUnknown("1234")).endswith("(number: 1234)")
    assert errors.OutcomeUnknown().number is None


def test_misuse():
    """A programming mistake is an AssertionError, as in 1.x, and a ValueError."""
    assert issubclass(errors.Misuse, AssertionError)
    assert issubclass(errors.Misuse, ValueError)
    assert not issubclass(errors.Misuse, errors.LibresError)


def test_insist():
    """Insisting raises Misuse with the message, if the condition is not met."""
    errors.insist(1, "unused")
    with pytest.raises(errors.Misuse, match=r"^Pass a timezone\.$"):
        errors.insist("", "Pass a timezone.")
