"""`libres sync device` from the outside: the reference client on a file."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from functools import partial

import pytest
from sqlalchemy import select

from libres.cli.commands.sync.device import Assignment
from libres.sync import client, configure
from libres.sync.client import Device
from libres.sync.devices import Devices
from libres.web import WebSettings, create_app
from tests.cli.sync.running import PASSWORD, SECRET, invoked
from tests.sync.models import Customer
from tests.sync.phones import Wire

CUSTOMER = "myapp.Customer"
URL = "http://server.example"
NAMED = ["sign-in", "john_manager", "--url", URL, "--password-stdin"]


@pytest.fixture
def wire(house, monkeypatch):
    """The connection of all devices to an application."""
    configure(house.context, {"env": SECRET})
    settings = WebSettings(pages=False, requests_per_minute=None)
    wire = Wire(create_app(house.context, settings, secret_key=SECRET))
    monkeypatch.setattr(client, "Device", partial(Device, transport=wire))
    return wire


@pytest.fixture
def act(tmp_path, wire):  # noqa: ARG001 - it has to be laid
    """Runs a command of a device: act("list", CUSTOMER, file="phone.db")."""

    def act(*arguments, file="phone.db", status=0, **more):
        result = invoked("device", *arguments, "--file", str(tmp_path / file), **more)
        assert result.exit_code == status, result.output
        return result.stdout if status == 0 else result.output

    return act


@pytest.fixture
def phone(act):
    """The same, for a phone that has signed in."""
    act(*NAMED, "--name", "phone", input=f"{PASSWORD}\n")
    return act


@pytest.fixture
def tablet(phone):
    """The same, for a second device of John."""
    phone(*NAMED, "--name", "tablet", input=f"{PASSWORD}\n", file="tablet.db")
    return partial(phone, file="tablet.db")


def names(house):
    """The names that the server has."""
    house.session.rollback()
    return sorted(house.session.scalars(select(Customer.name)))


def refused_number(said):
    """The number of what was refused."""
    return re.search(r"^(\d+): ", said, re.MULTILINE)[1]


# Signing in ---------------------------------------------------------------------------


def test_sign_in(act):
    """The file keeps who and where, and not the password."""
    said = act(*NAMED, "--name", "phone", input=f"{PASSWORD}\n")
    assert said == "Signed in as john_manager.\n"
    status = act("status")
    for wanted in (URL, "john_manager", "acme-corp", "phone", "0 edits"):
        assert wanted in status
    assert PASSWORD not in status


def test_sign_in_is_asked(act):
    """Without an option the password is asked for, and not shown."""
    said = act("sign-in", "john_manager", "--url", URL, input=f"{PASSWORD}\n")
    assert PASSWORD not in said


def test_sign_in_again(phone):
    """The address of the server is kept."""
    phone("sign-in", "john_manager", "--password-stdin", input=f"{PASSWORD}\n")
    assert URL in phone("status")


def test_sign_in_by_key(act, house):
    """A kiosk signs in by its key."""
    john = house.users.named("john_manager")
    acme = house.organizations.named("acme-corp")
    key = Devices(house.context).add(john, acme, "kiosk").key
    house.commit()
    act("sign-in", "--url", URL, "--key-stdin", input=f"{key}\n")
    assert "kiosk" in act("status")


NO_SIGNING_IN = [
    (NAMED, "wrong password\n", 1, "The name or the password is wrong."),
    (NAMED, "", 1, "The standard input holds no password"),
    ([*NAMED, "--org", "global-retail"], PASSWORD, 1, "password is wrong"),
    (["sign-in", "--url", URL, "--key-stdin"], "x\n", 1, "not the key of a device"),
    (["sign-in", "john_manager"], PASSWORD, 2, "Say where the server is"),
    *(
        (["sign-in", "--url", url], "", 2, "is not the address of a server")
        for url in ("", "localhost", "ftp://x", "http://", "http://[::1", "http://a b")
    ),
    (["sign-in", "--url", "http://x:99999"], "", 2, "is not the address"),
    (["sign-in", "--url", "http://x\x1b"], "", 2, "is not the address"),
]


@pytest.mark.parametrize(("arguments", "given", "status", "said"), NO_SIGNING_IN)
def test_no_signing_in(act, tmp_path, arguments, given, status, said):
    """What is refused leaves no file behind."""
    assert said in act(*arguments, input=given, status=status)
    assert list(tmp_path.iterdir()) == []


# Rows ---------------------------------------------------------------------------------


def test_rows(phone, tablet, house, done):
    """What one creates, changes and removes, the other gets."""
    done("permissions grant", "acme-corp", "managers", CUSTOMER, "delete")
    said = phone("create", CUSTOMER, "name=Ada", "age=36", 'department="36"')
    assert said.startswith("Created: tmp:")
    assert "to be pushed" in phone("list", CUSTOMER)
    assert phone("push") == "1 stored, 0 refused.\n"
    assert tablet("pull") == "1 row came, 0 went.\n"
    listed = tablet("list", CUSTOMER, "--fields", "name,age,department").splitlines()
    assert listed[1].split()[:4] == ["1", "Ada", "36", "36"]
    assert tablet("change", CUSTOMER, "1", "age=37") == "Changed.\n"
    assert tablet("sync").startswith("1 stored, 0 refused.\n")
    phone("pull")
    assert "37" in phone("list", CUSTOMER, "--fields", "age")
    assert phone("remove", CUSTOMER, "1") == "Removed.\n"
    phone("push")
    assert tablet("pull") == "0 rows came, 1 went.\n"
    assert names(house) == []


def test_refused_and_retried(phone, tablet, house):
    """Who was slower is told, and edits once more on top of what there is."""
    phone("create", CUSTOMER, "name=Ada")
    phone("push")
    tablet("pull")
    phone("change", CUSTOMER, "1", "name=Ben")
    phone("push")
    tablet("change", CUSTOMER, "1", "name=Cy")
    said = tablet("push", status=1)
    assert said.startswith("0 stored, 1 refused.\n")
    assert "conflict: " in said
    number = refused_number(tablet("refused"))
    assert tablet("retry", number, "age=3") == "It is pushed the next time.\n"
    assert tablet("refused") == ""
    assert tablet("push") == "1 stored, 0 refused.\n"
    assert names(house) == ["Cy"]


def test_dismissed(phone):
    """What was refused is forgotten."""
    phone("create", CUSTOMER, "fax=1")
    number = refused_number(phone("push", status=1))
    assert phone("dismiss", number) == "Forgotten.\n"
    assert phone("refused") == ""


def test_lost_connection(phone, wire, house):
    """Without a server one edits; a lost answer is no loss, and nothing comes twice."""
    wire.is_cut = True
    phone("create", CUSTOMER, "name=Ada")
    assert f"No answer from {URL}: " in phone("sync", status=1)
    wire.is_cut = False
    wire.loses_answers = 1
    assert f"No answer from {URL}: " in phone("push", status=1)
    assert names(house) == ["Ada"]
    assert phone("push") == "1 stored, 0 refused.\n"
    assert names(house) == ["Ada"]


def test_begun_anew(phone, done):
    """The device is told which models came anew."""
    phone("pull")
    value = '[{"field": "name", "op": "eq", "value": "Ada"}]'
    done("filters set", "acme-corp", "managers", CUSTOMER, value)
    assert "Anew: myapp.Customer.\n" in phone("pull")


def test_hostile_rows(phone, house):
    """What others have written does not steer the terminal."""
    acme = house.organizations.named("acme-corp")
    house.session.add(Customer(organization_id=acme.id, name="\x1b[31mAda"))
    house.commit()
    phone("pull")
    assert "\x1b" not in phone("list", CUSTOMER)
    assert "Ada" in phone("list", CUSTOMER)


VALUES = [
    ("Ada", "Ada"),
    ("36", 36),
    ('"36"', "36"),
    ("null", None),
    ("", ""),
    ("a=b", "a=b"),
    ("NaN", "NaN"),
    ("1e999", "1e999"),
    (r'"\ud800"', r'"\ud800"'),
    ('{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
    ("[" * 5000, "[" * 5000),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_values(text, value):
    """A value is JSON that means one thing, or else a text as it is."""
    found = Assignment().convert(f"name={text}", None, None)
    assert found == ("name", value)


# What goes wrong ----------------------------------------------------------------------

WRONG = [
    (["change", CUSTOMER, "7", "name=x"], 1, "The device has no such row"),
    (["change", CUSTOMER, "7"], 2, "Say what to change"),
    (["remove", CUSTOMER, "7"], 1, "The device has no such row"),
    (["create", CUSTOMER, "name"], 2, "is not NAME=VALUE"),
    (["create", CUSTOMER, "=x"], 2, "is not NAME=VALUE"),
    (["create", CUSTOMER, "name=\udcff"], 2, "encoding of this terminal"),
    (["retry", "7"], 1, "Nothing refused has this number"),
    (["dismiss", "7"], 1, "Nothing refused has this number"),
]


@pytest.mark.parametrize(("arguments", "status", "said"), WRONG)
def test_refused(phone, arguments, status, said):
    """What cannot be done is said in a sentence, and nothing of it is kept."""
    assert said in phone(*arguments, status=status)
    assert "0 edits" in phone("status")


@pytest.mark.parametrize("command", ["status", "push", "pull", "sync", "refused"])
def test_no_file(act, tmp_path, command):
    """Who has not signed in has no file, and gets none."""
    assert "'libres sync device sign-in' makes it" in act(command, status=1)
    assert list(tmp_path.iterdir()) == []


def test_other_file(act, tmp_path):
    """A file of something else is told, and left as it is."""
    (tmp_path / "phone.db").write_text("my diary " * 100, encoding="utf-8")
    assert "cannot be used as the file of a device" in act("status", status=1)
    assert (tmp_path / "phone.db").read_text(encoding="utf-8").startswith("my diary")


def test_other_database(act, tmp_path):
    """A database without a device in it is told, and left as it is."""
    with closing(sqlite3.connect(tmp_path / "phone.db")) as connection:
        connection.execute("CREATE TABLE diary (day TEXT)")
        connection.commit()
    before = kept(tmp_path)
    assert "Nobody has signed in on" in act("pull", status=1)
    assert kept(tmp_path) == before


@pytest.mark.usefixtures("house")
def test_signed_out(phone, done):
    """Who was signed out signs in again; what was edited is still there."""
    phone("create", CUSTOMER, "name=Ada")
    done("user sign-out", "john_manager")
    assert "sign in" in phone("push", status=1)
    phone(*NAMED, input=f"{PASSWORD}\n")
    assert phone("push") == "1 stored, 0 refused.\n"


DRY = [
    ["create", CUSTOMER, "name=Ben"],
    ["change", CUSTOMER, "1", "name=Ben"],
    ["remove", CUSTOMER, "1"],
    ["retry", "NUMBER"],
    ["dismiss", "NUMBER"],
    ["push"],
]


@pytest.mark.parametrize("arguments", DRY, ids=lambda each: each[0])
def test_dry_run(phone, house, tmp_path, arguments):
    """A dry run says what would be done, and keeps nothing."""
    phone("create", CUSTOMER, "name=Ada")
    phone("push")
    phone("create", CUSTOMER, "fax=1")
    number = refused_number(phone("push", status=1))
    phone("create", CUSTOMER, "name=Cy")
    line = [number if each == "NUMBER" else each for each in arguments]
    before = kept(tmp_path)
    assert phone(*line, "--dry-run").startswith("Dry run, nothing is written: ")
    assert kept(tmp_path) == before
    assert names(house) == ["Ada"]
    phone(*line)
    assert kept(tmp_path) != before


def kept(folder):
    """All that a file keeps."""
    connection = sqlite3.connect(folder / "phone.db")
    try:
        return json.dumps(list(connection.iterdump()))
    finally:
        connection.close()
