"""Holds the services and settings of one application, inherited from a parent."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import cached_property, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, final, overload

from libres.context import reading, transactions
from libres.modules import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from sqlalchemy.orm import Session

    from libres.context.registry import Registry

__all__ = (
    "Context",
    "ContextServicesMixin",
    "StoppableService",
    "missing",
    "required",
)

T = TypeVar("T")


@final
class Marker:
    """A value that no application can have set."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


missing: Final = Marker("missing")
"""What ``Context.get`` returns for a key that neither it nor its parent has."""

required: Final = Marker("required")
"""Stands for a cached service that has not been made yet."""


class StoppableService:
    """Base of a service that wants to be told when it is replaced."""

    def stop_service(self) -> None:
        """Let go of connections and the like; the default does nothing."""


class Context:
    """The services and settings of one application.

    What is not set here comes from *parent*. Without *registry* it belongs to
    ``libres.registry``. A *locked* context refuses to be changed; its cached services
    are still made on first use.
    """

    name: str
    parent: Context | None
    locked: bool
    values: dict[str, Any]

    def __init__(
        self,
        name: str,
        registry: Registry | None = None,
        parent: Context | None = None,
        locked: bool = False,
    ) -> None:
        self.name = name
        self.parent = parent
        self.locked = locked
        self.values = {}
        self.thread_lock = threading.RLock()
        self._registry = registry
        self._reading = reading.Reading()

    def __repr__(self) -> str:
        return f"<Libres Context(name={self.name!r})>"

    @property
    def registry(self) -> Registry:
        """The registry this context was made for."""
        # Looked up late and by name: libres itself imports this module, and the
        # storeys below libres.db must not depend on it.
        if self._registry is None:
            self._registry = cast("Registry", import_module("libres").registry)
        return self._registry

    @contextmanager
    def as_current_context(self) -> Iterator[None]:
        """Make this the current context of the thread for a with-block.

        Raises UnknownContext if it is not registered.
        """
        with self.registry.context(self.name):
            yield

    def switch_to(self) -> None:
        """Make this the current context of the thread.

        Raises UnknownContext if it is not registered.
        """
        self.registry.switch_context(self.name)

    def lock(self) -> None:
        """Refuse changes from now on."""
        self.locked = True

    def unlock(self) -> None:
        """Accept changes again."""
        self.locked = False

    def get(self, key: str) -> Any:
        """Return the value of *key*, here or at the parent; else ``missing``."""
        holder = self._holder(key)
        return missing if holder is None else holder.values.get(key, missing)

    def set(self, key: str, value: Any) -> None:
        """Set *key*; a StoppableService that is replaced thereby is stopped first.

        Raises ContextIsLocked if this context is locked.
        """
        with self.thread_lock:
            self._assert_unlocked()
            self._stop(key)
            self.values[key] = value

    def get_setting(self, name: str) -> Any:
        """Return the setting of this name, or ``missing``."""
        return self.get(f"settings.{name}")

    def set_setting(self, name: str, value: Any) -> None:
        """Set the setting of this name.

        Raises ContextIsLocked if this context is locked.
        """
        self.set(f"settings.{name}", value)

    def set_service(
        self, name: str, factory: Callable[[Context], Any], cache: bool = False
    ) -> None:
        """Set the factory of a service, which is called with the asking context.

        With *cache*, or if the parent caches the service of this name, it is called
        once per context that asks, else each time. An instance cached here before is
        stopped if it is a StoppableService.

        Raises ContextIsLocked if this context is locked.
        """
        with self.thread_lock:
            self.set(f"service/{name}", factory)
            self._stop(_cache_key(name))
            self.values.pop(_cache_key(name), None)
            if cache:
                self.values[_cache_key(name)] = required

    def get_service(self, name: str) -> Any:
        """Return a service: made anew or, if it is cached, always the same.

        Raises UnknownService if neither this context nor its parent has it.
        """
        key = f"service/{name}"
        holder = self._holder(key)
        if holder is None:
            raise errors.UnknownService(key)
        if self._holder(_cache_key(name)) is not None:
            return self._cached_service(name, holder)
        return holder.values[key](self)

    @overload
    def transaction(
        self,
        fn: Callable[[], T],
        *,
        attempts: int = ...,
        deadline: float | None = ...,
    ) -> T: ...

    @overload
    def transaction(
        self,
        fn: None = None,
        *,
        attempts: int = ...,
        deadline: float | None = ...,
    ) -> transactions.Decorator: ...

    def transaction(
        self,
        fn: Callable[[], Any] | None = None,
        *,
        attempts: int = transactions.ATTEMPTS,
        deadline: float | None = None,
    ) -> Any:
        """Run *fn* in one transaction, commit, and return its result.

        If another transaction got in the way, the whole of *fn* is run again: up to
        *attempts* times, and not after *deadline* seconds. So *fn* should do nothing
        that cannot be repeated; mails belong into ``event.committed``. Inside another
        ``transaction``, a savepoint or ``session.begin()``, and under zope.sqlalchemy,
        it only runs *fn*: the outer one commits and retries.

        Without *fn* it returns a decorator: ``@context.transaction()``, parentheses
        included.

        Raises TooManyConflicts if the last attempt failed as well, OutcomeUnknown if
        the connection was lost during the COMMIT and nobody could tell in time whether
        it was done, ModifiedReadOnlySession inside ``read_only``, TypeError and
        ValueError if the arguments make no sense; what else *fn* raises rolls back
        and propagates.
        """
        transactions.check_limits(attempts, deadline)
        run = partial(
            transactions.run, self._session, attempts=attempts, deadline=deadline
        )
        return transactions.decorator(run) if fn is None else run(fn)

    def read_only(self) -> reading.Block:
        """Read from the replica, if there is one, for a with-block of this thread.

        Within it, schedulers and queries of this context use a session of its own,
        READ ONLY at REPEATABLE READ: their answers agree with each other, get in the
        way of nobody, and may be older than the last commit. At its end that session
        is closed; what was loaded can still be read. Blocks may be nested, and
        ``@context.read_only()`` makes a function one.

        Raises DirtyReadOnlySession if this thread has uncommitted changes, which
        could not be seen, ModifiedReadOnlySession for what tries to write, also at
        the end of the block if objects were changed, and Misuse if the session
        provider has no ``read_only_session()``.
        """
        return reading.read_only(self._reading, self._session_provider)

    @property
    def read_only_session(self) -> Session | None:
        """The session of the ``read_only`` block this thread is in, if it is in one."""
        return self._reading.session

    def _session_provider(self) -> Any:
        return self.get_service("session_provider")

    def _session(self) -> Session:
        if self.read_only_session is not None:
            raise errors.ModifiedReadOnlySession
        session: Session = self._session_provider().session()
        return session

    def _holder(self, key: str) -> Context | None:
        context: Context | None = self
        while context is not None and key not in context.values:
            context = context.parent
        return context

    def _assert_unlocked(self) -> None:
        if self.locked:
            raise errors.ContextIsLocked(self.name)

    def _stop(self, key: str) -> None:
        replaced = self.values.get(key)
        if isinstance(replaced, StoppableService):
            replaced.stop_service()

    def _cached_service(self, name: str, holder: Context) -> Any:
        # Not set(): making a service is no change, so a locked context may do it.
        with self.thread_lock:
            made = self.values.get(_cache_key(name), required)
            if made is required:
                made = holder.values[f"service/{name}"](self)
                self.values[_cache_key(name)] = made
            return made


