"""The page of models: what they are, and their switches."""

from __future__ import annotations

import re
from html import unescape

import pytest
from sqlalchemy import Engine, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libres.sync.audit import Audit
from libres.sync.permissions import Permissions
from libres.sync.registry import SyncModel, registry_of
from libres.sync.roles import Roles
from libres.sync.settings import START_OFF
from libres.sync.switches import Switches
from libres.sync.values import Flags
from libres.web.config import models as pages
from tests.fixtures.statements import counted_on
from tests.sync.models import Customer

CUSTOMER, REPORT = "myapp.Customer", "myapp.Report"

BUDGET = 8
"""Statements: who visits and what they may, triggers, settings, switches, rights, the
last changes, and the setting of new models."""


@pytest.fixture
def switches(audited):
    """The switches, which are on before and after the test."""
    made = Switches(audited.context)
    yield made
    audited.do(lambda: made.set_start_off(False))
    audited.do(lambda: [made.set(each.model, True) for each in made.all()])


@pytest.fixture
def state(audited, switches):
    """Tells how the switch of a model is at this moment."""

    def state(model=CUSTOMER):
        found = audited.do(switches.all)
        return next(each for each in found if each.model == model)

    return state


def card(text, model=CUSTOMER):
    """What the page says of a model."""
    found = re.search(
        rf"<bdi>{re.escape(model)}</bdi></h2>.*?</article>", text, re.DOTALL
    )
    plain = re.sub(r"<[^>]*>", " ", found[0])
    return " ".join(unescape(plain).split())


def switched(tab, model, value, version):
    """Press the button of a switch."""
    form = {"model": model, "value": value, "version": version}
    return tab.send("models/switch/", **form)


# What is shown ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        "Table customers",
        "the column organization_id says whose a row is",
        "refused: the device gets the row as it is",
        "Written by plain rows",
        "Changes noted yes",
        "since datetime, read only",
        "secret_note secret",
        "id integer, key",
        "age integer",
    ],
)
def test_model(staff, told):
    """A model is told with its fields, whose it is, and what becomes of conflicts."""
    text = card(staff.open("models/").text)
    assert told in text


def test_shared(staff):
    """What all organisations share is said to be."""
    text = staff.open("models/").text
    assert "all organisations share it" in card(text, "myapp.Country")
    assert "merged, if it concerns other fields" in card(text, "myapp.Note")


def test_rights(office, other, staff, admin):
    """It counts the roles that may do anything: administrators see theirs."""
    rights = Permissions(office.house.context)

    def give():
        for each in (office, other):
            role = Roles(each.house.context).add("clerk", "Clerk", each.organization)
            rights.set(each.organization, role, "myapp.Seat", Flags(pull=True))
            rights.set(each.organization, role, "myapp.Note", Flags())

    office.house.do(give)
    assert "Roles with rights 2" in card(staff.open("models/").text, "myapp.Seat")
    text = admin.open("models/").text
    assert "Roles with rights 1" in card(text, "myapp.Seat")
    assert "Roles with rights 0" in card(text, "myapp.Note")


def test_last_change(office, staff, admin):
    """Staff sees when a model has last changed; it may have been anybody."""
    insert = "INSERT INTO customers (organization_id, name) VALUES (:id, 'Ada')"
    office.house.execute(insert, id=office.organization.id)
    (entry,) = Audit(office.house.context).history(CUSTOMER, limit=1)
    text = card(staff.open("models/").text)
    assert f"Last change {entry.at:%Y-%m-%d %H:%M:%S} UTC" in text
    assert "Last change" not in card(admin.open("models/").text)


def test_not_noted(audited, staff):
    """A model whose triggers are off is told."""
    table = "ALTER TABLE seats {} TRIGGER USER"
    audited.execute(table.format("DISABLE"))
    try:
        text = card(staff.open("models/").text, "myapp.Seat")
        assert "Changes noted no" in text
        assert "not all noted" in text
    finally:
        audited.execute(table.format("ENABLE"))


class Base(DeclarativeBase):
    """Of an application that has registered one of its models."""


class Known(Base):
    """Is registered."""

    __tablename__ = "known"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(Text)


class Invoice(Base):
    """Could be."""

    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(Text)


class Login(Base):
    """Devices have no business with it."""

    __tablename__ = "user_sessions"
    id: Mapped[int] = mapped_column(primary_key=True)


def test_proposals(staff, admin, monkeypatch):
    """Staff is told what else could be registered, how, and what rather not."""
    monkeypatch.setattr(pages, "bases_of", lambda _registry: [Base])
    text = " ".join(unescape(staff.open("models/").text).split())
    assert "registry.register(Invoice, name='tests.Invoice'" in text
    assert "seems to say whose a row is" in text
    assert "user_sessions" in text
    assert "'user'" in text or "'sessions'" in text
    assert "registry.register(" not in admin.open("models/").text


