"""Settings have a type, bounds and a version; all processes share them."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from libres.sync.errors import InvalidName, InvalidSetting
from libres.sync.models import SyncSetting
from libres.sync.settings import DEFAULTS


@pytest.mark.parametrize("setting", DEFAULTS, ids=lambda each: each.name)
def test_defaults(sync, setting):
    """Without a value of its own a context has the default, which is a possible one."""
    assert sync.settings.get(setting.name) == setting.default
    assert setting.wrong(setting.default) is None


def test_set_and_reset(sync):
    """What is set counts from then on, until it is reset."""
    made = sync.settings.set("requests_per_minute", 5, by="ada")
    assert (made.value, made.version, made.changed_by) == (5, 1, "ada")
    assert made.changed is not None
    assert sync.settings.get("requests_per_minute") == 5
    assert sync.settings.set("requests_per_minute", 6).version == 2
    assert sync.settings.reset("requests_per_minute") == 60
    assert sync.settings.get("requests_per_minute") == 60


def test_false_is_a_value(sync):
    """A switch can be set to false, too."""
    assert sync.settings.set("row_security", True).value is True
    assert sync.settings.set("row_security", False).version == 2
    assert sync.settings.get("row_security") is False


def test_all(sync):
    """All settings are told, in the order of the list; version 0: it is a default."""
    sync.settings.set("deepest", 30)
    told = {each.name: (each.value, each.version) for each in sync.settings.all()}
    assert list(told) == [each.name for each in DEFAULTS]
    assert told["deepest"] == (30, 1)
    assert told["feed_kept"] == (90, 0)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        pytest.param("nonsense", 1, "There is no setting", id="unknown"),
        pytest.param("deepest", "20", "whole number", id="text"),
        pytest.param("deepest", True, "whole number", id="true is no number"),
        pytest.param("deepest", 20.0, "whole number", id="float"),
        pytest.param("deepest", None, "whole number", id="null"),
        pytest.param("deepest", 0, "between", id="too small"),
        pytest.param("largest_push", 10**9, "between", id="too large"),
        pytest.param("row_security", 1, "true or false", id="a number is no switch"),
    ],
)
def test_value_that_cannot_be(sync, name, value, told):
    """It is refused, and nothing is changed."""
    before = sync.settings.all()
    with pytest.raises(InvalidSetting, match=told):
        sync.settings.set(name, value)
    assert sync.settings.all() == before


@pytest.mark.parametrize("act", ["get", "reset"])
def test_unknown(sync, act):
    """A name that is none is refused."""
    with pytest.raises(InvalidSetting):
        getattr(sync.settings, act)("nonsense")


def test_who_changes_it(sync):
    """The name of who changes it is a name."""
    with pytest.raises(InvalidName):
        sync.settings.set("deepest", 30, by="a\0")


def test_nonsense_in_the_table(sync):
    """What somebody has written by hand counts only if it can be."""
    sync.settings.set("requests_per_minute", 5)
    sync.session.execute(update(SyncSetting).values(value="many"))
    assert sync.settings.get("requests_per_minute") == 60
    assert all(each.version == 0 for each in sync.settings.all())


def test_other_contexts(sync):
    """A setting belongs to a context."""
    sync.settings.set("requests_per_minute", 5)
    sync.session.execute(update(SyncSetting).values(context="other"))
    assert sync.settings.get("requests_per_minute") == 60
