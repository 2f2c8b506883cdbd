"""Rights are set flag by flag, or by a document that counts as a whole."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from libres.sync.errors import InvalidPermissions, UnknownEntity
from libres.sync.models import SyncPermission
from libres.sync.permissions import NAMES, TEMPLATES, Applied
from libres.sync.registry import registry_of
from libres.sync.values import ALL, NOTHING, Flags
from tests.fixtures.statements import counted

CUSTOMER, NOTE, REPORT = "myapp.Customer", "myapp.Note", "myapp.Report"


def flags(**given):
    """Flags as a document has them."""
    return {f"can_{name}": value for name, value in given.items()}


# One by one ---------------------------------------------------------------------------


def test_grant_and_revoke(rights, shop, clerk):
    """Flags are switched by themselves; the others remain."""
    assert rights.grant(shop, clerk, REPORT, "pull", "read", "push") == Flags(
        push=True, pull=True, read=True
    )
    assert rights.revoke(shop, clerk, REPORT, "can_push") == Flags(pull=True, read=True)
    assert rights.of(shop, clerk) == {REPORT: Flags(pull=True, read=True)}


def test_in_one_organisation(rights, shop, acme, clerk):
    """What is granted in one organisation is not granted in others."""
    rights.set(shop, clerk, REPORT, ALL)
    assert rights.of(acme, clerk) == {}


@pytest.mark.parametrize(
    "name",
    [
        "organization_id",
        "organization",
        "version",
        "",
        "Push",
        "can_",
        "_fields",
        "can",
    ],
)
@pytest.mark.parametrize("switch", ["grant", "revoke"])
def test_flag_outside_the_six(rights, shop, clerk, switch, name):
    """It is refused, and what was named with it is not changed either."""
    with pytest.raises(InvalidPermissions, match="not one of the six") as raised:
        getattr(rights, switch)(shop, clerk, REPORT, "push", name)
    assert len(raised.value.problems) == 1
    assert rights.of(shop, clerk) == {}


@pytest.mark.parametrize("act", ["set", "grant"])
def test_unknown_model(rights, shop, clerk, act):
    """Case matters; what is not registered is refused."""
    with pytest.raises(UnknownEntity):
        getattr(rights, act)(shop, clerk, "myapp.customer", *_argument(act))


@pytest.mark.parametrize("act", ["set", "grant"])
def test_foreign_role(sync, rights, shop, acme, act):
    """The role of another organisation is given nothing."""
    role = sync.roles.add("buyers", "Buyers", acme)
    with pytest.raises(UnknownEntity):
        getattr(rights, act)(shop, role, REPORT, *_argument(act))


def _argument(act):
    return [ALL] if act == "set" else ["pull"]


def test_versions(sync, rights, shop, clerk):
    """A version grows with each change, and with nothing else."""
    for given in (ALL, ALL, NOTHING):
        rights.set(shop, clerk, REPORT, given)
    assert sync.session.scalars(select(SyncPermission.version)).all() == [2]


# Documents ----------------------------------------------------------------------------


def test_export_and_apply(rights, acme, shop):
    """S23: exported, applied to an empty organisation, exported: the same."""
    document = rights.export(acme)
    read = json.loads(json.dumps(document))
    many = sum(map(len, document.values()))
    assert rights.apply(shop, read) == Applied(many, 0, 0)
    assert rights.export(shop) == document
    assert set(document["analysts"][CUSTOMER]) == set(NAMES)


def test_counts(rights, shop, clerk):
    """Created, updated and removed are told; what is as it was is none of them."""
    for model in (CUSTOMER, NOTE, REPORT):
        rights.grant(shop, clerk, model, "pull")
    document = {
        "clerk": {
            CUSTOMER: flags(pull=True),
            NOTE: flags(pull=True, read=True),
            "myapp.Country": flags(pull=True),
        }
    }
    assert rights.apply(shop, document, dry_run=True) == Applied(1, 1, 1)
    assert REPORT in rights.of(shop, clerk)
    assert rights.apply(shop, document) == Applied(1, 1, 1)
    assert rights.of(shop, clerk)[NOTE] == Flags(pull=True, read=True)
    assert REPORT not in rights.of(shop, clerk)
    assert rights.apply(shop, document) == Applied(0, 0, 0)


def test_others_are_left_alone(rights, acme, retail):
    """What a document does not name is removed in its organisation only."""
    before = rights.export(retail)
    assert rights.apply(acme, {}).removed > 0
    assert rights.export(acme) == {}
    assert rights.export(retail) == before


def test_names_of_roles(rights, shop, clerk):
    """Older documents name roles as people do."""
    rights.apply(shop, {"Clerk": {REPORT: flags(pull=True)}})
    assert rights.of(shop, clerk) == {REPORT: Flags(pull=True)}


def test_own_role_before_global(sync, rights, shop, clerk):
    """A code means the organisation's own role; the rights of the global one remain."""
    rights.grant(shop, clerk, REPORT, "pull")
    own = sync.roles.add("clerk", "Our clerk", shop)
    rights.apply(shop, {"clerk": {NOTE: flags(push=True)}})
    assert rights.of(shop, own) == {NOTE: Flags(push=True)}
    assert rights.of(shop, clerk) == {REPORT: Flags(pull=True)}
    assert rights.export(shop)["clerk"].keys() == {NOTE}


