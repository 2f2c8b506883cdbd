"""Somebody who pushes, and what came of it."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from libres.sync.values import ALL
from tests.sync import pulls
from tests.sync.pulls import ACME, EVERYTHING, RETAIL, UNIVERSITY

__all__ = ("ACME", "RETAIL", "UNIVERSITY")


def member_of(organization=ACME, *, flags=ALL, models=EVERYTHING, **more):
    """A member of an organisation who may do all with some models."""
    member = pulls.member_of(organization, **more)
    return replace(member, flags={f"myapp.{each}": flags for each in models})


def customer(name="Ada", **values):
    """An item that makes a customer."""
    return {"_model": "myapp.Customer", "name": name, **values}


def statuses(answer):
    """What became of each item."""
    return [each["status"] for each in answer.body["results"]]


def stored(sync, model):
    """Return all rows of a model, of whomever."""
    sync.session.commit()
    found = sync.session.scalars(select(model)).all()
    sync.session.expunge_all()
    sync.session.commit()
    return found
