"""A token that we have signed says what was written; anything else is nothing."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import jwt
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from libres.context.registry import create_default_registry
from libres.domain.days import UTC
from libres.sync import configure, tokens
from libres.sync.errors import NotSignedIn
from libres.sync.keyring import keyring_of, to_text
from libres.sync.tokens import Claims, Versions

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
"""In summer, when clocks in Zurich are two hours ahead."""

SECRET = "s" * 64
OTHER = "t" * 32

CLAIMS = Claims(
    user="7",
    organization=UUID(int=1),
    device=UUID(int=2),
    family=UUID(int=3),
    versions=Versions(4, 5),
    issued=NOW,
    expires=NOW + timedelta(minutes=15),
)


def made(keys, name="test", **options):
    """A keyring."""
    context = create_default_registry().register_context(name)
    configure(context, keys, **options)
    return keyring_of(context)


KEYRING = made({"a": SECRET, "b": OTHER})
TOKEN = tokens.write(KEYRING, CLAIMS)


def signed(secret=SECRET, algorithm="HS256", header=None, **claims):
    """A token like ours, but for what is given; None: without it."""
    payload = {**jwt.decode(TOKEN, options={"verify_signature": False}), **claims}
    kept = {name: value for name, value in payload.items() if value is not None}
    headers = {"kid": "a", "typ": tokens.TYPE, **(header or {})}
    return jwt.encode(kept, secret, algorithm, headers)


@pytest.fixture
def zurich(monkeypatch):
    """The machine is in Zurich."""
    monkeypatch.setenv("TZ", "Europe/Zurich")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param(CLAIMS, id="device"),
        pytest.param(replace(CLAIMS, device=None), id="no device"),
        pytest.param(replace(CLAIMS, user="Jörg 😀"), id="any id of a user"),
    ],
)
def test_there_and_back(claims):
    """What is written is read, to the second."""
    assert tokens.read(KEYRING, tokens.write(KEYRING, claims), NOW) == claims


def test_our_own_forgery_is_read():
    """The control: what is refused below is refused for what is different in it."""
    assert tokens.read(KEYRING, signed(), NOW) == CLAIMS


@pytest.mark.usefixtures("zurich")
def test_made_in_zurich():
    """The zone of the machine does not matter, neither for writing nor for reading."""
    token = tokens.write(KEYRING, CLAIMS)
    payload = jwt.decode(token, options={"verify_signature": False})
    assert payload["exp"] - payload["iat"] == 900
    assert payload["iat"] == NOW.timestamp()
    assert tokens.read(KEYRING, token, NOW) == CLAIMS
    assert tokens.read(KEYRING, TOKEN, NOW) == CLAIMS


def test_two_tokens_differ():
    """Each token has an id of its own."""
    assert tokens.write(KEYRING, CLAIMS) != TOKEN


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        pytest.param(timedelta(minutes=14, seconds=59), None, id="last second"),
        pytest.param(timedelta(minutes=15), tokens.OVER, id="expired"),
        pytest.param(timedelta(days=365), tokens.OVER, id="long expired"),
        pytest.param(-timedelta(minutes=1), None, id="clocks differ a little"),
        pytest.param(-timedelta(minutes=2), tokens.EARLY, id="from the future"),
    ],
)
def test_time(moment, message):
    """The clock of the library tells whether a token is over."""
    if message is None:
        assert tokens.read(KEYRING, TOKEN, NOW + moment) == CLAIMS
        return
    with pytest.raises(NotSignedIn) as raised:
        tokens.read(KEYRING, TOKEN, NOW + moment)
    assert str(raised.value) == message


FORGED = {
    "algorithm none": lambda: signed("", "none"),
    "another algorithm": lambda: signed(SECRET, "HS384"),
    "other secret": lambda: signed("x" * 32),
    "wrong kid": lambda: signed(header={"kid": "b"}),
    "unknown kid": lambda: signed(header={"kid": "c"}),
    "no kid": lambda: signed(header={"kid": ""}),
    "other type": lambda: signed(header={"typ": "JWT"}),
    "other audience": lambda: signed(aud="else"),
    "no audience": lambda: signed(aud=None),
    "other issuer": lambda: signed(iss="else"),
    "other context": lambda: signed(ctx="else"),
    "no context": lambda: signed(ctx=None),
    "no end": lambda: signed(exp=None),
    "no beginning": lambda: signed(iat=None),
    "end that is no number": lambda: signed(exp="tomorrow"),
    "endless": lambda: signed(exp=1e300),
    "no user": lambda: signed(sub=None),
    "user that is no text": lambda: signed(sub=7),
    "organisation that is no id": lambda: signed(org="acme"),
    "organisation that is no text": lambda: signed(org=7),
    "no family": lambda: signed(fam=None),
    "one version": lambda: signed(ver=[1]),
    "versions in words": lambda: signed(ver=["one", "two"]),
    "no versions": lambda: signed(ver=None),
    "no signature": lambda: TOKEN.rpartition(".")[0] + ".",
    "no third part": lambda: TOKEN.rpartition(".")[0],
    "four parts": lambda: f"{TOKEN}.{TOKEN}",
    "too long": lambda: signed(sub="x" * 4096),
    "a refresh token": lambda: "libres_ref_" + "A" * 108,
    "nothing": lambda: "",
    "half a character": lambda: "\ud800",
    "NUL": lambda: TOKEN + "\0",
    "deeply nested header": lambda: to_text(b'{"a":' + b"[" * 2500) + ".e30.AAAA",
    "header that is a list": lambda: to_text(b"[]") + ".e30.AAAA",
    "kid that is a list": lambda: to_text(b'{"alg":"HS256","kid":[]}') + ".e30.AAAA",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_forged(forge):
    """Whatever is wrong with it, the answer is the same."""
    with pytest.raises(NotSignedIn) as raised:
        tokens.read(KEYRING, forge(), NOW)
    assert str(raised.value) == tokens.INVALID


def test_another_context_with_the_same_keys():
    """A token of one context opens nothing in another."""
    other = made({"a": SECRET, "b": OTHER}, name="other")
    with pytest.raises(NotSignedIn):
        tokens.read(other, TOKEN, NOW)


def test_rotation():
    """Tokens of the old secret are valid until it is taken away."""
    rotated = made({"new": "n" * 32, "a": SECRET})
    assert tokens.read(rotated, TOKEN, NOW) == CLAIMS
    assert jwt.get_unverified_header(tokens.write(rotated, CLAIMS))["kid"] == "new"
    with pytest.raises(NotSignedIn):
        tokens.read(made({"new": "n" * 32}), TOKEN, NOW)


def test_ed25519():
    """A pair of keys signs as well, and each key has its own algorithm only."""
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    private = ed25519.Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    ours, theirs = made({"a": private}), made({"z": SECRET, "a": pem.decode()})
    assert tokens.read(theirs, tokens.write(ours, CLAIMS), NOW) == CLAIMS
    with pytest.raises(NotSignedIn):  # signed by what everybody may know
        tokens.read(theirs, signed(private.public_key().public_bytes_raw()), NOW)
    with pytest.raises(NotSignedIn):
        tokens.read(theirs, tokens.write(KEYRING, CLAIMS), NOW)


@given(st.one_of(st.text(), st.binary().map(lambda data: data.decode("latin-1"))))
@example("..")
@example("e30.e30.e30")
def test_garbage(text):
    """Any text that is no token is refused as such, and does nothing else."""
    with pytest.raises(NotSignedIn):
        tokens.read(KEYRING, text, NOW)


@given(
    st.integers(0, len(TOKEN) - 1),
    st.one_of(
        st.sampled_from(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        ),
        st.characters(),
        st.just(""),
    ),
)
@example(len(TOKEN) - 1, chr(ord(TOKEN[-1]) + 1))
def test_mutated(position, letter):
    """Not a single letter of a token can be another one, or be left out."""
    mutated = TOKEN[:position] + letter + TOKEN[position + 1 :]
    assume(mutated != TOKEN)
    with pytest.raises(NotSignedIn):
        tokens.read(KEYRING, mutated, NOW)


def test_extra_is_missing(monkeypatch):
    """Without PyJWT one is told what to install."""
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(ImportError, match=r"pip install 'libres\[sync\]'"):
        tokens.write(KEYRING, CLAIMS)
