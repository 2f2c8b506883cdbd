"""Who asks is told by a password, a key or a token; nothing else lets anybody in."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from libres.context.registry import create_default_registry
from libres.sync import Sync, configure, passwords, signing_in
from libres.sync.devices import Devices
from libres.sync.errors import (
    KeysMissing,
    MalformedRequest,
    NotPermitted,
    NotSignedIn,
    TooManyRequests,
)
from libres.sync.keyring import VARIABLE
from libres.sync.memberships import Memberships
from libres.sync.models import SyncToken
from libres.sync.organizations import Organizations
from libres.sync.permissions import Permissions
from libres.sync.settings import Settings
from libres.sync.users import Users
from tests.fixtures.races import race_threads
from tests.fixtures.statements import counted

SECRET = "s" * 64
PASSWORD = "correct horse"
CUSTOMER = "myapp.Customer"

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture(autouse=True)
def _keys(context, monkeypatch):
    """A secret is configured."""
    monkeypatch.delenv(VARIABLE, raising=False)
    configure(context, {"a": SECRET})


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Hashes cost little: how much they do is looked at elsewhere."""
    cheap = replace(passwords.NOW, n=16)
    monkeypatch.setattr(passwords, "NOW", cheap)
    nobodys = replace(passwords.NOBODYS, parameters=cheap)
    monkeypatch.setattr(passwords, "NOBODYS", nobodys)


@pytest.fixture
def sign_in(sync, context, john):
    """Signs in, John unless said otherwise; committed."""
    Users(context).set_password(john.user, PASSWORD)
    sync.commit()

    def _sign_in(username="john_manager", password=PASSWORD, **options):
        try:
            return sync.sign_in(username, password, **options)
        finally:
            sync.commit()

    return _sign_in


@pytest.fixture
def key(context, sync, john, acme):
    """The key of a device of John; committed."""
    added = Devices(context).add(john.user, acme, "Kiosk")
    sync.commit()
    return added.key


def refused(act, *args, **options):
    """What is said to somebody who is not signed in."""
    with pytest.raises(NotSignedIn) as raised:
        act(*args, **options)
    return str(raised.value)


# By password --------------------------------------------------------------------------


def test_password(sign_in, john, acme):
    """S1: who is right gets tokens, and is told where they belong."""
    signed = sign_in()
    assert signed.member.user.username == john.user.username
    (only,) = signed.memberships
    assert (only.organization, only.role.name) == (acme, "Managers")
    assert signed.expires_in == 900
    assert signed.access.count(".") == 2
    assert signed.refresh.startswith("libres_ref_")


def test_tokens_are_not_shown(sign_in):
    """No token gets into a log by way of a representation."""
    signed = sign_in()
    assert signed.access not in repr(signed)
    assert signed.refresh not in repr(signed)


def test_name_in_any_case(sign_in):
    """How a name is written does not matter."""
    assert sign_in("JOHN_Manager").member.user.username == "john_manager"


def off(context, what, john, acme):
    """Make something inactive."""
    if what == "user":
        Users(context).set_active(john.user, False)
    elif what == "organization":
        Organizations(context).set_active(acme.slug, False)
    elif what == "membership":
        Memberships(context).set_active(john.user, acme, False)
    else:
        Memberships(context).remove(john.user, acme)
    context.get_service("session_provider").session().commit()


OFF = ["user", "organization", "membership", "member"]


@pytest.mark.parametrize("what", OFF)
def test_inactive(context, sign_in, john, acme, what):
    """Who is not to sign in is told the same as who is wrong about the password."""
    off(context, what, john, acme)
    assert refused(sign_in) == signing_in.WRONG


@pytest.mark.parametrize(
    ("username", "password", "options"),
    [
        pytest.param("john_manager", "wrong", {}, id="wrong password"),
        pytest.param("john_manager", "", {}, id="no password"),
        pytest.param("nobody", PASSWORD, {}, id="unknown name"),
        pytest.param("", "", {}, id="nothing"),
        pytest.param("\ud800", PASSWORD, {}, id="half a character"),
        pytest.param("john_manager\0", PASSWORD, {}, id="NUL"),
        pytest.param("john_manager", "\ud800\0", {}, id="password of no characters"),
        pytest.param("x" * 100_000, "y" * 100_000, {}, id="long"),
        pytest.param(
            "john_manager", PASSWORD, {"organization": "retail"}, id="theirs it is not"
        ),
        pytest.param(
            "john_manager", PASSWORD, {"organization": "\0"}, id="no organisation"
        ),
    ],
)
def test_wrong(sign_in, username, password, options):
    """Whatever is wrong, the answer is the same."""
    assert refused(sign_in, username, password, **options) == signing_in.WRONG


