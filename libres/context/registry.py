"""Keeps the contexts of a process by name, and which of them a thread works for."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from libres.context.core import Context
from libres.context.services import set_default_services
from libres.context.settings import set_default_settings
from libres.modules import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("Registry", "create_default_registry")


class Registry:
    """The contexts by name; each inherits from the one called ``master``.

    Registries are independent of each other. Most applications use the one in
    ``libres.registry``.
    """

    contexts: dict[str, Context]
    local: threading.local
    master_context: Context

    def __init__(self) -> None:
        self.contexts = {}
        self.local = threading.local()
        self.thread_lock = threading.RLock()
        self.master_context = self.contexts["master"] = Context("master", registry=self)

    @property
    def current_context(self) -> Context:
        """The context this thread has switched to, else the master."""
        current: Context = getattr(self.local, "current_context", self.master_context)
        return current

    def get_current_context(self) -> Context:
        """Return the context this thread has switched to, else the master."""
        return self.current_context

    def is_existing_context(self, name: str) -> bool:
        """Tell whether a context of this name is registered."""
        return name in self.contexts

    def assert_exists(self, name: str) -> None:
        """Raise UnknownContext unless a context of this name is registered."""
        if not self.is_existing_context(name):
            raise errors.UnknownContext(name)

    def assert_does_not_exist(self, name: str) -> None:
        """Raise ContextAlreadyExists if a context of this name is registered."""
        if self.is_existing_context(name):
            raise errors.ContextAlreadyExists(name)

    def assert_not_locked(self, name: str) -> None:
        """Raise ContextIsLocked if the context of this name is locked.

        Raises UnknownContext if there is none.
        """
        if self.get_context(name).locked:
            raise errors.ContextIsLocked(name)

    def register_context(self, name: str, replace: bool = False) -> Context:
        """Add a new, empty context that inherits from the master.

        With *replace* an existing one of this name is dropped; its services are not
        stopped.

        Raises ContextAlreadyExists if the name is taken and *replace* is false,
        ContextIsLocked if the context to be replaced is locked.
        """
        with self.thread_lock:
            self._assert_available(name, replace)
            context = Context(name, registry=self, parent=self.master_context)
            return self.contexts.setdefault(name, context)

    def _assert_available(self, name: str, replace: bool) -> None:
        if not replace:
            self.assert_does_not_exist(name)
        elif self.is_existing_context(name):
            self.assert_not_locked(name)
            del self.contexts[name]

    def get_context(self, name: str, autocreate: bool = False) -> Context:
        """Return the context of this name, always the same object.

        Raises UnknownContext if there is none and *autocreate* is false.
        """
        with self.thread_lock:
            if autocreate and not self.is_existing_context(name):
                return self.register_context(name)
            self.assert_exists(name)
            return self.contexts[name]

    def switch_context(self, name: str) -> None:
        """Make the context of this name the current one of this thread.

        Raises UnknownContext if there is none.
        """
        self.local.current_context = self.get_context(name)

    @contextmanager
    def context(self, name: str) -> Iterator[Context]:
        """Switch to a context for the length of a with-block.

        Raises UnknownContext if there is none of this name.
        """
        before = self.current_context.name
        self.switch_context(name)
        try:
            yield self.current_context
        finally:
            self.switch_context(before)


def create_default_registry() -> Registry:
    """Make a registry whose master has the default services and settings.

    The master is locked: set things on a context of your own.
    """
    registry = Registry()
    set_default_services(registry.master_context)
    set_default_settings(registry.master_context)
    registry.master_context.lock()
    return registry
