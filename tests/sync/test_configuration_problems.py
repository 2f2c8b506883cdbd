"""What is wrong with a configuration is told, all of it, and nothing is changed."""

from __future__ import annotations

import copy
import re

import pytest

from libres.context.registry import create_default_registry
from libres.sync import Sync
from libres.sync.configuration import SECTIONS
from libres.sync.errors import InvalidConfiguration
from libres.sync.examples import USERS, set_up_example
from tests.sync import models
from tests.sync.test_configuration import CUSTOMER, SALES, fill


@pytest.fixture(scope="module")
def configured(module_dsn):
    """The example, which the tests of this module leave as it is."""
    context = create_default_registry().register_context("test")
    context.set_setting("dsn", module_dsn)
    sync = Sync(context)
    models.register(sync.registry)
    sync.register_core()
    set_up_example(context, passwords=dict.fromkeys(USERS))
    fill(sync)
    yield sync.configuration
    sync.rollback()
    context.get_service("session_provider").stop_service()


@pytest.fixture
def document(configured):
    """What is exported."""
    return copy.deepcopy(configured.export())


RECORDS = {
    "organizations": {"slug": "new", "name": "New"},
    "users": {"username": "new"},
    "roles": {"code": "new", "name": "New"},
    "memberships": {"organization": "acme-corp", "user": "Ada", "role": "sales"},
    "permissions": {"organization": "acme-corp", "role": "sales", "model": CUSTOMER},
    "filters": {
        "organization": "acme-corp",
        "role": "sales",
        "model": CUSTOMER,
        "conditions": SALES,
    },
    "resources": {"organization": "acme-corp", "name": "Room 9", "timezone": "UTC"},
    "models": {"model": CUSTOMER, "on": True},
}

BAD = [
    ("organizations", {"slug": "A B"}, "slug"),
    ("organizations", {"slug": None}, "must be a text"),
    ("organizations", {"name": " "}, "must not be empty"),
    ("organizations", {"name": "a\0"}, "printable"),
    ("organizations", {"active": 1}, "true or false"),
    ("organizations", {"color": "red"}, "there is no field 'color'"),
    ("organizations", {"slug": "acme-corp", "reference": "1"}, "cannot be changed"),
    ("users", {"username": "system:x"}, "colon"),
    ("users", {"username": "\ud800"}, "printable"),
    ("users", {"password": "correct horse"}, "there is no field 'password'"),
    ("roles", {"pages": "all"}, "'admin', 'audit' or null"),
    ("roles", {"organization": "none"}, "no organisation 'none'"),
    ("memberships", {"user": "nobody"}, "no user 'nobody'"),
    ("memberships", {"user": "a\0"}, "user must be a text"),
    ("memberships", {"role": "nothing"}, "no role 'nothing'"),
    ("memberships", {"role": "sales", "organization": "none"}, "no organisation"),
    ("permissions", {"model": "libres.Nothing"}, "no model 'libres.Nothing'"),
    ("permissions", {"can_push": None}, "can_push must be true or false"),
    ("permissions", {"can_fly": True}, "no field 'can_fly'"),
    ("filters", {"conditions": "all"}, "filters, 'acme-corp' / 'sales'"),
    ("filters", {"conditions": [{"field": "x", "op": "eq", "value": 1}]}, "'x'"),
    ("filters", {"model": "no"}, "no model 'no'"),
    ("resources", {"timezone": "Mars/Base"}, "Europe/Zurich"),
    ("resources", {"timezone": 7}, "Europe/Zurich"),
    ("resources", {"name": "x" * 201}, "more than 200"),
    ("resources", {"name": "\ud800"}, "half characters"),
    ("resources", {"blocking_names": ["x", 1]}, "list of texts"),
    (
        "resources",
        {"organization": "city-university", "blocking_names": ["Room 1"]},
        "belongs to others",
    ),
    ("models", {"model": "<script>"}, "no model '<script>'"),
    ("models", {"on": "yes"}, "true or false"),
]


@pytest.mark.parametrize(("section", "fields", "said"), BAD)
def test_wrong_record(configured, section, fields, said):
    """A record that cannot be is told, with its place, and nothing is changed."""
    document = {section: [{**RECORDS[section], **fields}]}
    before = configured.export()
    problems = configured.validate(document)
    assert len(problems) == 1, problems
    assert said in problems[0]
    assert problems[0].startswith(section)
    with pytest.raises(InvalidConfiguration, match="cannot be applied") as raised:
        configured.apply({**document, "settings": {"feed_kept": 8}})
    assert raised.value.problems == tuple(problems)
    assert configured.export() == before


@pytest.mark.parametrize("section", RECORDS)
def test_right_record(configured, section):
    """The records of these tests are right but for what is wrong with them."""
    assert configured.validate({section: [RECORDS[section]]}) == []


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "must be an object"),
        ([], "must be an object"),
        ({"secrets": []}, "There is no section 'secrets'"),
        ({"settings": []}, "settings: must be an object"),
        ({"settings": {"feed_kept": 0}}, "between 1 and"),
        ({"settings": {"feed_kept": True}}, "a whole number"),
        ({"settings": {"x": 1}}, "There is no setting 'x'"),
        ({"roles": {}}, "roles: must be a list"),
        ({"roles": [1]}, "roles, 1: must be an object"),
        ({"roles": [{}]}, "code is missing"),
        ({"roles": [RECORDS["roles"]] * 2}, "said twice"),
        ({"users": [{"username": "a"}, {"username": "A"}]}, "said twice"),
    ],
)
def test_wrong_form(configured, document, said):
    """What is no such document is told, too."""
    assert any(said in each for each in configured.validate(document))


def test_all_problems(configured):
    """All that is wrong is told at once."""
    roles = [{**RECORDS["roles"], "pages": each} for each in ("a", "b", None)]
    document = {"roles": roles, "users": 1, "settings": {"x": 1}}
    assert len(configured.validate(document)) == 4


def test_same_rows(configured, document):
    """Two organisations cannot have the same rows."""
    reference = document["organizations"][0]["reference"]
    wanted = {"organizations": [{**RECORDS["organizations"], "reference": reference}]}
    assert "'acme-corp' has the same" in configured.validate(wanted)[0]


def test_role_in_use(configured):
    """A role that somebody has cannot go, unless they get another one."""
    wanted = {"roles": []}
    assert configured.validate(wanted) == []
    problems = configured.validate(wanted, replace=True)
    assert any("'Ada' has the role 'sales'" in each for each in problems)
    assert configured.validate({**wanted, "memberships": []}, replace=True) == []


@pytest.mark.parametrize("section", SECTIONS[1:])
def test_fuzzed(configured, document, section):
    """Whatever is in the place of a value, it is told, and nothing breaks."""
    for name in document[section][0]:
        for value in (None, [], {}, [[]], 1.5, "\ud800", "\0", "x" * 10_000, {"a": []}):
            wanted = copy.deepcopy(document)
            wanted[section][0][name] = value
            for each in configured.validate(wanted):
                assert re.fullmatch(r"[^\0]+\.", each, re.DOTALL), each
