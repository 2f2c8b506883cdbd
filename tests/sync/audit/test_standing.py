"""How far the audit has got is told: what is kept, numbered, and signed."""

from __future__ import annotations

from libres.sync.audit.standing import Standing, standing
from libres.sync.feed import numbering
from libres.sync.keyring import configure


def test_nothing(sync):
    """Where nothing is audited, nothing is told."""
    assert standing(sync.context) == Standing()


def test_signed(context, trail, customer):
    """It is told up to where the chain is signed, and since when."""
    configure(context, {"a": "signs for tests only, and is long enough"})
    customer()
    numbering.number(context)
    trail.anchor()
    signed = standing(context)
    assert (signed.is_kept, signed.signed) == (True, signed.position)
    assert signed.signed_at is not None
    customer("Bob")
    numbering.number(context)
    assert standing(context).unsigned <= 1
    assert standing(context).position == signed.position + 1


def test_unsigned(context, trail, customer):
    """Without a secret nothing is signed."""
    customer()
    numbering.number(context)
    found = standing(context)
    assert (found.signed, found.signed_at) == (0, None)
    assert found.unsigned == found.position > 0
    assert trail
