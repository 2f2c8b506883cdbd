"""A database that was restored from a backup knows less than the devices do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from libres.sync import configure
from libres.sync.client import Device
from libres.sync.devices import Devices
from libres.web import WebSettings, create_app
from tests.sync.models import Customer
from tests.sync.phones import Wire

CUSTOMER = "myapp.Customer"
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.rst"


@pytest.fixture
def phone(context, sync, john, tmp_path):
    """A phone of John, signed in, with a customer that the server knows as well."""
    configure(context, {"first": "s" * 64})
    settings = WebSettings(pages=False, requests_per_minute=None)
    app = create_app(context, settings, secret_key="signs cookies")
    key = Devices(context).add(john.user, john.organization, "phone").key
    sync.session.add(
        Customer(organization_id=john.organization.id, name="Ada", department="SALES")
    )
    sync.commit()
    with Device(tmp_path / "phone.db", "http://server.example", Wire(app)) as made:
        made.sign_in_by_key(key)
        made.pull()
        yield made


def save(sync):
    """Note how far the feed is, as a dump does."""
    sync.number()
    found = sync.session.execute(text(FEED)).one()._asdict()
    sync.rollback()
    return found


def restore(sync, saved):
    """Lose all that has happened since: rows, numbers of the feed, and versions."""
    sync.number()
    for statement in LOSING:
        sync.session.execute(text(statement), saved)
    sync.commit()


FEED = "SELECT position, (SELECT max(seq) FROM sync_changes) AS version FROM sync_feeds"

LOSING = (
    "SET LOCAL session_replication_role = replica",
    "UPDATE customers SET name = 'Ada' WHERE name = 'Bea'",
    "DELETE FROM customers WHERE name NOT IN ('Ada')",
    "DELETE FROM sync_changes WHERE position > :position",
    "DELETE FROM sync_versions WHERE version > :version",
    """\
INSERT INTO sync_versions SELECT DISTINCT ON (context, relation, key)
    context, relation, key, seq, operation = 'delete'
FROM sync_changes ORDER BY context, relation, key, seq DESC
ON CONFLICT (context, relation, key) DO NOTHING
""",
    "UPDATE sync_feeds SET position = :position",
    "SELECT setval(pg_get_serial_sequence('sync_pending', 'seq'), :version)",
)


def documented():
    """The statements that the page for operators has for it."""
    page = OPERATIONS.read_text(encoding="utf-8")
    found = re.search(
        r"^   UPDATE sync_feeds.*?AS numbers;", page, re.DOTALL | re.MULTILINE
    )
    return [each for each in found[0].split(";") if each.strip()]


@pytest.fixture
def customer(sync, phone):
    """The id of a customer whom the phone knows by another name, which was lost when
    the database was restored by the way of the manual, and who has changed as often
    since."""
    saved = save(sync)
    for name in ("Eve", "Bea"):
        sync.session.execute(update(Customer).values(name=name))
        sync.commit()
    phone.create(CUSTOMER, {"name": "Lost"})
    phone.sync()
    restore(sync, saved)

    for statement in documented():
        sync.session.execute(text(statement))
    sync.commit()
    for department in ("PURCHASE", "SUPPORT"):
        sync.session.execute(update(Customer).values(department=department))
        sync.commit()
    return sync.session.scalar(select(Customer.id))


def test_devices_follow(phone, customer):
    """Devices that saw what was lost end as the server is."""
    phone.sync()
    assert [(r.id, r.fields["name"]) for r in phone.rows(CUSTOMER)] == [
        (customer, "Ada")
    ]
    assert phone.row(CUSTOMER, customer).fields["department"] == "SUPPORT"


def test_what_is_new_is_stored(sync, phone, customer):
    """What is changed on a device afterwards is stored."""
    phone.sync()
    phone.change(CUSTOMER, customer, {"age": 5})
    assert phone.sync()[0].stored == 1
    assert sync.session.scalar(select(Customer.age)) == 5


def test_what_was_seen_is_a_conflict(sync, phone, customer):
    """What was changed on top of what was lost does not overwrite what is new, though
    the device says a version that the server has had twice, without the manual."""
    phone.change(CUSTOMER, customer, {"department": "SALES"})
    [refused] = phone.sync()[0].refused
    assert refused.fields == {"department": "SALES"}
    assert [each.error["type"] for each in phone.refused] == ["conflict"]
    assert sync.session.scalar(select(Customer.department)) == "SUPPORT"