def test_bases_of_registered_models(audited):
    """They are those of the application, not those of libres."""
    found = pages.bases_of(registry_of(audited.context))
    assert [each.registry for each in found] == [Customer.registry]


def test_nothing_else(staff):
    """Where all is registered, that is said, and nothing invented."""
    text = staff.open("models/").text
    assert "Nothing else was found" in text
    assert "<strong>0</strong> could be registered" in text


def test_hostile_names(audited, staff, monkeypatch):
    """What a model is called is shown, and does nothing."""
    registry = registry_of(audited.context)
    odd = "x.<script>alert('\"')</script>"
    found = registry.named(CUSTOMER)
    fields = {name: getattr(found, name) for name in SyncModel.__dataclass_fields__}
    made = SyncModel(**{**fields, "name": odd})
    monkeypatch.setattr(type(registry), "__iter__", lambda _self: iter([made]))
    text = staff.open("models/").text
    assert "<script>alert" not in text
    assert odd in unescape(text)


@pytest.mark.parametrize("many", [1, 5])
def test_statements(audited, staff, monkeypatch, many):
    """The page costs the same however many models there are."""
    registry = registry_of(audited.context)
    some = list(registry)[:many]
    monkeypatch.setattr(type(registry), "__iter__", lambda _self: iter(some))
    staff.open("models/")
    with counted_on(Engine) as statements:
        staff.open("models/")
    assert len(statements) == BUDGET, "\n".join(statements)


# Switches -----------------------------------------------------------------------------


def test_switch(office, state, staff):
    """Staff switches a model off and on; it is noted who has."""
    found = switched(staff, CUSTOMER, "off", state().version)
    assert found.status_code == 303
    assert not state().on
    assert "off" in card(staff.open("models/").text)
    (entry,) = Audit(office.house.context).history("libres.sync.Switch", limit=1)
    assert entry.actor == office.users["staff"].username
    switched(staff, CUSTOMER, "on", state().version)
    assert state().on


def test_too_late(audited, switches, state, staff):
    """Who looked at another version is told, and switches nothing."""
    seen = state().version
    audited.do(lambda: switches.set(CUSTOMER, False))
    audited.do(lambda: switches.set(CUSTOMER, True))
    assert switched(staff, CUSTOMER, "off", seen).status_code == 303
    assert state().on
    assert "somebody else has switched this" in staff.open("models/").text


@pytest.mark.parametrize("kind", ["admin", "auditor", "nobody", None])
@pytest.mark.parametrize("path", ["switch/", "new/"])
def test_who_may_not(office, state, kind, path):
    """Models are of all organisations: only staff switches them."""
    form = {"model": CUSTOMER, "value": "off", "version": state().version}
    found = office.tab(kind).send(f"models/{path}", **form)
    assert found.status_code in {401, 403}
    assert state().on


@pytest.mark.parametrize("kind", ["admin", "auditor"])
def test_who_looks(office, kind):
    """Administrators and auditors see the models, and no button."""
    text = office.tab(kind).open("models/").text
    assert CUSTOMER in text
    assert "<button" not in text.split("<main", 1)[1]


@pytest.mark.parametrize("path", ["switch/", "new/"])
def test_without_token(state, staff, path):
    """What no page of ours has sent is refused."""
    form = {"model": CUSTOMER, "value": "off", "version": state().version}
    assert staff.send(f"models/{path}", token=False, **form).status_code == 403
    assert state().on


WRONG = [
    {"model": "myapp.customer"},
    {"model": ""},
    {"value": "true"},
    {"value": ""},
    {"version": "x"},
    {"version": "-1"},
    {"version": "9" * 5000},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong(state, staff, wrong):
    """A form that is none of ours switches nothing."""
    form = {"model": CUSTOMER, "value": "off", "version": state().version, **wrong}
    assert staff.send("models/switch/", **form).status_code == 422
    assert state().on


def test_new_models(audited, switches, state, staff):
    """New models can start off; those that are there stay as they are."""
    now = audited.do(switches.start_off)
    found = staff.send("models/new/", value="off", version=now.version)
    assert found.status_code == 303
    assert audited.do(lambda: audited.sync.settings.get(START_OFF)) is True
    assert state().on
    assert "start switched <strong>off</strong>" in staff.open("models/").text
    staff.send("models/new/", value="on", version=now.version)
    assert "somebody else has switched this" in staff.open("models/").text
    assert audited.do(lambda: audited.sync.settings.get(START_OFF)) is True
