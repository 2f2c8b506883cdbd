"""The dashboard counts what there is, says how it is, and shows what was done."""

from __future__ import annotations

import re
import shutil
from typing import NamedTuple

import pytest

from libres.sync.devices import Devices
from libres.sync.organizations import Organizations
from libres.sync.totals import Totals, totals
from tests.fixtures.statements import counted_on

HOSTILE = "<script>alert(1)</script>\"' \u202e"


class Usage(NamedTuple):
    """What is told of a disk."""

    total: int = 100
    free: int = 50


@pytest.fixture(autouse=True)
def _disk(monkeypatch):
    """Half of every disk is free."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage())


@pytest.fixture
def log(audited):
    """Adds a request of an office to the log."""

    def add(where, username="ada"):
        audited.execute(
            'INSERT INTO sync_log (context, "user", username, organization, operation,'
            " status, seconds)"
            " VALUES ('test', '1', :name, :id, 'push', 'success', 0.2)",
            name=username,
            id=where.organization.id,
        )

    return add


def cards(text):
    """The numbers by what they count."""
    found = re.findall(r"<li><strong>(\d+)</strong> (.*?)</li>", text)
    return {re.sub(r"<[^>]*>", "", name): int(count) for count, name in found}


def test_counts(staff, office, other, audited):
    """Everything is counted as it is in the database; the sum is that of the counts."""
    audited.do(
        lambda: Devices(audited.context).add(
            office.users["admin"], office.organization, "phone"
        )
    )
    found = cards(staff.open("").text)
    tables = {
        "organisations": "sync_organizations",
        "roles": "sync_roles",
        "users": "sync_users",
        "memberships": "sync_memberships",
        "devices in use": "sync_devices",
    }
    for name, table in tables.items():
        assert found[name] == audited.execute(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608
    assert found["models"] == 5
    assert found["in all"] == sum(found.values()) - found["in all"]
    assert other.slug != office.slug


def test_three_are_three(staff, audited):
    """Three more are three more, and no list of positions."""
    before = cards(staff.open("").text)["organisations"]
    for number in range(3):
        audited.do(
            lambda number=number: Organizations(audited.context).add(
                "Three", f"three-{before}-{number}"
            )
        )
    assert cards(staff.open("").text)["organisations"] == before + 3


def test_own_numbers(office, other, audited):
    """Members are told the numbers of their organisations only."""
    for name in ("phone", "kiosk"):
        audited.do(
            lambda name=name: Devices(audited.context).add(
                other.users["admin"], other.organization, name
            )
        )
    made = audited.do(
        lambda: Devices(audited.context).add(
            office.users["admin"], office.organization, "phone"
        )
    )
    for kind in ("admin", "auditor"):
        found = cards(office.tab(kind).open("").text)
        assert found["organisations"] == 1
        assert found["users"] == found["memberships"] == found["roles"] == 4
        assert found["devices in use"] == 1
    audited.do(lambda: Devices(audited.context).revoke(made.device.id))
    assert cards(office.tab("admin").open("").text)["devices in use"] == 0


def test_users_of_the_host(office, audited, monkeypatch):
    """Where the host knows the users, those count who belong to an organisation."""
    monkeypatch.setattr("libres.sync.totals.service_of_host", lambda *_: object())
    found = audited.do(lambda: totals(audited.context, audited.sync.session, None))
    count = audited.execute('SELECT count(DISTINCT "user") FROM sync_memberships')
    assert found.users == count[0][0]
    assert office.slug


def test_sum():
    """The sum is that of all that is counted."""
    assert Totals(1, 2, 4, 8, 16, 32).all == 63


def test_health(staff, office, audited):
    """Staff is told how each part is, in words."""
    audited.sync.number()
    audited.execute(
        "INSERT INTO customers (organization_id, name) VALUES (:id, 'A')",
        id=office.organization.id,
    )
    told = staff.open("").text
    assert "1 change waits for a number, the oldest for " in told
    assert "50% of it is free." in told
    assert "What is asked is written down." in told
    position = audited.execute("SELECT position FROM sync_feeds")[0].position
    told = staff.open("").text
    assert "All changes have their numbers." in told
    assert f"There are {position} changes" in told


def test_health_is_bad(staff, office, audited):
    """What is wrong is said by a word, at the top as well."""
    audited.sync.number()
    audited.execute(
        "INSERT INTO customers (organization_id, name) VALUES (:id, 'A')",
        id=office.organization.id,
    )
    audited.execute("UPDATE sync_pending SET at = now() - interval '3 hours'")
    told = staff.open("").text
    assert '<span class="health unhealthy">unhealthy</span>' in told
    assert "the oldest for 3 h." in told


def test_members_are_told_no_figures(admin):
    """Others are told whether it is well, and not how much there is of others."""
    told = admin.open("").text
    assert '<span class="health healthy">healthy</span>' in told
    assert 'id="health"' not in told


def test_lately(office, other, log, audited):
    """The last requests and changes are shown, with links; those of others are not."""
    log(office, "ada of ours")
    log(other, "ben of theirs")
    for where in (office, other):
        audited.execute(
            "INSERT INTO customers (organization_id, name) VALUES (:id, 'A')",
            id=where.organization.id,
        )
    told = office.tab("admin").open("").text
    assert "ada of ours" in told
    assert "ben of theirs" not in told
    assert other.slug not in told
    requests = re.findall(r'href="/config/(logs/\d+/)"', told)
    changes = re.findall(r'href="/config/(audit/\d+/)"', told)
    assert len(requests) == 1
    for path in (*requests, changes[0]):
        assert office.tab("admin").open(path).status_code == 200
    assert "ben of theirs" in office.tab("staff").open("").text


def test_ten(staff, office, log):
    """Ten are shown, and a link to all."""
    for number in range(12):
        log(office, f"user-{number:02}")
    told = staff.open("").text
    shown = [number for number in range(12) if f"user-{number:02}<" in told]
    assert shown == list(range(2, 12))
    assert 'href="/config/logs/"' in told


def test_links(admin, staff, office):
    """Organisations lead to their members and rights; what is of staff is no link for
    others."""
    told = admin.open("").text
    assert f'href="/config/organizations/{office.slug}/"' in told
    assert f'href="/config/permissions/{office.slug}/"' in told
    assert 'href="/config/users/"' not in told
    assert 'href="/config/users/"' in staff.open("").text
    assert "<li>myapp.Customer</li>" in told


def test_hostile(staff, office, log, audited):
    """Names stay text."""
    log(office, HOSTILE)
    audited.execute(
        "UPDATE sync_organizations SET name = :name WHERE id = :id",
        name=HOSTILE,
        id=office.organization.id,
    )
    assert "<script>alert" not in staff.open("").text


def test_statements(staff, office, audited, log):
    """The page takes the same statements for one organisation and for fifty."""
    provider = audited.context.get_service("session_provider")

    def count():
        audited.sync.number()
        with (
            counted_on(provider.engine) as written,
            counted_on(provider.read_only_engine) as read,
        ):
            assert staff.open("").status_code == 200
        return len(written) + len(read)

    log(office)
    first = count()
    for number in range(50):
        log(office)
        audited.do(
            lambda number=number: Organizations(audited.context).add(
                "Many", f"{office.slug}-{number}"
            )
        )
    assert count() == first <= 12
