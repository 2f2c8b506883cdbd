"""Contexts: values and their parents, services, locking, the mixin."""

from __future__ import annotations

import threading
from uuid import UUID

import pytest

import libres
from libres.context.core import (
    Context,
    ContextServicesMixin,
    StoppableService,
    missing,
    required,
)
from libres.context.registry import Registry, create_default_registry
from libres.modules import errors


class Stoppable(StoppableService):
    """A service that knows how often it was stopped."""

    def __init__(self, context=None):
        self.context = context
        self.stopped = 0

    def stop_service(self):
        self.stopped += 1


class User(ContextServicesMixin):
    """What a Scheduler is to the mixin."""

    def __init__(self, context):
        self.context = context


@pytest.fixture
def parent():
    return Context("parent", registry=Registry())


@pytest.fixture
def child(parent):
    return Context("child", registry=parent.registry, parent=parent)


def test_repr(child):
    """A context says its name."""
    assert repr(child) == "<Libres Context(name='child')>"


def test_attributes(child, parent):
    """What was passed can be read."""
    assert child.name == "child"
    assert child.parent is parent
    assert child.registry is parent.registry
    assert child.locked is False
    assert child.values == {}


def test_global_registry():
    """A context made without a registry belongs to that of libres."""
    assert Context("alone").registry is libres.registry


def test_missing(child):
    """An unknown key gives a marker of its own, which is not None."""
    assert child.get("unknown") is missing
    assert child.get_setting("unknown") is missing
    assert missing is not None
    assert missing is not required


def test_inherited(child, parent):
    """A value comes from the parent until there is one here."""
    parent.set("key", 1)
    assert child.get("key") == 1
    child.set("key", 2)
    assert (child.get("key"), parent.get("key")) == (2, 1)


def test_none_is_a_value(child, parent):
    """None hides the value of the parent."""
    parent.set("key", 1)
    child.set("key", None)
    assert child.get("key") is None


def test_settings_key(child):
    """Settings live under their own prefix."""
    child.set_setting("dsn", "x")
    assert child.get("settings.dsn") == "x"


@pytest.mark.parametrize(
    "change",
    [
        lambda context: context.set("key", 1),
        lambda context: context.set_setting("key", 1),
        lambda context: context.set_service("key", Stoppable),
        lambda context: context.set_service("key", Stoppable, cache=True),
    ],
    ids=["set", "set_setting", "set_service", "set_service cached"],
)
def test_locked(child, change):
    """A locked context refuses every change and keeps what it has."""
    child.lock()
    with pytest.raises(errors.ContextIsLocked):
        change(child)
    assert child.values == {}
    child.unlock()
    change(child)


def test_made_locked(parent):
    """Context(locked=True) is locked from the start."""
    context = Context("x", registry=parent.registry, locked=True)
    assert context.locked
    with pytest.raises(errors.ContextIsLocked):
        context.set("key", 1)


def test_replaced_is_stopped(child, parent):
    """Replacing stops the service of this context, never that of the parent."""
    theirs, ours = Stoppable(), Stoppable()
    parent.set("key", theirs)
    child.set("key", ours)
    assert theirs.stopped == 0
    child.set("key", None)
    assert (ours.stopped, theirs.stopped) == (1, 0)


def test_unknown_service(child):
    """An unknown service says under which key it was looked for."""
    with pytest.raises(errors.UnknownService) as raised:
        child.get_service("unknown")
    assert raised.value.args == ("service/unknown",)


def test_service_under_any_name(child):
    """Services that the library does not know are stored and returned."""
    manager = object()
    child.set_service("host_manager", lambda _: manager)
    assert child.get_service("host_manager") is manager


def test_service_made_anew(child):
    """Without cache the factory is called on each access."""
    child.set_service("x", Stoppable)
    assert child.get_service("x") is not child.get_service("x")


def test_service_gets_the_asking_context(child, parent):
    """The factory of the parent is called with the context that asks."""
    parent.set_service("x", Stoppable)
    assert child.get_service("x").context is child


def test_cached_per_asking_context(child, parent):
    """A cached service is made once per context, also if the parent made its own."""
    parent.set_service("x", Stoppable, cache=True)
    theirs, ours = parent.get_service("x"), child.get_service("x")
    assert parent.get_service("x") is theirs
    assert child.get_service("x") is ours
    assert (theirs.context, ours.context) == (parent, child)


def test_cached_marker(child):
    """The cache key says that an instance is required."""
    child.set_service("x", Stoppable, cache=True)
    assert child.get("service/x") is Stoppable
    assert child.get("service/x/cache") is required


