"""Runs a function in one transaction and again on a conflict; classifies errors."""

from __future__ import annotations

import random as randomness
import time
from dataclasses import dataclass
from functools import partial, wraps
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Literal,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
)

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, UnboundExecutionError
from sqlalchemy.orm import SessionTransactionOrigin, scoped_session

from libres.context.drivers import driver_error, sqlstate
from libres.context.fairness import LONGEST_WAIT, turns_of
from libres.context.outcome import close, finish, is_over, watched
from libres.modules.errors import OutcomeUnknown, TooManyConflicts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from libres.context.outcome import Outcome, Trace, Waiting, Witness

__all__ = ("ATTEMPTS", "Verdict", "classify", "leave_trace", "run")

P = ParamSpec("P")
T = TypeVar("T")

Verdict: TypeAlias = Literal["retryable", "ambiguous", "no"]
"""``retryable``: nothing was written, so do it again. ``ambiguous``: the connection was
lost during the COMMIT, so it may have been written: look before doing it again.
``no``: the same would happen again."""

ATTEMPTS: Final = 10
"""How often a transaction is tried by default."""

# The library has looked before it writes, so a duplicate means that another transaction
# was faster. Named here, not beside the models, because the models come above.
SLOT_KEY: Final = "reserved_slots_pkey"
ALLOCATION_KEY: Final = "resource_start_ix"
IDEMPOTENCY_KEY: Final = "reservation_idempotency_keys_pkey"

TAKEN_MEANWHILE: Final = frozenset({SLOT_KEY, ALLOCATION_KEY, IDEMPOTENCY_KEY})

CONFLICTS: Final = frozenset(
    {
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
    }
)
UNIQUE_VIOLATION: Final = "23505"
SHUTDOWNS: Final = frozenset(
    {
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
    }
)
CONNECTION_EXCEPTIONS: Final = "08"
INTERNAL_ERROR: Final = "XX000"

# PEP 249 gives these names to both drivers, so neither has to be imported.
DISCONNECTS: Final = frozenset({"OperationalError", "InterfaceError"})

CITUS_COMMIT: Final = "could not commit transaction"

FIRST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 1.0
"""Seconds; the upper bounds of the first pause and of all of them."""

LONGEST_ASKING: Final = 30.0
"""Seconds; how long to ask what became of a COMMIT if there is no deadline."""


def classify(error: BaseException, *, committing: bool = False) -> Verdict:
    """Decide whether the transaction that raised *error* may be run again.

    Takes errors of SQLAlchemy, psycopg2 and psycopg 3. *committing* says that it was
    raised by the COMMIT itself.
    """
    code = sqlstate(error)
    if code in CONFLICTS or _is_taken_meanwhile(error, code):
        return "retryable"
    if _is_connection_lost(error, code):
        return "ambiguous" if committing else "retryable"
    if committing and code == INTERNAL_ERROR and CITUS_COMMIT in str(error):
        return "ambiguous"
    return "no"


def _is_taken_meanwhile(error: BaseException, code: str | None) -> bool:
    diagnosis = getattr(driver_error(error), "diag", None)
    constraint = getattr(diagnosis, "constraint_name", None)
    return code == UNIQUE_VIOLATION and constraint in TAKEN_MEANWHILE


def _is_connection_lost(error: BaseException, code: str | None) -> bool:
    if getattr(error, "connection_invalidated", False):
        return True
    if code is None:
        names = {cls.__name__ for cls in type(driver_error(error)).__mro__}
        return not names.isdisjoint(DISCONNECTS)
    return code in SHUTDOWNS or code.startswith(CONNECTION_EXCEPTIONS)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to try, in seconds, and what to measure and wait with."""

    attempts: int
    deadline: float | None
    sleep: Callable[[float], object]
    random: Callable[[], float]
    clock: Callable[[], float]
    began: float

    def pause(self, attempt: int) -> float:
        """Draw the pause after the given attempt, counted from 1.

        Full jitter: those who met in a conflict come back at different times.
        """
        bound = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt - 1, 30))
        return self.random() * bound

    @property
    def elapsed(self) -> float:
        """How long it has been going on."""
        return self.clock() - self.began

    def asking(self) -> Waiting:
        """Make what waits between two questions: until the deadline, or for a while."""
        limit = self.deadline
        end = self.began + limit if limit is not None else self.clock() + LONGEST_ASKING

        def wait(asked: int) -> bool:
            pause = self.pause(asked)
            if self.clock() + pause >= end:
                return False
            self.sleep(pause)
            return True

        return wait

    @property
    def longest_wait(self) -> float:
        """How long to wait for other threads that go first."""
        deadline = LONGEST_WAIT if self.deadline is None else self.deadline
        return min(LONGEST_WAIT, deadline)


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed and was rolled back; *error* may go away by retrying."""

    error: Exception


