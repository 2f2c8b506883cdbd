"""Whoever sees other rows, or other fields, has another scope."""

from __future__ import annotations

from uuid import UUID

import pytest

from libres.sync.filters import Filter
from libres.sync.registry import Registry
from libres.sync.scopes import scope_of
from libres.sync.values import ALL
from tests.sync import models
from tests.sync.models import Customer
from tests.sync.pulls import ACME, RETAIL, member_of

NAME = "myapp.Customer"


def registered(**options):
    """A customer, registered with some options."""
    options = {"tenant": Customer.organization_id, **options}
    return Registry().register(Customer, name=NAME, **options)


@pytest.fixture
def model():
    """The model of customers."""
    registry = Registry()
    models.register(registry)
    return registry.named(NAME)


def with_filter(model, value, user=7, op="eq", field="assigned_sales_id"):
    """A member with a filter."""
    found = Filter.of(model, [{"field": field, "op": op, "value": value}])
    return member_of(ACME, user=user, filters={NAME: found})


def test_stays(model):
    """Asked twice, it is the same."""
    assert scope_of(model, member_of()) == scope_of(model, member_of())


def test_short(model):
    """It is short, as cursors carry one per model."""
    assert len(scope_of(model, member_of())) == 16


def test_colleagues(model):
    """Colleagues who see the same have the same."""
    assert scope_of(model, member_of(user=7)) == scope_of(model, member_of(user=8))


def test_organizations(model):
    """Organisations see different rows."""
    assert scope_of(model, member_of(ACME)) != scope_of(model, member_of(RETAIL))


def test_filter(model):
    """With a filter, and with another value, others are seen."""
    scopes = {
        scope_of(model, member_of()),
        scope_of(model, with_filter(model, str(UUID(int=1)))),
        scope_of(model, with_filter(model, str(UUID(int=2)))),
        scope_of(model, with_filter(model, "SALES", field="department")),
    }
    assert len(scopes) == 4


def test_placeholder(model):
    """The same filter shows each of two users something else."""
    mine, yours = (with_filter(model, "{{user.id}}", user) for user in (7, 8))
    assert scope_of(model, mine) != scope_of(model, yours)


def test_misunderstood(model):
    """A filter that cannot be understood any more shows something else: nothing."""
    broken = member_of(filters={NAME: Filter.stored(model, [{"field": "gone"}])})
    assert scope_of(model, broken) != scope_of(model, member_of())


def test_fields():
    """With another field, devices lack its values."""
    more = registered(fields=[Customer.name, Customer.age])
    fewer = registered(fields=[Customer.name])
    assert scope_of(more, member_of()) != scope_of(fewer, member_of())


def test_order_of_fields():
    """In which order fields are listed makes no difference."""
    one = registered(fields=[Customer.name, Customer.age])
    other = registered(fields=[Customer.age, Customer.name])
    assert scope_of(one, member_of()) == scope_of(other, member_of())


def test_rights_to_write(model):
    """Who may write as well sees no other rows."""
    writing = member_of()
    writing.flags[NAME] = ALL
    assert scope_of(model, writing) == scope_of(model, member_of())