def _cache_key(name: str) -> str:
    return f"service/{name}/cache"


class ContextServicesMixin:
    """Gives a class with a ``context`` the services of that context.

    What decides and names is kept per instance until :meth:`clear_cache`; the session
    is looked up on each access, so a replaced session provider works at once.
    """

    context: Context

    @cached_property
    def is_allocation_exposed(self) -> Callable[[Any], bool]:
        """The function that tells whether an allocation is shown."""
        exposed: Callable[[Any], bool]
        exposed = self.context.get_service("exposure").is_allocation_exposed
        return exposed

    @cached_property
    def generate_uuid(self) -> Callable[[Any], UUID]:
        """The function that turns a name into the uuid of a resource."""
        generate: Callable[[Any], UUID] = self.context.get_service("uuid_generator")
        return generate

    @cached_property
    def validate_email(self) -> Callable[[str], bool]:
        """The function that tells whether a text is an e-mail address."""
        validate: Callable[[str], bool] = self.context.get_service("email_validator")
        return validate

    def clear_cache(self) -> None:
        """Forget the services kept by this instance, if any."""
        for name in ("is_allocation_exposed", "generate_uuid", "validate_email"):
            self.__dict__.pop(name, None)

    @property
    def session_provider(self) -> Any:
        """The session provider of the context."""
        return self.context.get_service("session_provider")

    @property
    def session(self) -> Session:
        """The session of this thread, shared by all who use this context.

        Inside ``read_only`` it is the one that only reads.
        """
        session: Session | None = self.context.read_only_session
        return self.session_provider.session() if session is None else session

    def close(self) -> None:
        """Close the session of this thread."""
        self.session.close()

    def commit(self) -> None:
        """Commit the session of this thread."""
        self.session.commit()

    def rollback(self) -> None:
        """Roll back the session of this thread."""
        self.session.rollback()

    @property
    def begin_nested(self) -> Callable[..., Any]:
        """The ``begin_nested`` of the session: call it to open a savepoint."""
        return self.session.begin_nested
