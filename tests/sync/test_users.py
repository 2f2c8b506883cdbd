"""Users sign in by passwords that nobody can read or guess."""

from __future__ import annotations

import hashlib
import unicodedata
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from sqlalchemy import insert, select, update

from libres.sync import passwords
from libres.sync.errors import (
    AlreadyThere,
    InvalidName,
    InvalidPassword,
    UnknownEntity,
)
from libres.sync.models import SyncLog, SyncUser
from libres.sync.passwords import Parameters
from libres.sync.users import Users, users_of

PASSWORD = "correct horse"


@pytest.fixture
def cheap(monkeypatch):
    """Hashes that cost nothing, where the cost is not what is tested."""
    parameters = Parameters(n=16, r=1, p=1)
    monkeypatch.setattr(passwords, "NOW", parameters)
    nobodys = passwords.NOBODYS
    cheap = type(nobodys)(parameters, nobodys.salt, nobodys.digest)
    monkeypatch.setattr(passwords, "NOBODYS", cheap)
    return parameters


@pytest.fixture
def users(sync, cheap):
    """The users of the context."""
    assert cheap
    return sync.users


def stored(users):
    """What is stored of the only password."""
    return users.session.execute(select(SyncUser.password)).scalar_one()


# Passwords ----------------------------------------------------------------------------


def test_real_parameters():
    """A hash costs 16 MB, names its parameters, and fits its password only."""
    text = passwords.hashed(PASSWORD)
    assert text.startswith("scrypt$16384$8$5$")
    assert PASSWORD not in text
    assert passwords.fits(PASSWORD, text)
    assert not passwords.fits("correct horsE", text)


@pytest.mark.usefixtures("cheap")
def test_salt():
    """The same password is stored as something else each time."""
    assert passwords.hashed(PASSWORD) != passwords.hashed(PASSWORD)


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("length", [10, 256])
def test_lengths(length):
    """From 10 to 256 characters; none of them is cut off."""
    text = passwords.hashed("é" * length)
    assert passwords.fits("é" * length, text)
    assert not passwords.fits("é" * (length - 1), text)
    assert not passwords.fits("é" * (length + 1), text)


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("", id="none"),
        pytest.param("x" * 9, id="too short"),
        pytest.param("x" * 257, id="too long"),
        pytest.param("e\u0301" * 9, id="too short, once accents are composed"),
        pytest.param("x" * 10 + "\ud800", id="half a character"),
    ],
)
def test_password_that_cannot_be(password):
    """It is refused, without being repeated."""
    with pytest.raises(InvalidPassword) as raised:
        passwords.hashed(password)
    assert not password or password not in str(raised.value)


@pytest.mark.usefixtures("cheap")
def test_accents():
    """However a keyboard sends an accent, it is the same password."""
    text = passwords.hashed("caf\u00e9 caf\u00e9 12")
    assert passwords.fits("cafe\u0301 cafe\u0301 12", text)


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("correct horse", id="the password itself"),
        pytest.param("md5$16$1$1$AA==$AA==", id="another method"),
        pytest.param("scrypt$16$1$1$AA==$", id="no digest"),
        pytest.param("scrypt$x$1$1$AA==$AA==", id="no number"),
        pytest.param("scrypt$15$1$1$AA==$AA==", id="no power of two"),
        pytest.param(f"scrypt${2**40}$8$1$AA==$AA==", id="all memory there is"),
    ],
)
def test_stored_nonsense(text):
    """What cannot be understood fits no password."""
    assert not passwords.fits("correct horse", text)


# Signing in ---------------------------------------------------------------------------


def test_authenticate(users):
    """Who knows the password is told who they are, however the name is written."""
    ada = users.add("Ada", PASSWORD)
    assert users.authenticate("ADA", PASSWORD) == ada
    assert users.authenticate("Ada", "correct horsE") is None


@pytest.mark.parametrize(
    ("username", "is_there"),
    [("ada", True), ("ada", False), ("nobody", False), ("a\0", False), ("x:y", False)],
)
def test_same_work(users, username, is_there):
    """Whoever is asked for, one hash of the same cost is made."""
    if is_there:
        users.add("ada", PASSWORD)
    elif username == "ada":
        users.add("ada")
    with patch.object(hashlib, "scrypt", wraps=hashlib.scrypt) as scrypt:
        assert users.authenticate(username, "wrong password") is None
    (call,) = scrypt.call_args_list
    assert {name: call.kwargs[name] for name in "nrp"} == {"n": 16, "r": 1, "p": 1}


def test_nobodys_password(users):
    """Without a password nobody signs in, not even with that of nobody."""
    users.add("ada")
    with patch.object(passwords, "_digest", return_value=passwords.NOBODYS.digest):
        assert users.authenticate("ada", PASSWORD) is None


def test_inactive(users):
    """Who is not active does not sign in."""
    ada = users.add("ada", PASSWORD)
    users.set_active(ada, False)
    assert users.authenticate("ada", PASSWORD) is None