@pytest.mark.parametrize("cache", [True, False])
def test_replaced_service_is_stopped(child, cache):
    """Setting a service anew stops the cached one, which is not given out again."""
    child.set_service("x", Stoppable, cache=True)
    old = child.get_service("x")
    child.set_service("x", Stoppable, cache=cache)
    assert old.stopped == 1
    assert child.get_service("x") is not old


def test_replaced_service_stays_cached(child, parent):
    """A factory set on a child is called once if the parent caches that service."""
    parent.set_service("x", Stoppable, cache=True)
    child.set_service("x", Stoppable)
    assert child.get_service("x") is child.get_service("x")
    assert child.get_service("x") is not parent.get_service("x")


def test_cached_on_locked(child):
    """Locking forbids to set, not the first use of a cached service."""
    child.set_service("x", Stoppable, cache=True)
    child.lock()
    assert child.get_service("x") is child.get_service("x")


def test_cached_once_by_threads(child):
    """Threads that ask at the same time get the same instance."""
    made = []

    def factory(_):
        made.append(threading.get_ident())
        started.wait(0.05)
        return object()

    started = threading.Event()
    child.set_service("x", factory, cache=True)
    found = _in_threads(4, lambda: child.get_service("x"))
    assert len(made) == 1
    assert len(set(map(id, found))) == 1


def _in_threads(number, fn):
    found = []
    barrier = threading.Barrier(number)

    def work():
        barrier.wait()
        found.append(fn())

    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_as_current_context():
    """The with-block yields None and works in this context."""
    registry = Registry()
    context = registry.register_context("x")
    with context.as_current_context() as given:
        assert given is None
        assert registry.current_context is context
    assert registry.current_context is registry.master_context


def test_switch_to():
    """A context can make itself the current one."""
    registry = Registry()
    context = registry.register_context("x")
    context.switch_to()
    assert registry.current_context is context


class TestMixin:
    """The services as attributes of a Scheduler."""

    @pytest.fixture
    def user(self):
        return User(create_default_registry().register_context("test"))

    def test_generate_uuid(self, user):
        """The resource comes from namespace, context name and scheduler name."""
        assert user.generate_uuid("room") == UUID(
            "290cd85e-c652-525b-90e6-9842b18cacab"
        )

    def test_services(self, user):
        """Exposure and e-mail check come from the context."""
        assert user.is_allocation_exposed(object()) is True
        assert user.validate_email("a@example.org") is True

    @pytest.mark.parametrize(
        ("attribute", "service"),
        [
            ("generate_uuid", "uuid_generator"),
            ("validate_email", "email_validator"),
        ],
    )
    def test_cached_until_cleared(self, user, attribute, service):
        """A service is kept per instance until the cache is cleared."""
        before = getattr(user, attribute)
        user.context.set_service(service, lambda _: str)
        assert getattr(user, attribute) is before
        user.clear_cache()
        assert getattr(user, attribute) is str

    def test_exposure_cached_until_cleared(self, user):
        """The exposure is kept per instance until the cache is cleared."""

        class Hidden:
            def is_allocation_exposed(self, _):
                return False

        assert user.is_allocation_exposed(None)
        user.context.set_service("exposure", lambda _: Hidden())
        assert user.is_allocation_exposed(None)
        user.clear_cache()
        assert not user.is_allocation_exposed(None)

    def test_not_cached_across_instances(self, user):
        """Another instance asks the context for itself."""
        assert user.validate_email("a@example.org")
        user.context.set_service("email_validator", lambda _: lambda _: False)
        assert not User(user.context).validate_email("a@example.org")

    def test_clear_unused(self, user):
        """Clearing works if nothing was used before."""
        user.clear_cache()

    def test_any_session_provider(self, user):
        """Only .session() of the provider is used, and replacing works at once."""

        class Provider:
            def __init__(self, session):
                self.session = lambda: session

        for session in ("first", "second"):
            provider = Provider(session)
            user.context.set_service("session_provider", lambda _, p=provider: p)
            assert user.session_provider is provider
            assert user.session == session

    def test_session_calls(self, user):
        """close, commit, rollback and begin_nested are those of the session."""

        class Session:
            def __init__(self):
                self.calls = []

            def __getattr__(self, name):
                return lambda: self.calls.append(name)

        class Provider:
            made = Session()

            def session(self):
                return self.made

        user.context.set_service("session_provider", lambda _: Provider())
        user.commit()
        user.rollback()
        user.begin_nested()
        user.close()
        assert user.session.calls == ["commit", "rollback", "begin_nested", "close"]
