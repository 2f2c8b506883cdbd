"""One key signs, all of them verify; what cannot be a key is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest

from libres.context.registry import create_default_registry
from libres.modules.errors import Misuse
from libres.sync import configure
from libres.sync.errors import KeysMissing
from libres.sync.keyring import VARIABLE, from_text, keyring_of, to_text

OLD = "o" * 32
NEW = b"n" * 32


@pytest.fixture
def registry():
    """A registry of contexts, without a database."""
    return create_default_registry()


@pytest.fixture
def context(registry):
    """A context without a database."""
    return registry.register_context("test")


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """Nothing comes from outside."""
    monkeypatch.delenv(VARIABLE, raising=False)


def test_nothing_is_configured(context):
    """Without a key nothing is signed, and the error says how to get one."""
    with pytest.raises(KeysMissing, match="LIBRES_SYNC_SECRET"):
        keyring_of(context)


def test_environment(context, monkeypatch):
    """The secret of the environment is one, if it is long enough."""
    monkeypatch.setenv(VARIABLE, "x" * 31)
    with pytest.raises(KeysMissing):
        keyring_of(context)
    monkeypatch.setenv(VARIABLE, "x" * 32)
    assert keyring_of(context).current.algorithm == "HS256"


def test_configured_comes_first(context, monkeypatch):
    """What is configured is not mixed with the environment."""
    monkeypatch.setenv(VARIABLE, "x" * 32)
    configure(context, {"mine": OLD})
    assert list(keyring_of(context).keys) == ["mine"]


def test_rotation(context):
    """What the old secret has signed holds until it is taken away."""
    configure(context, {"old": OLD})
    tag = keyring_of(context).sign("cursor", b"1")
    configure(context, {"new": NEW, "old": OLD}, current="new")
    rotated = keyring_of(context)
    assert rotated.verify("cursor", b"1", tag)
    assert rotated.sign("cursor", b"1") != tag
    configure(context, {"new": NEW})
    assert not keyring_of(context).verify("cursor", b"1", tag)


@pytest.mark.parametrize(
    ("purpose", "data"),
    [
        pytest.param("refresh", b"1", id="another purpose"),
        pytest.param("cursor", b"2", id="other data"),
        pytest.param("cursor", b"", id="nothing"),
    ],
)
def test_tag_is_for_one_thing(context, purpose, data):
    """A tag proves what it was made for, and nothing else."""
    configure(context, {"old": OLD})
    keyring = keyring_of(context)
    tag = keyring.sign("cursor", b"1")
    assert len(tag) == 32
    assert keyring.verify("cursor", b"1", tag)
    assert not keyring.verify(purpose, data, tag)


def test_child_has_the_keys_of_its_parent(registry, context):
    """A child context signs with the same keys, but for itself only."""
    registry.master_context.unlock()
    configure(registry.master_context, {"old": OLD})
    other = registry.register_context("other")
    tag = keyring_of(context).sign("cursor", b"1")
    assert not keyring_of(other).verify("cursor", b"1", tag)
    assert keyring_of(other).current == keyring_of(context).current


@pytest.mark.parametrize(
    ("keys", "current", "reason"),
    [
        pytest.param({}, None, "one key", id="none"),
        pytest.param({"a": "x" * 31}, None, "32 bytes", id="too short"),
        pytest.param({"a": ""}, None, "32 bytes", id="empty"),
        pytest.param({"": OLD}, None, "1 to 64", id="no id"),
        pytest.param({"a" * 65: OLD}, None, "1 to 64", id="long id"),
        pytest.param({"a\n": OLD}, None, "1 to 64", id="unprintable id"),
        pytest.param({7: OLD}, None, "1 to 64", id="id that is no text"),
        pytest.param({"a": OLD}, "b", "no key 'b'", id="unknown current"),
        pytest.param({"a": 7}, None, "neither", id="number"),
        pytest.param(
            {"a": "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"},
            None,
            "cannot be read",
            id="broken PEM",
        ),
    ],
)
def test_refused_keys(context, keys, current, reason):
    """What cannot sign safely is refused when it is configured."""
    with pytest.raises(Misuse, match=reason) as raised:
        configure(context, keys, current=current)
    assert OLD not in str(raised.value)


def test_secrets_are_not_shown(context):
    """No secret gets into a log by way of a representation."""
    configure(context, {"old": OLD, "new": NEW})
    shown = repr(keyring_of(context))
    assert OLD not in shown
    assert NEW.decode() not in shown


def test_ed25519(context):
    """A private key signs, and its public one only verifies."""
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    private = ed25519.Ed25519PrivateKey.generate()
    configure(context, {"a": private, "b": OLD})
    keyring = keyring_of(context)
    assert keyring.current.algorithm == "EdDSA"
    assert keyring.verify("cursor", b"1", keyring.sign("cursor", b"1"))
    configure(context, {"a": private.public_key(), "b": OLD}, current="b")
    assert keyring_of(context).keys["a"].signing is None
    with pytest.raises(Misuse, match="public one"):
        configure(context, {"a": private.public_key()})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("AB", id="bits that mean nothing"),
        pytest.param("AA==", id="padding"),
        pytest.param("A A", id="space"),
        pytest.param("AAAAA", id="half a byte"),
        pytest.param("é", id="not ASCII"),
        pytest.param("+/+/", id="the other alphabet"),
    ],
)
def test_one_text_for_the_same_bytes(text):
    """What base64 lets pass is refused, as it would be a second text of a token."""
    assert from_text(text) is None


def test_text_and_back():
    """What is written can be read."""
    assert all(from_text(to_text(b"\xff" * n)) == b"\xff" * n for n in range(9))


def test_import_does_without_extras():
    """Who only notes changes needs neither PyJWT nor cryptography."""
    code = "import sys, libres.sync; print(*{'jwt', 'cryptography'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert ran.stdout.strip() == ""