def test_hashed_anew(users, monkeypatch):
    """Old parameters are replaced as somebody signs in, and not by a wrong password."""
    ada = users.add("ada", PASSWORD)
    monkeypatch.setattr(passwords, "NOW", Parameters(n=32, r=1, p=1))
    users.authenticate("ada", "wrong password")
    assert stored(users).startswith("scrypt$16$")
    assert users.authenticate("ada", PASSWORD) == ada
    assert stored(users).startswith("scrypt$32$")
    assert users.authenticate("ada", PASSWORD) == ada


def test_not_hashed_anew_where_nothing_is_written(users, context, monkeypatch):
    """In a block that only reads, signing in works, and the hash remains."""
    users.add("ada", PASSWORD)
    users.commit()
    monkeypatch.setattr(passwords, "NOW", Parameters(n=32, r=1, p=1))
    with context.read_only():
        assert users.authenticate("ada", PASSWORD)
    assert stored(users).startswith("scrypt$16$")


# Keeping ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("username", "told"),
    [
        pytest.param("", "must not be empty", id="empty"),
        pytest.param("ada ", "begin or end", id="blank at the end"),
        pytest.param("system:job", "colon", id="as jobs are named"),
        pytest.param("a\nb", "printable", id="line break"),
        pytest.param("a\0b", "printable", id="NUL"),
        pytest.param("a\u200bb", "printable", id="no width"),
        pytest.param("a" * 151, "150 characters", id="too long"),
    ],
)
def test_username_that_is_none(users, username, told):
    """It is refused, with what is wrong; and nobody is found by it."""
    with pytest.raises(InvalidName, match=told):
        users.add(username)
    with pytest.raises(UnknownEntity):
        users.named(username)


@pytest.mark.parametrize("other", ["ada", "ADA"])
def test_names_in_any_case(users, other):
    """Two names that differ in case only are one."""
    ada = users.add("Ada")
    with pytest.raises(AlreadyThere):
        users.add(other)
    assert users.named(other) == ada


def test_names_are_normalised(users):
    """However an accent is written, it is the same name."""
    zoe = users.add("Zoe\u0308")
    assert unicodedata.is_normalized("NFC", zoe.username)
    assert users.named("Zo\u00eb") == zoe


def test_address(users):
    """An address is checked by the service of the context."""
    assert users.add("ada", email="ada@example.org").email == "ada@example.org"
    with pytest.raises(InvalidName):
        users.add("bob", email="bob")


def test_all(users):
    """All users are told, by name."""
    for name in ("bob", "Ada"):
        users.add(name, staff=name == "bob")
    assert [(each.username, each.staff) for each in users.all()] == [
        ("Ada", False),
        ("bob", True),
    ]


def test_found(users):
    """Users are found by a part of their names, in any case, some at a time."""
    for name in ("bob", "Ada", "adam_%", "zoe"):
        users.add(name)

    def names(*about):
        return [each.username for each in users.found(*about)]

    assert names() == ["Ada", "adam_%", "bob", "zoe"]
    assert names("aD") == ["Ada", "adam_%"]
    assert names("_%") == ["adam_%"]
    assert names("", 1, 2) == ["adam_%", "bob"]
    assert names("\0") == names()


def test_signed_in(users, context):
    """When somebody has last signed in is told, not when they did something else."""
    ada, bob, zoe = (users.add(name) for name in ("ada", "bob", "zoe"))
    at = datetime(2026, 11, 27, 12, tzinfo=UTC)
    log = [(ada, "login", 0), (ada, "login", 2), (ada, "push", 3), (bob, "pull", 1)]
    for user, operation, hours in log:
        users.session.execute(
            insert(SyncLog).values(
                context=context.name,
                user=user.id,
                username=user.username,
                operation=operation,
                status="success",
                seconds=0.1,
                at=at + timedelta(hours=hours),
            )
        )
    assert users.signed_in([ada, bob, zoe]) == {ada.id: at + timedelta(hours=2)}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda users, ada: users.set_password(ada, "x" * 10), id="new"),
        pytest.param(lambda users, ada: users.set_password(ada, None), id="none"),
        pytest.param(lambda users, ada: users.set_active(ada, False), id="inactive"),
        pytest.param(lambda users, ada: users.end_tokens(ada), id="all signed out"),
    ],
)
def test_tokens_end(users, change):
    """The version of the tokens grows, and the password is another one."""
    ada = users.add("ada", PASSWORD)
    assert change(users, ada).version == ada.version + 1
    assert users.user(ada.id).version == ada.version + 1


def test_unknown_user(users, sync):
    """Who is gone cannot be changed; an id may be anything."""
    ada = users.add("ada")
    sync.rollback()
    with pytest.raises(UnknownEntity):
        users.end_tokens(ada)
    assert [users.user(each) for each in (ada.id, "7", "", "\0")] == [None] * 4


def test_users_of_another_context(users):
    """A user belongs to a context."""
    ada = users.add("ada", PASSWORD)
    users.session.execute(update(SyncUser).values(context="other"))
    assert users.user(ada.id) is None
    assert users.authenticate("ada", PASSWORD) is None
    assert users.all() == []


def test_users_of_the_host(context, sync):
    """A host replaces the users by its own."""
    assert isinstance(users_of(context), Users)
    host = object()
    context.set_service("sync_users", lambda _context: host)
    assert users_of(context) is host
    assert isinstance(sync.users, Users)
