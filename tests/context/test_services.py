"""The default services and settings."""

from __future__ import annotations

from uuid import UUID, uuid5

import pytest

from libres.context import settings
from libres.context.exposure import Exposure
from libres.context.registry import create_default_registry
from libres.context.services import is_email_address

NAMESPACE = UUID("49326ef9-fbc0-4ac0-9508-b0bbd75d42f7")


@pytest.fixture
def plain():
    """A context without a database."""
    return create_default_registry().register_context("test")


def test_settings(plain):
    """There is no database by default, and the namespace never changes."""
    assert plain.get_setting("dsn") is None
    assert plain.get_setting("uuid_namespace") == NAMESPACE


def test_settings_are_documented():
    """The docstring of the module names every setting with its default."""
    for setting in settings.DEFAULTS:
        assert f"``{setting.name}`` (default: ``{setting.default!r}``)" in (
            settings.__doc__
        )


def test_uuid_generator(plain):
    """A resource is derived from the names of context and scheduler."""
    generate = plain.get_service("uuid_generator")
    assert generate("room") == uuid5(NAMESPACE, "test/room")


def test_uuid_generator_reads_the_asking_context(plain):
    """Another name or namespace of the context gives other resources."""
    other = UUID(int=7)
    plain.set_setting("uuid_namespace", other)
    assert plain.get_service("uuid_generator")("room") == uuid5(other, "test/room")
    master = plain.registry.master_context
    assert master.get_service("uuid_generator")("x") == uuid5(NAMESPACE, "master/x")


def test_exposure(plain):
    """Everything is shown, by a service made anew on each call."""
    exposure = plain.get_service("exposure")
    assert isinstance(exposure, Exposure)
    assert exposure.is_allocation_exposed(None) is True
    assert plain.get_service("exposure") is not exposure


def test_provider_without_dsn(plain):
    """Without a DSN the provider says what to set, as AssertionError like 1.x."""
    with pytest.raises(AssertionError, match=r"Not a postgres database.*'dsn'"):
        plain.get_service("session_provider")


def test_master_provider_without_dsn(plain):
    """On the locked master as well the missing DSN is what is reported."""
    with pytest.raises(AssertionError, match="Not a postgres database"):
        plain.registry.master_context.get_service("session_provider")


ADDRESSES = [
    ("a@example.org", True, "the usual form"),
    ("a.b+c@mail.example.org", True, "dots and tags"),
    ("x@y.z", True, "the shortest parts"),
    ("jürg@bücher.example", True, "letters beyond ASCII"),
    ("x@y..z", True, "only the form is checked, as in 1.x"),
    ("", False, "nothing"),
    ("example.org", False, "no @"),
    ("a@example", False, "no dot after the @"),
    ("@example.org", False, "no name"),
    ("a@.org", False, "nothing before the dot"),
    ("a@example.", False, "nothing after the dot"),
    ("a@b@example.org", False, "two @"),
    ("a@example.org@", False, "an @ at the end, accepted by 1.x"),
    ("a@example.org, b@example.org", False, "two addresses, accepted by 1.x"),
    ("x@y.z\n", False, "a newline at the end, accepted by 1.x"),
    ("x@y.z\r\nBcc: everyone", False, "a header smuggled in"),
    ("x\n@y.z", False, "a newline in the name"),
    ("x@y.\u2028z", False, "a line separator of Unicode"),
    ("x@y.z\x00", False, "PostgreSQL stores no NUL"),
    ("a" * 242 + "@example.org", True, "254 characters"),
    ("a" * 243 + "@example.org", False, "255 characters"),
    (None, False, "not a text"),
]


@pytest.mark.parametrize(
    ("text", "valid"),
    [pytest.param(text, valid, id=why) for text, valid, why in ADDRESSES],
)
def test_email(plain, text, valid):
    """The whole text must have the form of an address."""
    assert plain.get_service("email_validator")(text) is valid
    assert is_email_address(text) is valid
