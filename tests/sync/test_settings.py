"""Settings have a type, bounds and a version; all processes share them."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from libres.sync.errors import ChangedMeanwhile, InvalidName, InvalidSetting
from libres.sync.models import SyncSetting
from libres.sync.settings import DEFAULTS, Setting


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


@pytest.mark.parametrize(
    ("version", "is_late"), [(None, False), (1, False), (0, True), (2, True)]
)
@pytest.mark.parametrize("act", ["set", "reset"])
def test_version(sync, version, is_late, act):
    """Who has seen another version is told what it is now, and changes nothing."""
    settings = sync.settings
    settings.set("deepest", 30, by="ada")

    def change():
        if act == "set":
            settings.set("deepest", 40, by="ben", version=version)
        else:
            settings.reset("deepest", version=version)

    if not is_late:
        change()
        assert settings.get("deepest") == (40 if act == "set" else 20)
        return
    with pytest.raises(ChangedMeanwhile) as caught:
        change()
    assert (caught.value.version, caught.value.value) == (1, 30)
    assert settings.get("deepest") == 30


def test_version_of_a_default(sync):
    """Who has seen the default has seen version 0."""
    assert sync.settings.set("deepest", 30, version=0).version == 1


@pytest.mark.parametrize(
    ("value", "is_wrong"), [(True, False), (False, False), (1, True), (None, True)]
)
def test_switch(value, is_wrong):
    """A switch is true or false, and nothing else."""
    told = Setting("switch", False, "Whether.").wrong(value)
    assert bool(told) is is_wrong
    assert told is None or "true or false" in told


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