@pytest.mark.parametrize("what", OFF)
def test_same_work(context, sign_in, sync, john, acme, what):
    """What is refused takes the same statements, whatever the reason is."""
    asked = []
    for username, password in (("nobody", "x"), ("john_manager", "x")):
        with counted(sync.session) as statements:
            refused(sign_in, username, password)
        asked.append(list(statements))
    off(context, what, john, acme)
    with counted(sync.session) as statements:
        refused(sign_in)
    assert asked == [list(statements)] * 2


@pytest.fixture
def twice(context, john, retail):
    """John belongs to two organisations."""
    Memberships(context).add(john.user, retail, john.role)
    context.get_service("session_provider").session().commit()


@pytest.mark.usefixtures("twice")
def test_several_organizations(sign_in, acme, retail):
    """Who belongs to several has to choose one; a token is for that one."""
    with pytest.raises(MalformedRequest, match="several") as raised:
        sign_in()
    slugs = {each["slug"] for each in raised.value.organizations}
    assert slugs == {acme.slug, retail.slug}
    signed = sign_in(organization=retail.slug)
    assert signed.member.organization == retail
    assert {each.organization.slug for each in signed.memberships} == slugs


@pytest.mark.usefixtures("twice")
def test_one_of_several_is_left(context, sign_in, john, acme, retail):
    """An organisation that cannot be chosen need not be chosen against."""
    off(context, "membership", john, acme)
    assert sign_in().member.organization == retail


def test_device_by_name(sync, sign_in):
    """A device that is named is known from then on."""
    signed = sign_in(device="Phone")
    assert signed.member.device == sign_in(device="Phone").member.device
    assert sync.authenticate(signed.access).device.name == "Phone"


def test_device_without_a_name(sign_in):
    """What is no name is told as such."""
    with pytest.raises(MalformedRequest, match="1 to 100"):
        sign_in(device="\0")


def test_revoked_device_by_name(sync, context, sign_in):
    """A password does not help a device that was revoked."""
    device = sign_in(device="Phone").member.device
    Devices(context).revoke(device.id)
    sync.commit()
    assert refused(sign_in, device="Phone") == signing_in.REFUSED


def test_no_keys(sign_in, context, monkeypatch):
    """Without a secret nobody signs in, and the operator is told why."""
    monkeypatch.delitem(context.values, "sync.keyring")
    with pytest.raises(KeysMissing):
        sign_in()


# Guessing -----------------------------------------------------------------------------


@pytest.fixture
def looked(monkeypatch):
    """How often a password was looked at, by name."""
    seen = Counter()
    real = Users.authenticate

    def authenticate(self, username, password):
        seen[username] += 1
        return real(self, username, password)

    monkeypatch.setattr(Users, "authenticate", authenticate)
    return seen


def test_five_guesses(sign_in, clock, looked):
    """After five failures in a minute nobody looks at the password of a name."""
    for _ in range(5):
        refused(sign_in, "John_Manager", "wrong")
    with pytest.raises(TooManyRequests) as raised:
        sign_in()
    assert raised.value.retry_after == 60
    assert looked.total() == 5
    refused(sign_in, "mary_sales", "wrong")
    clock.advance(timedelta(minutes=1))
    assert sign_in()


def test_twenty_guesses(sign_in, clock):
    """After twenty failures nobody looks at what comes from an address."""
    for number in range(20):
        refused(sign_in, f"n{number}", "wrong", address="192.0.2.1")
    with pytest.raises(TooManyRequests):
        sign_in(address="192.0.2.1")
    assert sign_in(address="192.0.2.2")
    clock.advance(timedelta(minutes=1))
    assert sign_in(address="192.0.2.1")


def test_success_is_no_failure(sign_in):
    """Who is right may sign in as often as they like."""
    for _ in range(25):
        sign_in(address="192.0.2.1")


