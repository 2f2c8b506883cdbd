"""Devices have keys that only they know, and say how far they are."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from libres.context.registry import create_default_registry
from libres.sync.devices import Devices
from libres.sync.errors import AlreadyThere, InvalidName, UnknownEntity
from tests.fixtures.statements import counted

NOBODY = UUID(int=0)


@pytest.fixture
def devices(context, sync):  # noqa: ARG001 - its tables
    """The devices of the context."""
    return Devices(context)


@pytest.fixture
def kiosk(devices, john, acme):
    """A device of John, with its key; committed."""
    added = devices.add(john.user, acme, "Kiosk")
    devices.commit()
    return added


def test_added(devices, kiosk, john, acme):
    """A device has a key, of which only the hash is stored."""
    device, key = kiosk
    owner = devices.owner_of(key)
    assert (owner.device, owner.user, owner.organization) == (
        device,
        john.user.id,
        acme.id,
    )
    stored = devices.session.execute(text("SELECT * FROM sync_devices")).one()
    assert key.startswith("libres_dev_")
    assert key not in str(stored)


def test_names_are_used_once(devices, kiosk, john, mary, acme):
    """A user has one device of a name in an organisation; others may have one, too."""
    with pytest.raises(AlreadyThere, match="Kiosk"):
        devices.add(john.user, acme, " Kiosk ")
    assert devices.add(mary.user, acme, "Kiosk").device.id != kiosk.device.id


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param(" ", id="spaces"),
        pytest.param("x" * 101, id="long"),
        pytest.param("a\0b", id="NUL"),
        pytest.param("a\nb", id="lines"),
        pytest.param("\ud800", id="half a character"),
    ],
)
def test_no_name(devices, john, acme, name):
    """A name has to be one."""
    with pytest.raises(InvalidName):
        devices.add(john.user, acme, name)


@pytest.mark.parametrize("key", ["", "libres_dev_", "\ud800", "\0", "x" * 100_000])
def test_nobodys_key(devices, kiosk, key):  # noqa: ARG001
    """What is no key opens nothing."""
    assert devices.owner_of(key) is None


def test_revoked(devices, kiosk, clock):
    """A revoked device has no key any more, and when that was is not changed again."""
    devices.revoke(kiosk.device.id)
    assert devices.owner_of(kiosk.key) is None
    since = clock.now
    clock.advance(timedelta(hours=1))
    devices.revoke(kiosk.device.id)
    assert devices.all()[0].revoked == since


def test_another_key(devices, kiosk):
    """A new key takes the place of the old one."""
    key = devices.new_key(kiosk.device.id)
    assert devices.owner_of(kiosk.key) is None
    assert devices.owner_of(key).device == kiosk.device


def test_unknown(devices, kiosk):
    """Neither unknown devices nor those of another context can be changed."""
    other = Devices(create_default_registry().register_context("other"))
    other.context.set_service("session_provider", lambda _: devices.session_provider)
    for where, device in ((devices, NOBODY), (other, kiosk.device.id)):
        with pytest.raises(UnknownEntity, match="device"):
            where.revoke(device)
        with pytest.raises(UnknownEntity):
            where.new_key(device)
    assert other.all() == []
    assert other.owner_of(kiosk.key) is None


def test_ensured(devices, kiosk, john, acme):
    """A device that signs in by password is made when it first does."""
    phone = devices.ensure(john.user.id, acme.id, "Phone")
    assert devices.ensure(john.user.id, acme.id, "Phone ") == phone
    assert devices.ensure(john.user.id, acme.id, "Kiosk") == kiosk.device
    found = {each.name: each.has_key for each in devices.all()}
    assert found == {"Kiosk": True, "Phone": False}


def test_listed(devices, kiosk, john, mary, acme, retail):
    """Each organisation has its own; without one all are listed, by name."""
    devices.add(mary.user, retail, "Branch")
    assert [each.name for each in devices.all()] == ["Branch", "Kiosk"]
    (only,) = devices.all(acme)
    assert (only.id, only.user, only.organization) == (
        kiosk.device.id,
        john.user.id,
        acme.id,
    )
    assert (only.position, only.lag, only.seen, only.revoked) == (0, 0, None, None)


def test_lag(devices, kiosk, clock, sync):
    """How far a device is behind is counted in changes."""
    devices.session.execute(
        text("INSERT INTO countries VALUES ('CH', 'x'), ('AT','y')")
    )
    devices.commit()
    sync.number()
    assert devices.all()[0].lag == 2
    devices.rollback()
    devices.acknowledge(kiosk.device.id, 2, clock.now)
    devices.rollback()
    assert devices.all()[0].lag == 0


def state(devices):
    """What is known of the only device now."""
    devices.rollback()
    (only,) = devices.all()
    return only


def test_acknowledged(devices, kiosk, clock):
    """Positions only grow, whatever old answers say."""
    device = kiosk.device.id
    for position in (5, 7, 3):
        clock.advance(timedelta(minutes=1))
        devices.acknowledge(device, position, clock.now)
        devices.rollback()
    assert state(devices).position == 7
    assert state(devices).seen == clock.now


def test_seen_once_a_minute(devices, kiosk, clock):
    """A poll that brings nothing writes nothing, but once a minute."""
    device, first = kiosk.device.id, clock.now
    devices.acknowledge(device, 5, first)
    devices.rollback()
    clock.advance(timedelta(seconds=59))
    with counted(devices.session) as statements:
        devices.acknowledge(device, 5, clock.now)
    assert len(statements) == 1
    assert state(devices).seen == first
    clock.advance(timedelta(seconds=1))
    devices.acknowledge(device, 5, clock.now)
    assert state(devices).seen == clock.now


def test_acknowledged_while_reading(devices, kiosk, clock, context):
    """What only reads can say how far it is, as a pull does."""
    with context.read_only():
        devices.acknowledge(kiosk.device.id, 5, clock.now)
    assert state(devices).position == 5
