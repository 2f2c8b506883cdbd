"""A cursor says what the server said, to whom it was said."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from libres.context.registry import create_default_registry
from libres.sync.cursors import Cursor, read, write
from libres.sync.errors import KeysMissing, MalformedRequest
from libres.sync.keyring import configure, from_text, keyring_of, to_text
from tests.sync.pulls import RETAIL, SECRET, member_of

CURSOR = Cursor(
    position=12,
    covered=datetime(2030, 1, 1, tzinfo=UTC),
    scopes={"myapp.Customer": "abc"},
    is_everything=True,
    waiting=("myapp.Customer",),
    after=[1, "a"],
    begun={"myapp.Customer": 14},
)


def made_context(name="test", keys=SECRET):
    """A context with keys, and without a database."""
    context = create_default_registry().register_context(name)
    configure(context, keys)
    return context


@pytest.fixture
def context():
    """Needs no database."""
    return made_context()


def test_read_as_written(context):
    """Nothing of it is lost."""
    assert read(context, member_of(), write(context, member_of(), CURSOR)) == CURSOR


def test_letters(context):
    """It may stand in addresses and headers."""
    text = write(context, member_of(), CURSOR)
    assert text.replace("-", "").replace("_", "").isalnum()


def refused(context, text, member=None):
    """Tell whether a cursor is refused."""
    try:
        read(context, member or member_of(), text)
    except MalformedRequest:
        return True
    return False


def test_changed(context):
    """No letter of it can be changed."""
    text = write(context, member_of(), CURSOR)
    for place in range(len(text)):
        other = "A" if text[place] != "A" else "B"
        assert refused(context, text[:place] + other + text[place + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("abc", id="shorter than a signature"),
        pytest.param("ä" * 60, id="no letters of base64"),
        pytest.param("\ud800" * 60, id="halves of characters"),
        pytest.param("A" * 200_000, id="very long"),
        pytest.param(None, id="no text"),
        pytest.param(7, id="a number"),
    ],
)
def test_not_one(context, text):
    """What is no cursor is refused, as a request that cannot be read."""
    assert refused(context, text)


def test_made_up(context):
    """Whoever knows how it is written cannot write one."""
    text = write(context, member_of(), CURSOR)
    data = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[32:])
    data[3] = 0
    forged = base64.urlsafe_b64encode(b"\0" * 32 + json.dumps(data).encode())
    assert refused(context, forged.decode().rstrip("="))


def test_of_another_organization(context):
    """The cursor of another organisation is none."""
    text = write(context, member_of(RETAIL), CURSOR)
    assert refused(context, text)
    assert not refused(context, text, member_of(RETAIL))


def test_of_another_context(context):
    """Nor is that of another context, even under the same secret."""
    assert refused(context, write(made_context("other"), member_of(), CURSOR))


def test_of_a_colleague(context):
    """A colleague may go on with it: what they see is told by the scopes in it."""
    text = write(context, member_of(user=7), CURSOR)
    assert not refused(context, text, member_of(user=8))


def test_signed_for_something_else(context):
    """What the same secret has signed for another purpose is no cursor."""
    data = from_text(write(context, member_of(), CURSOR))[32:]
    assert refused(context, to_text(keyring_of(context).sign("other", data) + data))


def test_new_secret(context):
    """A cursor outlives the secret it was signed by, until that is taken away."""
    text = write(context, member_of(), CURSOR)
    second = {"second": "another one that is long enough as well"}
    configure(context, {**second, **SECRET})
    assert not refused(context, text)
    configure(context, second)
    assert refused(context, text)


def test_later_form(context, monkeypatch):
    """What a later version has written is refused, not misunderstood."""
    monkeypatch.setattr("libres.sync.cursors.VERSION", 2)
    text = write(context, member_of(), CURSOR)
    monkeypatch.undo()
    assert refused(context, text)


def test_nowhere_near_a_secret(monkeypatch):
    """Without a secret there are no cursors."""
    monkeypatch.delenv("LIBRES_SYNC_SECRET", raising=False)
    context = create_default_registry().register_context("bare")
    with pytest.raises(KeysMissing):
        write(context, member_of(), CURSOR)


def test_local_times(context):
    """Times are written in UTC, whatever zone the database speaks."""
    local = CURSOR.covered.astimezone(timezone(timedelta(hours=2)))
    text = write(context, member_of(), replace(CURSOR, covered=local))
    assert text == write(context, member_of(), CURSOR)
