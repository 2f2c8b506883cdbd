"""Registries: contexts by name, one current context per thread."""

from __future__ import annotations

import threading

import pytest

from libres.context.core import missing
from libres.context.registry import Registry, create_default_registry
from libres.context.settings import DEFAULTS
from libres.modules import errors


@pytest.fixture
def registry():
    return Registry()


def test_bare(registry):
    """A bare registry has a master without services, settings and parent."""
    master = registry.get_context("master")
    assert master is registry.master_context
    assert master is registry.current_context
    assert master.parent is None
    assert master.values == {}
    assert not master.locked


def test_register(registry):
    """A new context is empty, unlocked and inherits from the master."""
    context = registry.register_context("x")
    assert context.parent is registry.master_context
    assert context.registry is registry
    assert context.values == {}
    assert not context.locked
    assert registry.get_context("x") is context


def test_asserts(registry):
    """What exists and what does not is told by errors."""
    registry.register_context("x")
    assert registry.is_existing_context("x")
    assert not registry.is_existing_context("y")
    registry.assert_exists("x")
    registry.assert_does_not_exist("y")
    registry.assert_not_locked("x")
    with pytest.raises(errors.UnknownContext):
        registry.assert_exists("y")
    with pytest.raises(errors.ContextAlreadyExists):
        registry.assert_does_not_exist("x")
    with pytest.raises(errors.UnknownContext):
        registry.assert_not_locked("y")
    registry.get_context("x").lock()
    with pytest.raises(errors.ContextIsLocked):
        registry.assert_not_locked("x")


def test_register_twice(registry):
    """A name is registered once, unless it is to be replaced."""
    old = registry.register_context("x")
    old.set("key", 1)
    with pytest.raises(errors.ContextAlreadyExists):
        registry.register_context("x")
    new = registry.register_context("x", replace=True)
    assert new is not old
    assert new.get("key") is missing
    assert registry.get_context("x") is new


def test_replace_unknown(registry):
    """Replacing what does not exist is registering."""
    assert registry.register_context("x", replace=True).name == "x"


def test_replace_locked(registry):
    """A locked context is not replaced."""
    old = registry.register_context("x")
    old.lock()
    with pytest.raises(errors.ContextIsLocked):
        registry.register_context("x", replace=True)
    assert registry.get_context("x") is old


def test_replaced_stays_current(registry):
    """Who works with the replaced context keeps it."""
    old = registry.register_context("x")
    registry.switch_context("x")
    registry.register_context("x", replace=True)
    assert registry.current_context is old


def test_get_unknown(registry):
    """An unknown context is an error, or made on request, once."""
    with pytest.raises(errors.UnknownContext):
        registry.get_context("x")
    made = registry.get_context("x", autocreate=True)
    assert registry.get_context("x", autocreate=True) is made


def test_switch(registry):
    """Switching holds until the next switch; an unknown name is an error."""
    context = registry.register_context("x")
    registry.switch_context("x")
    assert registry.current_context is context
    assert registry.get_current_context() is context
    with pytest.raises(errors.UnknownContext):
        registry.switch_context("y")
    assert registry.current_context is context


def test_switch_per_thread(registry):
    """A thread that never chose a context gets the master."""
    registry.register_context("x")
    registry.switch_context("x")
    found = []
    thread = threading.Thread(target=lambda: found.append(registry.current_context))
    thread.start()
    thread.join()
    assert found == [registry.master_context]


def test_with_block(registry):
    """The with-block yields the context and switches back, nested as well."""
    x, y = registry.register_context("x"), registry.register_context("y")
    with registry.context("x") as outer:
        assert outer is x
        with registry.context("y") as inner:
            assert inner is y
            assert registry.current_context is y
        assert registry.current_context is x
    assert registry.current_context is registry.master_context


def test_with_block_after_error(registry):
    """It switches back after an exception."""
    registry.register_context("x")
    with pytest.raises(ZeroDivisionError), registry.context("x"):
        raise ZeroDivisionError
    assert registry.current_context is registry.master_context


def test_with_block_by_name(registry):
    """What it switches back to is found by its name."""
    registry.register_context("x")
    registry.switch_context("x")
    with registry.context("master"):
        new = registry.register_context("x", replace=True)
    assert registry.current_context is new


def test_independent():
    """Several registries know nothing of each other."""
    one, two = create_default_registry(), create_default_registry()
    one.register_context("x")
    one.switch_context("x")
    assert not two.is_existing_context("x")
    assert two.current_context is two.master_context


def test_default_registry():
    """The default master has services and settings and is locked."""
    master = create_default_registry().master_context
    assert master.locked
    assert {f"settings.{setting.name}" for setting in DEFAULTS} < set(master.values)
    with pytest.raises(errors.ContextIsLocked):
        master.set_setting("dsn", "x")


def test_autocreate_by_threads(registry):
    """Threads that ask for the same new context get the same one."""
    barrier = threading.Barrier(4)
    found = []

    def work():
        barrier.wait()
        found.append(registry.get_context("x", autocreate=True))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
