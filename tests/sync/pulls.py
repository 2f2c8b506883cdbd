"""Somebody who pulls, and a device that keeps what it gets."""

from __future__ import annotations

from uuid import UUID

from libres.sync.errors import ResyncRequired
from libres.sync.filters import Filter
from libres.sync.values import Device, Flags, Member, Organization, Role, User

ACME, RETAIL, UNIVERSITY = UUID(int=1), UUID(int=2), UUID(int=3)

SECRET = {"first": "of the tests, and long enough for HMAC"}

READING = Flags(pull=True, read=True)

EVERYTHING = ("Customer", "Note", "Report", "Country", "Seat")


def member_of(
    organization=ACME, *, models=EVERYTHING, filters=None, user=7, device=None
):
    """A member of an organisation who may pull some models."""
    return Member(
        user=User(str(UUID(int=user)), f"user{user}"),
        organization=Organization(
            organization, "Some", f"org-{organization.int}", str(organization)
        ),
        role=Role(UUID(int=9), "Users", "Users"),
        device=None if device is None else Device(device, "phone"),
        flags={f"myapp.{each}": READING for each in models},
        filters=filters or {},
    )


def filtered(sync, name, *conditions):
    """Filters of a member: conditions are triples of field, operator, value."""
    made = [
        dict(zip(("field", "op", "value"), each, strict=True)) for each in conditions
    ]
    return {name: Filter.of(sync.registry.named(name), made)}


class Phone:
    """Obeys versions, replaces what is sent anew, and keeps its cursor."""

    def __init__(self, sync, member, batch=100):
        self.sync, self.member, self.batch = sync, member, batch
        self.rows, self.versions, self.cursor = {}, {}, None
        self.told = 0

    def pull(self, *, is_lost=False):
        """Pull once; a lost answer changes nothing."""
        asked = {"models": {}} if self.cursor is None else {"cursor": self.cursor}
        try:
            body = self.sync.pull(self.member, {**asked, "batch_size": self.batch}).body
        except ResyncRequired as error:
            self.cursor = error.cursor
            return {"has_more": True, "data": [], "deleted": []}
        if not is_lost:
            self.apply(body)
        return body

    def apply(self, body):
        """Take over an answer."""
        for known in (self.rows, self.versions):
            for each in [each for each in known if each[0] in body["resync"]]:
                del known[each]
        for row in (*body["data"], *body["deleted"]):
            key = row["_model"], str(row["id"])
            if row["_version"] >= self.versions.get(key, -1):
                self.versions[key] = row["_version"]
                self.rows[key] = row if len(row) > NAKED else None
                self.told += 1
        self.cursor = body["cursor"]

    def catch_up(self):
        """Pull until there is no more; return what is there now."""
        while self.pull()["has_more"]:
            pass
        return {key: row for key, row in self.rows.items() if row is not None}

    def ids(self, model="myapp.Customer"):
        """Catch up, and return the ids of a model."""
        return sorted(
            row["id"] for key, row in self.catch_up().items() if key[0] == model
        )


NAKED = 3
"""Keys of a row that was deleted: model, id, version."""
