"""Filters of roles are kept per organisation, and count from the next request on."""

from __future__ import annotations

import pytest

from libres.sync.errors import InvalidFilter, UnknownEntity
from libres.sync.filters import NO_ROWS, filter_of
from libres.sync.registry import registry_of
from libres.sync.values import Role

CUSTOMER = "myapp.Customer"
HERS = [{"field": "assigned_sales_id", "op": "eq", "value": "{{user.id}}"}]
ADULTS = [{"field": "age", "op": "ge", "value": 18}]


def test_set(context, sync, retail, mary, member_of):
    """Who has the role sees only what the filter shows; in place of what it was."""
    assert filter_of(sync.registry.named(CUSTOMER), mary) is None
    sync.filters.set(retail, mary.role, CUSTOMER, ADULTS)
    sync.filters.set(retail, mary.role, CUSTOMER, HERS)
    again = member_of("mary_sales")
    bound = filter_of(registry_of(context).named(CUSTOMER), again)
    (only,) = bound.conditions
    assert str(only.value) == mary.user.id


def test_other_organization(sync, acme, mary, member_of):
    """A filter of another organisation changes nothing here."""
    sync.filters.set(acme, mary.role, CUSTOMER, ADULTS)
    assert dict(member_of("mary_sales").filters) == {}


def test_remove(sync, retail, mary):
    """Without the filter all rows are seen again."""
    sync.filters.set(retail, mary.role, CUSTOMER, ADULTS)
    assert sync.filters.remove(retail, mary.role, CUSTOMER)
    assert not sync.filters.remove(retail, mary.role, CUSTOMER)
    assert sync.filters.all(retail) == []


def test_refused(sync, retail, mary):
    """What is wrong is not stored."""
    with pytest.raises(InvalidFilter):
        sync.filters.set(retail, mary.role, CUSTOMER, [])
    with pytest.raises(UnknownEntity):
        sync.filters.set(retail, mary.role, "myapp.customer", ADULTS)
    assert sync.filters.all() == []


def test_role_of_others(sync, acme, retail, mary):
    """A role of another organisation gets no filter."""
    foreign = Role(mary.role.id, "own", "Own", acme.id)
    with pytest.raises(UnknownEntity):
        sync.filters.set(retail, foreign, CUSTOMER, ADULTS)


def test_all(sync, retail, acme, mary):
    """What is stored is told, with what is wrong with it by now."""
    sync.filters.set(retail, mary.role, CUSTOMER, ADULTS)
    sync.filters.set(acme, mary.role, "myapp.Report", HIDDEN)
    (found,) = sync.filters.all(retail)
    assert (found.code, found.model) == (mary.role.code, CUSTOMER)
    assert (found.conditions, found.problem) == (ADULTS, None)
    assert len(sync.filters.all()) == 2


HIDDEN = [{"field": "title", "op": "starts_with", "value": "Public"}]


def test_model_has_gone(context, sync, retail, mary, member_of):
    """The filter of a model that is not there shows nothing, and says so."""
    sync.filters.set(retail, mary.role, CUSTOMER, ADULTS)
    model = registry_of(context)._models.pop(CUSTOMER)
    assert "no model" in sync.filters.all(retail)[0].problem
    again = member_of("mary_sales")
    assert again.filters[CUSTOMER].bound(again) is NO_ROWS
    assert model.name == CUSTOMER