def test_guesses_at_once(sync, sign_in, looked):  # noqa: ARG001 - the user is there
    """Of guesses at the same moment no more are looked at."""

    def guess():
        try:
            sync.sign_in("john_manager", "wrong")
        finally:
            sync.session_provider.session.remove()

    outcomes = race_threads([guess] * 8)
    errors = Counter(each.error for each in outcomes)
    assert errors == {"NotSignedIn": 5, "TooManyRequests": 3}
    assert looked.total() == 5


def test_any_address(sign_in):
    """What a proxy says is the address may be anything."""
    assert refused(sign_in, password="x", address="\ud800\0" * 99)


# By key -------------------------------------------------------------------------------


def test_key(sync, key, acme, clock):
    """A device signs in by its key, for the organisation that it belongs to."""
    signed = sync.sign_in_device(key)
    sync.commit()
    member = sync.authenticate(signed.access)
    assert (member.device.name, member.organization) == ("Kiosk", acme)
    assert [each.organization for each in signed.memberships] == [acme]
    assert member.who == f"device:{member.device.id}"
    assert clock


@pytest.mark.parametrize("what", OFF)
def test_key_of_somebody_inactive(sync, context, key, john, acme, what):
    """The key opens nothing if the user could not sign in."""
    off(context, what, john, acme)
    assert refused(sync.sign_in_device, key) == signing_in.WRONG_KEY


def test_revoked_key(sync, context, key):
    """The key of a revoked device is nobody's, and its tokens end at once."""
    signed = sync.sign_in_device(key)
    sync.commit()
    Devices(context).revoke(signed.member.device.id)
    sync.commit()
    assert refused(sync.sign_in_device, key) == signing_in.WRONG_KEY
    refused(sync.authenticate, signed.access)
    refused(sync.refresh, signed.refresh)


def test_guessed_keys(sync, key):
    """Whoever tries many keys from an address is not answered any more."""
    for number in range(20):
        refused(sync.sign_in_device, f"libres_dev_{number}", address="192.0.2.1")
    with pytest.raises(TooManyRequests):
        sync.sign_in_device(key, address="192.0.2.1")
    assert sync.sign_in_device(key, address="192.0.2.2")


# Who asks -----------------------------------------------------------------------------


@pytest.fixture
def signed(sign_in):
    """John has signed in."""
    return sign_in(device="Phone")


def test_authenticated(sync, signed):
    """A token says who asks, and what they may is read with it. Two statements."""
    with counted(sync.session) as statements:
        member = sync.authenticate(signed.access)
    assert member == signed.member
    assert len(statements) == 2


def test_while_reading(sync, context, signed):
    """What only reads can ask who it is."""
    with context.read_only():
        assert sync.authenticate(signed.access) == signed.member


@pytest.mark.parametrize("what", OFF)
def test_gone_at_once(sync, context, signed, john, acme, what):
    """S18: user, organisation or membership is off, and the next request is refused."""
    off(context, what, john, acme)
    refused(sync.authenticate, signed.access)
    refused(sync.refresh, signed.refresh)


def test_right_gone_at_once(sync, context, signed, acme):
    """S18: a right that is revoked is gone with the next request."""
    assert signed.member.may_pull(CUSTOMER)
    Permissions(context).revoke(acme, signed.member.role, CUSTOMER, "pull")
    sync.commit()
    assert not sync.authenticate(signed.access).may_pull(CUSTOMER)


def test_password_changed(sync, context, signed, john):
    """Another password ends what was signed in by the old one."""
    Users(context).set_password(john.user, "another one, as long")
    sync.commit()
    refused(sync.authenticate, signed.access)
    refused(sync.refresh, signed.refresh)


def test_back_again(sync, context, signed, john, acme):
    """Who is put out and let in again has to sign in again."""
    Memberships(context).remove(john.user, acme)
    Memberships(context).add(john.user, acme, signed.member.role)
    sync.commit()
    refused(sync.authenticate, signed.access)
    refused(sync.refresh, signed.refresh)


def test_organization_is_confirmed(sync, signed, acme):
    """A request may name the organisation of the token, and no other."""
    assert sync.authenticate(signed.access, acme.slug) == signed.member
    for other in ("retail", "", "\0"):
        with pytest.raises(NotPermitted):
            sync.authenticate(signed.access, other)


