"""Devices are watched: how far behind they are; and they can be refused."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from libres.sync.devices import Devices
from libres.sync.errors import NotSignedIn
from libres.sync.progress import MANY
from libres.web.config import devices
from libres.web.config.devices import ago
from tests.fixtures.statements import counted_on

HOSTILE = "<script>alert(1)</script>\"' \u202e"
NEVER = "\N{EN DASH}"
NOBODY = UUID(int=0)


@pytest.fixture
def device(audited):
    """Adds devices to an office: device(office, "name")."""

    def add(where, name="phone", kind="admin"):
        made = audited.do(
            lambda: Devices(audited.context).add(
                where.users[kind], where.organization, name
            )
        )
        return made.device, made.key

    return add


@pytest.fixture
def write(audited):
    """Adds customers of an office, each by a change."""

    def add(where, count=1):
        audited.execute(
            "INSERT INTO customers (organization_id, name)"
            " SELECT :id, 'A' FROM generate_series(1, :count)",
            id=where.organization.id,
            count=count,
        )
        audited.sync.number()

    return add


def row_of(text, name):
    """The cells of the row of a device."""
    (row,) = [each for each in text.split("<tr>") if f"<bdi>{name}</bdi></th>" in each]
    return [re.sub(r"<[^>]*>", "", each).strip() for each in row.split("</td>")]


def test_nothing(admin):
    """Without devices it is said what will be there."""
    told = admin.open("devices/").text
    assert "There are no devices yet." in told
    assert "Nobody has pushed or pulled anything" in told


def test_device(admin, office, audited, device):
    """A device is told with its user, organisation, position, and what waits."""
    made, _key = device(office)
    audited.execute(
        "UPDATE sync_devices SET position = 7, seen = now() - interval '3 hours'"
        " WHERE id = :id",
        id=made.id,
    )
    found = row_of(admin.open("devices/").text, "phone")
    assert found[0].endswith(office.users["admin"].username)
    assert found[1:5] == [office.organization.name, "key", "7", "0"]
    assert "3 hours ago" in found[5]
    assert "in use" in found[6]


def test_waiting(admin, office, other, audited, device, write):
    """Changes of its organisation that came after its position wait for it; those of
    others, and of the configuration, do not."""
    made, _key = device(office)
    write(office, 3)
    write(other, 5)
    assert row_of(admin.open("devices/").text, "phone")[4] == "3"
    audited.execute(
        "UPDATE sync_devices SET position = (SELECT position FROM sync_feeds)"
        " WHERE id = :id",
        id=made.id,
    )
    write(office, 2)
    assert row_of(admin.open("devices/").text, "phone")[4] == "2"


def test_many_wait(admin, office, device, write):
    """Nobody waits until very many are counted."""
    device(office)
    write(office, MANY + 5)
    assert row_of(admin.open("devices/").text, "phone")[4] == f"more than {MANY}"


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(days=400), "400 days ago"),
    ],
)
def test_ago(passed, words):
    """How long ago it is, is said in the largest unit that fits."""
    assert ago(passed) == words


def test_own_only(office, other, device):
    """Members see the devices of their organisations, staff those of all."""
    device(office, "ours")
    device(other, "theirs")
    for kind in ("admin", "auditor"):
        told = office.tab(kind).open("devices/").text
        assert "ours" in told
        assert "theirs" not in told
        assert other.slug not in told
        assert "theirs" not in office.tab(kind).open("devices.csv").text
    assert "theirs" in office.tab("staff").open("devices/").text


def test_filters(staff, admin, office, other, device):
    """The list can be that of an organisation, and be searched."""
    device(office, "Alpha")
    device(office, "Beta")
    device(other, "Gamma")
    told = staff.open("devices/", organization=office.slug, search="alph").text
    assert "Alpha" in told
    assert "Beta" not in told
    assert "Gamma" not in staff.open("devices/", organization=office.slug).text
    assert "Gamma" in staff.open("devices/", search=other.users["admin"].username).text
    for path in ("devices/", "devices.csv"):
        answer = admin.open(path, organization=other.slug)
        assert answer.status_code == 422
        assert "Gamma" not in answer.text


def test_pages(admin, office, device):
    """Long lists come by pages; the file has all."""
    for number in range(60):
        device(office, f"d-{number:02}")
    told = admin.open("devices/").text
    assert ("d-49<" in told, "d-50<" in told) == (True, False)
    assert "d-50<" in admin.open("devices/", first="50").text


def test_csv(admin, office, device, monkeypatch):
    """The file has all devices, page by page, and no formula."""
    monkeypatch.setattr("libres.web.config.devices.PAGE", 2)
    for name in ("=1+1", "b", "c", "d"):
        device(office, name)
    answer = admin.open("devices.csv")
    rows = list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
    assert sorted(each["device"] for each in rows) == ["'=1+1", "b", "c", "d"]
    assert {each["signs_in_by"] for each in rows} == {"key"}


def test_hostile(admin, office, device, audited):
    """Names stay text."""
    made, _key = device(office)
    audited.execute(
        "UPDATE sync_devices SET name = :name WHERE id = :id", name=HOSTILE, id=made.id
    )
    assert "<script>alert" not in admin.open("devices/").text
    answer = admin.send(f"devices/{office.slug}/{made.id}/key")
    assert "<script>alert" not in answer.text


# Last synchronisation -----------------------------------------------------------------


def test_last(admin, office, other, audited):
    """It is told when each user and each model was synchronised last."""
    noted = (
        'INSERT INTO sync_log (context, at, "user", username, organization, operation,'
        " models, status, seconds) VALUES ('test', now() - make_interval(days => :ago),"
        " :user, :name, :where, :what, CAST(:models AS jsonb), :status, 0)"
    )

    def log(where, ago, what, models, status="success"):
        user = where.users["admin"]
        named = {"user": user.id, "name": user.username, "ago": ago, "what": what}
        about = {"models": models, "status": status, "where": where.organization.id}
        audited.execute(noted, **named, **about)

    log(office, 3, "push", '["m.Customer"]')
    log(office, 2, "pull", '["m.Customer", "m.Report"]')
    log(office, 1, "push", '["m.Failed"]', "error")
    log(office, 40, "push", '["m.Old"]')
    log(office, 0, "login", "[]")
    log(other, 1, "push", '["m.Theirs"]')
    told = admin.open("devices/").text
    users, models = told.partition('id="last-User"')[2].split('id="last-Model"')
    user = row_of(users, office.users["admin"].username)
    assert user[1:3] != [NEVER, NEVER]
    assert user[3] == "2"
    customer = row_of(models, "m.Customer")
    assert NEVER not in customer[1:3]
    assert row_of(models, "m.Report")[1] == NEVER
    for name in ("m.Failed", "m.Old", "m.Theirs"):
        assert name not in told


# Changing -----------------------------------------------------------------------------


def test_revoke(admin, office, audited, device):
    """A device is refused at once, and it is told since when."""
    made, key = device(office)
    answer = admin.send(f"devices/{office.slug}/{made.id}/revoke")
    assert answer.status_code == 303
    with pytest.raises(NotSignedIn):
        audited.do(lambda: audited.sync.sign_in_device(key))
    told = admin.open("devices/").text
    assert "revoked" in row_of(told, "phone")[6]
    assert "New key" not in told


def test_new_key(admin, office, audited, device):
    """A new key is shown once, and opens; the old one does not any more."""
    made, old = device(office)
    answer = admin.send(f"devices/{office.slug}/{made.id}/key")
    (key,) = re.findall(r'<code class="secret">([^<]+)</code>', answer.text)
    assert answer.headers["Cache-Control"] == "no-store"
    member = audited.do(lambda: audited.sync.sign_in_device(key)).member
    assert member.device.id == made.id
    with pytest.raises(NotSignedIn):
        audited.do(lambda: audited.sync.sign_in_device(old))
    assert key not in admin.open("devices/").text


def test_no_key_for_what_is_refused(admin, office, device):
    """A device that was refused gets no key."""
    made, _key = device(office)
    admin.send(f"devices/{office.slug}/{made.id}/revoke")
    answer = admin.send(f"devices/{office.slug}/{made.id}/key")
    assert answer.status_code == 303
    assert "It was revoked" in admin.open("devices/").text


@pytest.mark.parametrize("act", ["revoke", "key"])
def test_who_may_not(office, other, device, audited, act):
    """Auditors change nothing, nor do administrators of others, nor a foreign form."""
    made, _key = device(office)
    before = audited.execute("SELECT hash, revoked FROM sync_devices")
    path = f"devices/{office.slug}/{made.id}/{act}"
    assert office.tab("auditor").send(path).status_code == 403
    assert other.tab("admin").send(path).status_code == 404
    assert office.tab("admin").send(path, token=False).status_code == 403
    theirs = f"devices/{other.slug}/{made.id}/{act}"
    assert other.tab("admin").send(theirs).status_code == 404
    none = f"devices/{office.slug}/{NOBODY}/{act}"
    assert office.tab("admin").send(none).status_code == 404
    assert audited.execute("SELECT hash, revoked FROM sync_devices") == before


@pytest.mark.parametrize("act", ["revoke", "key"])
def test_too_late(office, device, audited, monkeypatch, act):
    """Who loses the right meanwhile changes nothing any more."""
    made, _key = device(office)
    before = audited.execute("SELECT hash, revoked FROM sync_devices")
    found = devices._device

    def lost(here, slug, number):
        here.sync.session.execute(
            text('UPDATE sync_memberships SET active = false WHERE "user" = :user'),
            {"user": office.users["admin"].id},
        )
        return found(here, slug, number)

    monkeypatch.setattr(devices, "_device", lost)
    answer = office.tab("admin").send(f"devices/{office.slug}/{made.id}/{act}")
    assert answer.status_code == 403
    assert audited.execute("SELECT hash, revoked FROM sync_devices") == before


def test_statements(admin, office, audited, device, write):
    """The page takes the same statements for one device and for fifty."""
    provider = audited.context.get_service("session_provider")

    def count():
        with (
            counted_on(provider.engine) as written,
            counted_on(provider.read_only_engine) as read,
        ):
            assert admin.open("devices/").status_code == 200
        return len(written) + len(read)

    device(office, "first")
    first = count()
    for number in range(49):
        device(office, f"d-{number}")
    write(office, 50)
    assert count() == first <= 6