WRONG = [
    pytest.param([], "must be an object, not list", id="no object"),
    pytest.param(None, "must be an object, not null", id="null"),
    pytest.param({"clerk": None}, "'clerk' must be an object", id="no models"),
    pytest.param(
        {"clerk": {REPORT: True}}, "must be an object, not bool", id="no flags"
    ),
    pytest.param({"nobody": {}}, "no role 'nobody'", id="unknown role"),
    pytest.param({1: {}}, "no role 1", id="role that is no text"),
    pytest.param({"clerk": {"x\0": {}}}, "no model", id="unknown model"),
    pytest.param({"clerk": {("x",): {}}}, "no model", id="model that is no text"),
    pytest.param({"clerk": {REPORT: {"x": True}}}, "not one of the six", id="flag"),
    pytest.param({"clerk": {REPORT: {"can_pull": 1}}}, "true or false", id="number"),
    pytest.param({"clerk": {REPORT: {"can_pull": "no"}}}, "true or false", id="text"),
    pytest.param(
        {"clerk": {REPORT: {"can_pull": True, "pull": False}}}, "twice", id="flag twice"
    ),
    pytest.param({"clerk": {}, "Clerk": {}}, "the same role", id="role twice"),
]


@pytest.mark.parametrize(("document", "told"), WRONG)
def test_wrong_document(rights, shop, clerk, document, told):
    """It is told what is wrong, and nothing is changed."""
    rights.grant(shop, clerk, REPORT, "pull")
    (problem,) = rights.validate(document, shop)
    assert told in problem
    with pytest.raises(InvalidPermissions) as raised:
        rights.apply(shop, document)
    assert raised.value.problems == (problem,)
    assert rights.of(shop, clerk) == {REPORT: Flags(pull=True)}


def test_all_problems_at_once(rights, shop, clerk):
    """Whoever has written a document is told all of it in one go."""
    document = {
        clerk.code: {"no.Model": flags(pull=True), REPORT: {"x": 1, "can_pull": "y"}},
        "nobody": {"no.Other": flags(pull=True)},
    }
    assert len(rights.validate(document, shop)) == 5


def test_role_of_others(sync, rights, shop, acme):
    """The role of another organisation is told as if there was none."""
    sync.roles.add("buyers", "Buyers", acme)
    assert rights.validate({"buyers": {}}, shop) == rights.validate(
        {"buyers": {}}, shop
    )
    assert rights.validate({"buyers": {}}, shop) == ["There is no role 'buyers' here."]


@pytest.mark.parametrize("many", [1, 50])
def test_statements(sync, rights, shop, many):
    """A document costs four statements, however many rights it changes."""
    for number in range(many):
        role = sync.roles.add(f"role-{number}", f"Role {number}")
        rights.grant(shop, role, REPORT, "pull")
    document = {f"role-{n}": {NOTE: flags(pull=True)} for n in range(many)}
    with counted(sync.session) as statements:
        assert rights.apply(shop, document) == Applied(many, 0, many)
    assert len(statements) == 4


# Templates ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates(sync, rights, shop, clerk, name):
    """What a template gives can be applied, over registered models only."""
    models = [each.name for each in registry_of(sync.context)]
    document = rights.generate(name, [clerk], models)
    rights.apply(shop, document)
    found = rights.of(shop, clerk)
    assert set(found) == set(models)
    assert set(found.values()) == {TEMPLATES[name]}


def test_no_template(rights, clerk):
    """A template that is none is refused, and so is an unknown model."""
    with pytest.raises(InvalidPermissions, match="full_access"):
        rights.generate("everything", [clerk], [REPORT])
    with pytest.raises(UnknownEntity):
        rights.generate("custom", [clerk], ["no.Model"])