def altered(token, secret=SECRET, algorithm="HS256", **claims):
    """The token of somebody who can write what they want, and sign it by a secret."""
    header = jwt.get_unverified_header(token)
    payload = jwt.decode(token, options={"verify_signature": False})
    headers = {"kid": header["kid"], "typ": header["typ"]}
    return jwt.encode({**payload, **claims}, secret, algorithm, headers)


def test_altered_as_it_was(sync, signed):
    """The control: the right secret would do."""
    assert sync.authenticate(altered(signed.access)) == signed.member


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda s: altered(s.access, "", "none"), id="algorithm none"),
        pytest.param(lambda s: altered(s.access, "x" * 32), id="other secret"),
        pytest.param(lambda s: altered(s.access, aud="else"), id="other audience"),
        pytest.param(lambda s: altered(s.access, ctx="else"), id="other context"),
        pytest.param(lambda s: altered(s.access, fam=s.member.user.id), id="family"),
        pytest.param(lambda s: altered(s.access, sub="0"), id="user"),
        pytest.param(lambda s: altered(s.access, ver=[9, 1]), id="version"),
        pytest.param(lambda s: s.refresh, id="refresh token"),
        pytest.param(lambda _: "", id="nothing"),
    ],
)
def test_forged(sync, signed, forge):
    """S19: what we have not signed, for this, opens nothing."""
    refused(sync.authenticate, forge(signed))


def test_expired(sync, signed, clock):
    """S19: a quarter of an hour later it has to be refreshed."""
    clock.advance(timedelta(seconds=899))
    assert sync.authenticate(signed.access)
    clock.advance(timedelta(seconds=1))
    refused(sync.authenticate, signed.access)


def test_zurich(sync, sign_in, monkeypatch):
    """S19: a token made where the clock is ahead of UTC is good at once."""
    monkeypatch.setenv("TZ", "Europe/Zurich")
    time.tzset()
    try:
        assert sync.authenticate(sign_in().access)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_another_context(sync, context, signed):
    """A token of one context is none in another, be the secrets the same."""
    other = create_default_registry().register_context("other")
    other.set_service("session_provider", lambda _: sync.session_provider)
    configure(other, {"a": SECRET})
    refused(Sync(other).authenticate, signed.access)
    refused(Sync(other).refresh, signed.refresh)
    assert sync.authenticate(signed.access)
    assert context.name != other.name


# Refreshing ---------------------------------------------------------------------------


def test_refreshed(sync, signed, clock):
    """A token is exchanged for the next pair, as long as one comes in time."""
    for _ in range(3):
        clock.advance(timedelta(days=6, hours=23))
        following = sync.refresh(signed.refresh)
        sync.rollback()
        assert sync.authenticate(following.access) == signed.member
        assert following.refresh != signed.refresh
        signed = following
    clock.advance(timedelta(days=7))
    refused(sync.refresh, signed.refresh)


def test_used_twice(sync, signed):
    """Somebody has copied a token: all of the family end, and it stays so."""
    following = sync.refresh(signed.refresh)
    sync.rollback()
    refused(sync.refresh, signed.refresh)
    sync.rollback()
    refused(sync.refresh, following.refresh)
    refused(sync.authenticate, following.access)


def test_others_stay(sync, sign_in, signed):
    """What ends one family leaves the others of the same user alone."""
    other = sign_in(device="Tablet")
    sync.refresh(signed.refresh)
    refused(sync.refresh, signed.refresh)
    sync.rollback()
    assert sync.authenticate(other.access)
    assert sync.refresh(other.refresh)


def test_refreshed_at_once(sync, signed):
    """Of several who use the same token at the same moment exactly one wins."""

    def refresh():
        try:
            return sync.refresh(signed.refresh).refresh
        finally:
            sync.session_provider.session.remove()

    outcomes = race_threads([refresh] * 4)
    errors = Counter(each.error for each in outcomes)
    assert errors == {None: 1, "NotSignedIn": 3}
    refused(sync.refresh, next(each.value for each in outcomes if each.ok))


