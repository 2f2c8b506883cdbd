"""What was signed cannot be computed anew by who has no secret."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from libres.modules.errors import Misuse
from libres.sync.errors import KeysMissing
from libres.sync.keyring import configure
from tests.fixtures.statements import counted
from tests.sync.audit.tampering import recompute, tamper

EMPTY = {"digest": "", "signature": "", "key": ""}
SECRET = {"one": "s" * 40}
OTHER = {"two": "t" * 40}
FORGED = "UPDATE sync_changes SET actor = 'eve' WHERE position = 3"


@pytest.fixture
def signed(context, trail, customer):
    """Five changes, of which the first four are signed."""
    configure(context, SECRET)
    for number in range(4):
        customer(f"Name {number}")
    assert trail.anchor() == 4
    customer("Later")
    return trail


def test_anchor(signed):
    """What was signed is checked."""
    verdict = signed.verify()
    assert (verdict.is_good, verdict.last) == (True, 5)
    assert (verdict.anchors, verdict.anchored) == (1, 4)


def test_twice(signed):
    """The same is not signed twice, and more is."""
    assert signed.anchor() == 5
    assert signed.anchor() == 5
    assert [each["position"] for each in signed.anchors()] == [4, 5]


def test_nothing_to_sign(context, trail):
    """Where nothing was noted nothing is signed."""
    configure(context, SECRET)
    assert trail.anchor() == 0
    assert trail.anchors() == []


def test_without_secret(trail, customer, monkeypatch):
    """Nobody signs without a secret."""
    monkeypatch.delenv("LIBRES_SYNC_SECRET", raising=False)
    customer()
    with pytest.raises(KeysMissing):
        trail.anchor()


def test_computed_anew(signed):
    """A chain that was computed anew as a whole is not the one that was signed."""
    tamper(signed.session, FORGED)
    recompute(signed.session)
    verdict = signed.verify()
    assert verdict.bad == 1
    assert verdict.problem == "The chain up to change 4 is not the one that was signed."
    assert verdict.anchored == 0


def test_computed_anew_after(signed):
    """What is before a signature that holds was not changed."""
    assert signed.anchor() == 5
    tamper(signed.session, FORGED.replace("3", "5"))
    recompute(signed.session)
    verdict = signed.verify()
    assert (verdict.bad, verdict.anchored) == (5, 4)


def test_cut_off(signed):
    """A chain that ends before what was signed was cut off, even if all is in order."""
    assert signed.verify().last == 5
    tamper(signed.session, "DELETE FROM sync_changes WHERE position >= 3")
    recompute(signed.session)
    verdict = signed.verify()
    assert (verdict.bad, verdict.last) == (3, 2)
    assert "cut off" in verdict.problem


def test_kept_elsewhere(signed):
    """Who removes the signatures as well is found by those that are kept elsewhere."""
    kept = json.loads(json.dumps(signed.anchors()))
    tamper(signed.session, FORGED, "DELETE FROM audit_anchors")
    recompute(signed.session)
    assert signed.verify().is_good
    verdict = signed.verify(anchors=kept)
    assert (verdict.bad, verdict.anchors) == (1, 1)


def test_kept_elsewhere_without_secret(context, signed):
    """They are compared even where nobody can check the signature."""
    kept = signed.anchors()
    tamper(signed.session, FORGED, "DELETE FROM audit_anchors")
    recompute(signed.session)
    configure(context, OTHER)
    verdict = signed.verify(anchors=kept)
    assert (verdict.bad, verdict.anchors, verdict.anchored) == (1, 0, 0)


CHANGES = [
    "digest = sha256('x')",
    "at = at - interval '1 second'",
    "signature = sha256('x')",
    "position = 3",
]


@pytest.mark.parametrize("change", CHANGES)
def test_forged(signed, change):
    """A signature that was changed is not ours."""
    tamper(signed.session, f"UPDATE audit_anchors SET {change}")  # noqa: S608 - ours
    verdict = signed.verify()
    assert "signature" in verdict.problem
    assert (verdict.bad, verdict.anchored) == (3 if "position" in change else 4, 0)


def test_new_secret(context, signed):
    """After a secret was replaced the old one still verifies."""
    configure(context, {**OTHER, **SECRET})
    assert signed.anchor() == 5
    verdict = signed.verify()
    assert (verdict.anchors, verdict.anchored) == (2, 5)
    configure(context, OTHER)
    verdict = signed.verify()
    assert (verdict.is_good, verdict.anchors, verdict.anchored) == (True, 1, 5)


def test_pair_of_keys(context, trail, customer):
    """Who has the public key only can check what the private one has signed."""
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    private = ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    configure(context, {"pair": private})
    customer()
    assert trail.anchor() == 1
    public = {"own": "o" * 40, "pair": private.public_key()}
    configure(context, public)
    assert trail.verify().anchored == 1
    tamper(trail.session, "UPDATE audit_anchors SET signature = sha512('x')")
    assert trail.verify().bad == 1


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"context": "test"},
        {"context": "test", "position": "x"},
        {**EMPTY, "context": "test", "position": 0, "at": "2026-11-27"},
        {**EMPTY, "context": "test", "position": 1, "at": "0001-01-01T00:00:00+14:00"},
        {
            "context": "other",
            "position": 1,
            "digest": "00",
            "key": "k",
            "at": "2026-11-27T00:00:00+00:00",
            "signature": "00",
        },
    ],
)
def test_no_anchor(trail, given):
    """What is no signature, or of another context, is refused."""
    with pytest.raises(Misuse, match="signature"):
        trail.verify(anchors=[given])


def test_far_away(signed):
    """A signature of a change that there cannot be says that much is missing."""
    (kept,) = signed.anchors()
    verdict = signed.verify(anchors=[{**kept, "position": 10**30, "key": "other"}])
    assert verdict.bad == 6


# By itself ----------------------------------------------------------------------------


def set_rows(sync, rows):
    """Sign after so many changes."""
    sync.settings.set("anchor_rows", rows)
    sync.commit()
    sync.number()


def test_after_rows(context, trail, sync, customer):
    """Numbering signs by itself once there are enough changes."""
    set_rows(sync, 3)
    configure(context, SECRET)
    places = []
    for number in range(5):
        customer(f"Name {number}")
        sync.number()
        places.append(len(trail.anchors()))
    # The setting is change 1 itself.
    assert places == [0, 1, 1, 1, 2]
    assert trail.verify().anchored == 6


def test_after_time(context, trail, sync, customer):
    """And once there was none for an hour."""
    configure(context, SECRET)
    customer()
    sync.number()
    assert trail.anchors() == []
    earlier = text("UPDATE sync_feeds SET anchored_at = anchored_at - :time")
    trail.session.execute(earlier, {"time": timedelta(minutes=60)})
    trail.session.commit()
    customer()
    sync.number()
    assert [each["position"] for each in trail.anchors()] == [2]


def test_not_without_secret(trail, sync, customer, monkeypatch):
    """Without secrets nothing happens."""
    monkeypatch.delenv("LIBRES_SYNC_SECRET", raising=False)
    set_rows(sync, 1)
    customer()
    sync.number()
    assert trail.anchors() == []


def test_not_what_nobody_audits(context, sync):
    """Nor where nothing is kept for an audit."""
    configure(context, SECRET)
    set_rows(sync, 1)
    assert sync.session.scalar(text("SELECT count(*) FROM audit_anchors")) == 0


def test_statements(context, trail, sync, customer):
    """One statement if there is nothing to do, and no more than before if nothing is
    due."""
    configure(context, SECRET)
    with counted(trail.session) as idle:
        sync.number()
    customer()
    with counted(trail.session) as busy:
        sync.number()
    assert (len(idle), len(busy)) == (1, 5)
