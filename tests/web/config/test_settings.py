"""Staff sees and changes the settings, which all processes share."""

from __future__ import annotations

import re

import pytest

from libres.sync.audit import Audit
from libres.sync.settings import DEFAULTS, START_OFF
from libres.web.config.settings import GROUPS
from tests.fixtures.statements import counted_on

VERSION = r'name="name" value="deepest">\s*<input[^>]*name="version" value="(\d+)"'


@pytest.fixture(autouse=True)
def _anew(audited):
    """Each test begins with the defaults."""
    audited.execute("DELETE FROM sync_settings")


@pytest.fixture
def value(audited):
    """Reads a setting."""

    def read(name):
        return audited.do(lambda: audited.sync.settings.get(name))

    return read


def send(tab, name="deepest", value="30", version="0", **more):
    """Change a setting."""
    return tab.send("settings/", name=name, value=value, version=version, **more)


def test_all(staff):
    """Each setting is there, with its meaning and its bounds."""
    told = staff.open("settings/").text
    for each in DEFAULTS:
        assert each.meaning in told
        if each.name != START_OFF:
            assert f'value="{each.default}"' in told
            assert f"From {each.least} to {each.most}; default {each.default}." in told


def test_groups():
    """Each setting belongs to a group, once, and a group names no others."""
    named = [name for names in GROUPS.values() for name in names]
    assert sorted(named) == sorted(each.name for each in DEFAULTS)


def test_change(staff, office, value):
    """A setting is changed for all, and it is told by whom and when."""
    answer = send(staff)
    assert (answer.status_code, answer.location) == (303, "/config/settings/#deepest")
    assert value("deepest") == 30
    told = staff.open("settings/").text
    assert f"Set by {office.users['staff'].username} on" in told
    assert "deepest is 30 from now on." in told


def test_switch(staff, value):
    """A switch is yes or no."""
    assert send(staff, START_OFF, "yes").status_code == 303
    assert value(START_OFF) is True
    assert "<option selected>yes</option>" in staff.open("settings/").text
    assert send(staff, START_OFF, "1", "1").status_code == 422
    assert send(staff, START_OFF, "no", "1").status_code == 303
    assert value(START_OFF) is False


def test_reset(staff, value):
    """A setting is put back to its default."""
    send(staff)
    assert send(staff, version="1", action="reset").status_code == 303
    assert value("deepest") == 20
    assert "Back to 20" not in staff.open("settings/").text


def test_audit(staff, office, audited):
    """It is in the audit who has changed it, and from what to what."""
    send(staff)
    send(staff, value="31", version="1")
    (latest,) = Audit(audited.context).history("libres.sync.Setting", limit=1)
    changed = {each.field: (each.before, each.after) for each in latest.changes}
    assert latest.actor == office.users["staff"].username
    assert changed["value"] == (30, 31)


@pytest.mark.parametrize("action", ["", "reset"])
def test_two_at_once(staff, other, value, action):
    """Who is too late is told what somebody else has set, and overwrites nothing."""
    send(other.tab("staff"), value="50")
    answer = send(staff, value="60", action=action)
    assert answer.status_code == 409
    assert "Somebody else has set this to 50 meanwhile" in answer.text
    assert f"by {other.users['staff'].username}" in answer.text
    assert value("deepest") == 50
    (version,) = re.findall(VERSION, answer.text)
    assert send(staff, value="60", version=version).status_code == 303


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("1", "between 2 and 200"),
        ("201", "between 2 and 200"),
        ("-5", "between 2 and 200"),
        ("", "whole number"),
        ("2.5", "whole number"),
        ("many", "whole number"),
        ("٣", "whole number"),
        ("9" * 5000, "whole number"),
        ("1\0", "whole number"),
        ("<script>alert(1)</script>", "whole number"),
    ],
)
def test_bad_value(staff, value, given, said):
    """What cannot be is told beside its field, with what was sent, and changes
    nothing."""
    answer = send(staff, value=given)
    assert answer.status_code == 422
    fault = answer.text.partition('id="fault-deepest"')[2].partition("</p>")[0]
    assert said in fault
    assert "<script>alert" not in answer.text
    assert value("deepest") == 20


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 30])
def test_without_version(staff, value, version):
    """Who does not say what they have seen changes nothing."""
    assert send(staff, version=version).status_code == 422
    assert value("deepest") == 20


@pytest.mark.parametrize("name", ["", "nonsense", "context", "<b>"])
def test_unknown(staff, name):
    """There are no other settings."""
    answer = send(staff, name=name)
    assert answer.status_code == 422
    assert "There is no setting" in answer.text
    assert "<b>&#39;" not in answer.text
    assert "'<b>'" not in answer.text


def test_nobody_else(admin, auditor, staff, value):
    """Administrators of organisations and auditors have no settings, and no form of
    somebody else changes any."""
    for tab in (admin, auditor):
        assert tab.open("settings/").status_code == 403
        assert send(tab).status_code == 403
    assert send(staff, token=False).status_code == 403
    assert value("deepest") == 20


def test_statements(staff, audited):
    """The page takes the same statements, however many settings are set."""
    provider = audited.context.get_service("session_provider")

    def count():
        with (
            counted_on(provider.engine) as written,
            counted_on(provider.read_only_engine) as read,
        ):
            staff.open("settings/")
        return len(written) + len(read)

    first = count()
    for each in DEFAULTS[:8]:
        send(staff, name=each.name, value=str(each.default))
    assert count() == first <= 4