def test_only_hashes_are_kept(sync, signed):
    """Who reads the table cannot refresh."""
    stored = sync.session.execute(text("SELECT * FROM sync_tokens")).all()
    assert signed.refresh.removeprefix("libres_ref_")[25:60] not in str(stored)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="nothing"),
        pytest.param("libres_ref_", id="prefix"),
        pytest.param("libres_ref_" + "A" * 108, id="zeros"),
        pytest.param("libres_ref_\ud800", id="half a character"),
        pytest.param("libres_dev_" + "A" * 43, id="key of a device"),
    ],
)
def test_no_refresh_token(sync, signed, token):
    """What we have never given to anybody refreshes nothing."""
    refused(sync.refresh, token)
    refused(sync.refresh, signed.access)


def test_old_secret_is_taken_away(sync, context, signed):
    """What an old secret has signed is refreshed while it is there, and not longer."""
    configure(context, {"b": "n" * 32, "a": SECRET})
    following = sync.refresh(signed.refresh)
    sync.rollback()
    configure(context, {"b": "n" * 32})
    assert sync.authenticate(following.access)
    refused(sync.authenticate, signed.access)
    refused(sync.refresh, signed.refresh)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=60,
    deadline=None,
)
@given(data=st.data())
def test_mutated(sync, signed, data):
    """Neither kind of token is good with another letter; and it harms nobody."""
    for token, use in (
        (signed.access, sync.authenticate),
        (signed.refresh, sync.refresh),
    ):
        position = data.draw(st.integers(0, len(token) - 1))
        letter = data.draw(st.characters())
        mutated = token[:position] + letter + token[position + 1 :]
        if mutated != token:
            refused(use, mutated)
    sync.rollback()
    assert sync.authenticate(signed.access)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=60,
    deadline=None,
)
@given(token=st.one_of(st.text(), st.binary().map(lambda each: each.decode("latin-1"))))
def test_garbage(sync, signed, token):
    """Any text is refused as no token, wherever one is expected."""
    assert signed
    for use in (sync.authenticate, sync.refresh, sync.sign_out, sync.sign_in_device):
        refused(use, token)


# Signing out --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_signed_out(sync, signed, kind):
    """Either token ends both at once."""
    sync.sign_out(getattr(signed, kind))
    sync.rollback()
    refused(sync.authenticate, signed.access)
    refused(sync.refresh, signed.refresh)


def test_signed_out_twice(sync, signed):
    """Who is signed out already may say so again."""
    sync.sign_out(signed.refresh)
    sync.sign_out(signed.refresh)


# Limits -------------------------------------------------------------------------------


def answered(sync, member, times):
    """How many of so many requests are answered."""
    refusals = Counter()
    for _ in range(times):
        try:
            sync.count(member)
        except TooManyRequests as error:
            refusals[error.retry_after] += 1
    return times - refusals.total()


def test_sixty_in_a_minute(sync, sign_in, signed):
    """S25: the 61st request in a minute is refused; other devices are unaffected."""
    assert answered(sync, signed.member, 61) == 60
    assert answered(sync, sign_in(device="Tablet").member, 1) == 1
    assert answered(sync, replace(signed.member, device=None), 1) == 1


def test_counting_is_cheap(sync, signed):
    """A request is counted by two statements: what may be, and what was."""
    for _ in range(2):
        with counted(sync.session) as statements:
            sync.count(signed.member)
        assert len(statements) == 2


def test_settings_decide(sync, context, signed):
    """Other limits hold from the next request on."""
    Settings(context).set("requests_per_minute", 5)
    sync.commit()
    assert answered(sync, signed.member, 7) == 5


def test_hour(sync, context, clock, signed):
    """The hour counts as well."""
    Settings(context).set("requests_per_hour", 70)
    sync.commit()
    assert answered(sync, signed.member, 60) == 60
    clock.advance(timedelta(minutes=1))
    assert answered(sync, signed.member, 60) == 10


# Cleaning -----------------------------------------------------------------------------


def test_cleaned(sync, clock, sign_in, signed):
    """What is over is forgotten, what is good stays."""
    sync.sign_out(sign_in(device="Tablet").access)
    sync.count(signed.member)
    clock.advance(timedelta(days=2))
    assert sync.drop_over() >= 3
    sync.rollback()
    assert sync.session.scalars(select(SyncToken)).one().revoked is None
    assert sync.refresh(signed.refresh)
