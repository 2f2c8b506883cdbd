"""Synchronisation: the facade, its values, and a device."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, assert_type
from uuid import UUID

from libres import sync
from libres.context.core import Context
from libres.sync import client
from libres.sync.devices import Devices
from libres.sync.permissions import Permissions
from libres.sync.users import Users

START = datetime(2030, 6, 3, 8, tzinfo=UTC)


def opening(context: Context) -> None:
    """A facade is made of a context."""
    assert_type(sync.setup(context), sync.Sync)
    assert_type(sync.Sync(context).registry, sync.Registry)
    sync.configure(context, {"2030": b"s" * 32}, current="2030")
    sync.setup(context, "shop")  # type: ignore[call-arg]
    sync.configure(context, b"s" * 32)  # type: ignore[arg-type]


def registering(shop: sync.Sync, model: type) -> None:
    """Models are registered by keywords; policies are one of four words."""
    found = shop.registry.register(model, tenant="organization_id", conflicts="merge")
    assert_type(found, sync.SyncModel)
    assert_type(shop.registry.get("shop.Customer"), sync.SyncModel | None)
    assert_type(shop.discover(model), list[sync.Proposal])
    assert_type(shop.register_core(check_ins=False), list[sync.SyncModel])
    shop.registry.register(model, shared=True, conflicts="newest")  # type: ignore[arg-type]
    shop.registry.register(model, "shop.Customer")  # type: ignore[call-arg]


def people(shop: sync.Sync, password: str) -> None:
    """Organisations, users, roles and rights are values."""
    acme = shop.organizations.add("Acme Corporation", "acme-corp")
    assert_type(acme, sync.Organization)
    assert_type(shop.users, Users)
    john = shop.users.add("john_manager", password)
    assert_type(john, sync.User)
    managers = shop.roles.add("managers", "Managers", acme)
    assert_type(managers, sync.Role)
    assert_type(shop.memberships.add(john, acme, managers), sync.Membership)
    assert_type(shop.permissions, Permissions)
    flags = shop.permissions.grant(acme, managers, "shop.Customer", "pull", "read")
    assert_type(flags, sync.Flags)
    assert_type(shop.permissions.apply(acme, {}, dry_run=True), sync.Applied)
    assert_type(shop.filters.all(acme), list[sync.StoredFilter])
    assert_type(shop.resources.of(UUID(int=0)), sync.OwnedResource | None)
    acme.slug = "acme"  # type: ignore[misc]
    shop.memberships.add(john, managers, acme)  # type: ignore[arg-type]
    shop.permissions.set(acme, managers, "shop.Customer", True)  # type: ignore[arg-type]


def signing_in(shop: sync.Sync, password: str) -> None:
    """Who signs in gets tokens; a token is of a member."""
    signed_in = shop.sign_in("john_manager", password, organization="acme-corp")
    assert_type(signed_in, sync.SignedIn)
    assert_type((signed_in.access, signed_in.expires_in), tuple[str, int])
    assert_type(signed_in.memberships, Sequence[sync.Membership])
    member = shop.authenticate(signed_in.access)
    assert_type(member, sync.Member)
    assert_type(member.device, sync.Device | None)
    assert_type(member.flags_of("shop.Customer"), sync.Flags)
    assert_type(shop.devices, Devices)
    device, key = shop.devices.add(
        signed_in.member.user, member.organization, "The kiosk"
    )
    assert_type((device, key), tuple[sync.Device, str])
    shop.sign_in("john_manager", password, "acme-corp")  # type: ignore[call-arg]
    shop.count("john_manager")  # type: ignore[arg-type]


def exchanging(shop: sync.Sync, member: sync.Member) -> None:
    """Answers have a body of JSON."""
    pushed = shop.push(member, b'{"data": []}', request="r-17")
    assert_type(pushed, sync.PushAnswer)
    assert_type((pushed.http, pushed.body), tuple[int, dict[str, Any]])
    pulled = shop.pull(member, {"models": {}})
    assert_type(pulled, sync.PullAnswer)
    assert_type(pulled.body, dict[str, Any])
    shop.pull({"models": {}}, member)  # type: ignore[arg-type]


def running(shop: sync.Sync) -> None:
    """The feed is numbered, watched and dropped."""
    assert_type(shop.number(), int)
    assert_type(shop.work(threading.Event(), interval=1.0, told=print), int)
    assert_type(shop.lag(), sync.Lag)
    assert_type(shop.lag().age, timedelta | None)
    assert_type(shop.examine(), list[sync.Finding])
    assert_type(shop.drop_old_changes(START), int)
    acting = shop.acting("system:import", reason="opening")
    assert_type(acting, AbstractContextManager[None])
    shop.drop_old_changes(timedelta(days=90))  # type: ignore[arg-type]
    shop.acting("john_manager", "r-17")  # type: ignore[call-arg]


def catching(error: sync.RequestError, resync: sync.ResyncRequired) -> None:
    """Errors of requests say what clients are told."""
    assert_type((error.type, error.status, error.retryable), tuple[str, int, bool])
    assert_type((resync.cursor, resync.models), tuple[str, Sequence[str]])


def devices(file: Path) -> None:
    """A device keeps rows and edits."""
    with client.Device(file, "https://shop.example") as phone:
        assert_type(phone, client.Device)
        assert_type(phone.rows("shop.Customer"), list[client.Row])
        assert_type(phone.row("shop.Customer", 1).fields, Mapping[str, Any])
        assert_type(phone.pending, list[client.Edit])
        assert_type(phone.sync(), tuple[client.Pushed, client.Pulled])
        phone.change("shop.Customer", 1)  # type: ignore[call-arg]
