"""Organisations have names that nobody can be confused about."""

from __future__ import annotations

import pytest

from libres.sync.errors import AlreadyThere, InvalidName, UnknownEntity


def test_added_and_found(sync):
    """The reference is the id, unless the host has another one."""
    made = sync.organizations.add("Acme Corporation", "acme-corp")
    assert made.reference == str(made.id)
    assert made.active
    assert sync.organizations.named("acme-corp") == made


def test_reference_of_the_host(sync):
    """A host may say what its tenant columns hold."""
    assert sync.organizations.add("Acme", "acme", "4711").reference == "4711"


def test_all_by_name(sync):
    """All are told, sorted by their names."""
    for name, slug in (("B", "x"), ("A", "y")):
        sync.organizations.add(name, slug)
    assert [each.name for each in sync.organizations.all()] == ["A", "B"]


@pytest.mark.parametrize(
    "slug",
    [
        pytest.param("", id="empty"),
        pytest.param("Acme", id="upper case"),
        pytest.param("acme corp", id="blank"),
        pytest.param("acme/../x", id="path"),
        pytest.param("acme\n", id="line break, which $ would let pass"),
        pytest.param("acme\0", id="NUL"),
        pytest.param("\u0430cme", id="Cyrillic letter"),
        pytest.param("a" * 64, id="too long"),
    ],
)
def test_slug_that_is_none(sync, slug):
    """It is refused with the remedy; nothing is found under it."""
    with pytest.raises(InvalidName, match="choose one like"):
        sync.organizations.add("Acme", slug)
    with pytest.raises(UnknownEntity):
        sync.organizations.named(slug)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param(" ", "must not be empty", id="blank"),
        pytest.param(" Acme", "begin or end", id="blank before"),
        pytest.param("Ac\x1bme", "printable", id="escape character"),
        pytest.param("Ac\u202eme", "printable", id="turns the direction"),
        pytest.param("Ac\ud800me", "printable", id="half a character"),
        pytest.param("a" * 201, "200 characters", id="too long"),
    ],
)
def test_name_that_is_none(sync, name, told):
    """It is said what is wrong with it."""
    with pytest.raises(InvalidName, match=told):
        sync.organizations.add(name, "acme")


def test_reference_must_not_be_empty(sync):
    """The empty reference is that of rows which belong to nobody."""
    with pytest.raises(InvalidName, match="reference"):
        sync.organizations.add("Acme", "acme", "")


@pytest.mark.parametrize("other", [("acme", "2"), ("other", "1")])
def test_taken(sync, other):
    """Slugs and references exist once; the transaction goes on."""
    first = sync.organizations.add("Acme", "acme", "1")
    with pytest.raises(AlreadyThere):
        sync.organizations.add("Other", *other)
    assert sync.organizations.all() == [first]


def test_switched_off_and_on(sync, acme):
    """An organisation can be switched off, and on again."""
    assert not sync.organizations.set_active(acme.slug, False).active
    assert not sync.organizations.named(acme.slug).active
    assert sync.organizations.set_active(acme.slug, True).active


def test_unknown(sync):
    """What is not there cannot be switched."""
    with pytest.raises(UnknownEntity):
        sync.organizations.set_active("nowhere", True)