def run(
    session_getter: Callable[[], Session | scoped_session[Session]],
    fn: Callable[[], T],
    *,
    attempts: int = ATTEMPTS,
    deadline: float | None = None,
    sleep: Callable[[float], object] = time.sleep,
    random: Callable[[], float] = randomness.random,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Run *fn* in one transaction of the session, commit, and return its result.

    After a retryable error it is rolled back and the whole of *fn* is run again in a
    fresh snapshot, after a random pause whose bound doubles. A transaction that the
    session is in already is joined, neither committed nor retried, if it belongs to
    an outer call, to a savepoint, to ``session.begin()`` or to the transaction manager
    of zope.sqlalchemy, which commits and retries itself. Uncommitted work from
    before the call is committed along; it could not be repeated, so then there is
    only one attempt.

    Raises TooManyConflicts if the last attempt failed or no other one fits into
    *deadline* seconds, its cause the last conflict. If the connection is lost during
    the COMMIT, the database is asked what became of it, until the deadline or for
    LONGEST_ASKING: what was committed is returned, what was not is run again. Raises
    OutcomeUnknown if there is no answer. Any other error of *fn* and of the commit
    rolls back and propagates. Raises TypeError and ValueError if the arguments make no
    sense.
    """
    _check_callable(fn)
    check_limits(attempts, deadline)
    session = plain_session(session_getter())
    if _belongs_to_another(session):
        return fn()
    patience = Patience(attempts, deadline, sleep, random, clock, began=clock())
    return _retry(session, fn, patience)


class Decorator(Protocol):
    """Makes a function run in a transaction of its own on each call."""

    def __call__(self, fn: Callable[P, T], /) -> Callable[P, T]: ...


def decorator(run: Callable[[Callable[[], Any]], Any]) -> Decorator:
    """Make the decorator whose functions are called through *run*."""

    def decorate(fn: Callable[P, T], /) -> Callable[P, T]:
        _check_callable(fn)

        @wraps(fn)
        def in_transaction(*args: P.args, **kwargs: P.kwargs) -> T:
            result: T = run(partial(fn, *args, **kwargs))
            return result

        return in_transaction

    return decorate


def check_limits(attempts: object, deadline: object) -> None:
    """Raise TypeError or ValueError unless both limits make sense.

    *attempts* is a whole number of at least 1, *deadline* None or a number of seconds
    that is not negative.
    """
    _check_attempts(attempts)
    if deadline is not None:
        _check_deadline(deadline)


def _check_attempts(attempts: object) -> None:
    if not isinstance(attempts, int) or isinstance(attempts, bool):
        message = f"attempts must be a whole number, not {attempts!r}."
        raise TypeError(message)
    if attempts < 1:
        message = f"attempts must be at least 1, not {attempts!r}."
        raise ValueError(message)


def _check_deadline(deadline: object) -> None:
    if not isinstance(deadline, (int, float)) or isinstance(deadline, bool):
        message = f"deadline must be a number of seconds or None, not {deadline!r}."
        raise TypeError(message)
    # Turned around, so that NaN is refused as well.
    if not deadline >= 0:
        message = f"deadline must not be negative, but is {deadline!r} seconds."
        raise ValueError(message)


def _check_callable(fn: object) -> None:
    if not callable(fn):
        message = (
            f"transaction() runs a function, but got {fn!r}: pass the function itself, "
            f"or use @transaction() with parentheses."
        )
        raise TypeError(message)


def plain_session(session: Session | scoped_session[Session]) -> Session:
    """Return the session itself, if a host hands out the proxy of its threads."""
    return session() if isinstance(session, scoped_session) else session


_RUNNING: Final = "libres.transaction"


def _belongs_to_another(session: Session) -> bool:
    transaction = session.get_transaction()
    explicit = SessionTransactionOrigin.BEGIN
    return (
        _RUNNING in session.info
        or session.in_nested_transaction()
        or (transaction is not None and transaction.origin is explicit)
        or _is_committed_by_zope(session)
    )


def _is_committed_by_zope(session: Session) -> bool:
    """Tell whether zope.sqlalchemy is registered, which lets nobody else commit."""
    owners = (
        getattr(hook, "__self__", None) for hook in session.dispatch.before_commit
    )
    classes = (cls for owner in owners for cls in type(owner).__mro__)
    return any(cls.__module__.startswith("zope.sqlalchemy") for cls in classes)


def _retry(session: Session, fn: Callable[[], T], patience: Patience) -> T:
    turns = turns_of(session)
    repeatable = not _held_earlier_work(session)
    turns.wait(patience.longest_wait)
    outcome, attempt = _attempt(session, fn, patience), 1
    while isinstance(outcome, Failure):
        if not repeatable:
            raise outcome.error
        _wait(outcome, attempt, patience)
        with turns.first(patience.longest_wait):
            outcome = _attempt(session, fn, patience)
        attempt += 1
    return outcome


def _wait(failure: Failure, attempt: int, patience: Patience) -> None:
    elapsed, pause = patience.elapsed, patience.pause(attempt)
    late = patience.deadline is not None and elapsed + pause >= patience.deadline
    if attempt >= patience.attempts or late:
        raise TooManyConflicts(attempt, elapsed) from failure.error
    patience.sleep(pause)


def _attempt(session: Session, fn: Callable[[], T], patience: Patience) -> T | Failure:
    traces: list[Trace] = []
    try:
        result = _work(session, fn, traces)
    except BaseException as error:
        return _rolled_back(session, error, classify(error))
    return _commit(session, traces, patience) or result


def _commit(
    session: Session, traces: Sequence[Trace], patience: Patience
) -> Failure | None:
    transaction = session.get_transaction()
    with watched(_connection(session) if transaction else None, traces) as witness:
        try:
            session.commit()
        except BaseException as error:
            if transaction is None or not is_over(transaction):
                return _failed(session, error, witness, patience)
            # A hook of the host has failed after the COMMIT: nothing may run again.
            close(transaction)
            raise
    return None


def _failed(
    session: Session, error: BaseException, witness: Witness, patience: Patience
) -> Failure | None:
    """Decide about an error of the COMMIT, or of a hook before it; None: it is done."""
    verdict = classify(error, committing=witness.may_be_sent)
    if verdict != "ambiguous" or not isinstance(error, Exception):
        return _rolled_back(session, error, verdict)
    outcome = _found_out(session, witness, patience)
    transaction = session.get_transaction()
    if outcome == "committed" and transaction is not None:
        finish(transaction)
        return None
    _roll_back(session)
    if outcome == "unknown":
        raise OutcomeUnknown(witness.number) from error
    return Failure(error)


def _found_out(session: Session, witness: Witness, patience: Patience) -> Outcome:
    try:
        return witness.find_out(patience.asking())
    except BaseException:
        _roll_back(session)
        raise


def _work(session: Session, fn: Callable[[], T], traces: list[Trace]) -> T:
    # The flush belongs here: what it raises was not raised by the COMMIT.
    session.info[_RUNNING] = traces
    try:
        result = fn()
        session.flush()
        _assert_not_aborted(session)
    finally:
        del session.info[_RUNNING]
    return result


def leave_trace(session: Session | scoped_session[Session], trace: Trace) -> None:
    """Note how to find a record that the running transaction alone has made.

    By it ``run`` recognises its transaction if a COMMIT was not answered and nothing
    else can tell. What a savepoint may take back is no trace.
    """
    plain = plain_session(session)
    if _RUNNING in plain.info and not plain.in_nested_transaction():
        plain.info[_RUNNING].append(trace)


def _roll_back(session: Session) -> None:
    try:
        session.rollback()
    except DBAPIError as error:
        # What a lost connection had begun, the server rolls back by itself.
        if not _is_connection_lost(error, sqlstate(error)):
            raise


def _rolled_back(session: Session, error: BaseException, verdict: Verdict) -> Failure:
    _roll_back(session)
    if verdict == "retryable" and isinstance(error, Exception):
        return Failure(error)
    raise error


def _held_earlier_work(session: Session) -> bool:
    try:
        return holds_changes(session)
    except BaseException:
        _roll_back(session)
        raise


def holds_changes(session: Session) -> bool:
    """Tell whether a session holds anything that a commit would write or make final."""
    return _has_changes(session) or _has_written(session)


def _has_changes(session: Session) -> bool:
    return bool(session.new or session.dirty or session.deleted)


def _has_written(session: Session) -> bool:
    if not session.in_transaction():
        return False
    connection = _connection(session)
    # Whoever cannot be asked may have written.
    return connection is None or (
        connection.execute(_HAS_WRITTEN).scalar_one() is not None
    )


def _connection(session: Session) -> Connection | None:
    """Return the connection of the session, if it has one for everything."""
    try:
        return session.connection()
    except UnboundExecutionError:
        return None


# PostgreSQL numbers a transaction at its first write.
_HAS_WRITTEN: Final = text("SELECT pg_current_xact_id_if_assigned()::text")


def _assert_not_aborted(session: Session) -> None:
    """Raise what PostgreSQL says about a transaction that an error has aborted.

    A function that swallows such an error would end in a COMMIT which the server
    turns into a ROLLBACK without saying so.
    """
    connection = _connection(session) if session.in_transaction() else None
    if connection is not None:
        driver: Any = connection.connection.driver_connection
        if driver.info.transaction_status == _IN_ERROR:
            connection.execute(text("SELECT 1"))


_IN_ERROR: Final = 3  # PQTRANS_INERROR, the same number in both drivers
