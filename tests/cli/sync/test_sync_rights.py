"""`libres sync` from the outside: rights, filters, resources, models and settings."""

from __future__ import annotations

import json

import pytest

from libres.sync.filter_store import Filters
from libres.sync.permissions import Permissions
from libres.sync.values import Flags
from tests.cli.sync.running import invoked

CUSTOMER = "myapp.Customer"
MAY_PULL = {"can_pull": True, "can_read": True}

SALES = json.dumps([{"field": "department", "op": "eq", "value": "Sales"}])


@pytest.fixture
def rights_of(house, context):
    """Tells what a role may do with customers at Acme, as the database says now."""

    def rights_of(code):
        house.rollback()
        acme = house.organizations.named("acme-corp")
        found = Permissions(context).of(acme, house.roles.named(code, acme))
        return found.get(CUSTOMER)

    return rights_of


# Permissions --------------------------------------------------------------------------


@pytest.mark.usefixtures("house")
def test_show(done):
    """The matrix has a row for each role and model, or for those of one role."""
    said = done("permissions show", "acme-corp")
    assert "analysts" in said
    assert "libres.Reservation" in said
    said = done("permissions show", "acme-corp", "--role", "sales")
    assert "analysts" not in said
    assert "sales" in said


@pytest.mark.usefixtures("house")
def test_grant_and_revoke(done, rights_of):
    """Flags are switched one by one."""
    said = done(
        "permissions grant", "acme-corp", "analysts", CUSTOMER, "push", "update"
    )
    assert said == f"analysts may do this with {CUSTOMER}: push, pull, read, update.\n"
    wanted = Flags(push=True, pull=True, read=True, update=True)
    assert rights_of("analysts") == wanted
    flags = ["push", "pull", "read", "update"]
    said = done("permissions revoke", "acme-corp", "analysts", CUSTOMER, *flags)
    assert said == f"analysts may do nothing with {CUSTOMER}.\n"
    assert rights_of("analysts") == Flags()


def test_generate(house, done):
    """A file is begun from a template: for all, or for some."""
    everything = json.loads(done("permissions generate", "acme-corp", "read_only"))
    assert set(everything) == {each.code for each in house.roles.all()}
    some = ["--role", "sales", "--model", CUSTOMER]
    found = json.loads(done("permissions generate", "acme-corp", "read_only", *some))
    assert list(found) == ["sales"]
    assert list(found["sales"]) == [CUSTOMER]
    assert found["sales"][CUSTOMER]["can_pull"] is True
    assert found["sales"][CUSTOMER]["can_push"] is False


@pytest.mark.usefixtures("house")
def test_apply(done, rights_of):
    """A file says all rights: what it does not name is removed."""
    given = json.dumps({"sales": {CUSTOMER: MAY_PULL}})
    said = done("permissions apply", "acme-corp", "-", input=given)
    assert said.startswith("0 created, 1 updated, ")
    assert rights_of("sales") == Flags(pull=True, read=True)
    assert rights_of("analysts") is None


@pytest.mark.usefixtures("house")
def test_import(done, rights_of):
    """What is imported is added, and removes nothing."""
    given = json.dumps({"sales": {CUSTOMER: MAY_PULL}})
    said = done("permissions import", "acme-corp", "-", input=given)
    assert said == "0 created, 1 updated, 0 removed.\n"
    assert rights_of("sales") == Flags(pull=True, read=True)
    assert rights_of("analysts") == Flags(pull=True, read=True)


@pytest.mark.usefixtures("house")
def test_export(done, tmp_path):
    """What is exported can be applied, and changes nothing."""
    file = tmp_path / "rights.json"
    file.write_text(done("permissions export", "acme-corp"), encoding="utf-8")
    said = done("permissions validate", "acme-corp", str(file))
    assert said == "It can be applied.\n"
    said = done("permissions apply", "acme-corp", str(file))
    assert said == "0 created, 0 updated, 0 removed.\n"


@pytest.mark.usefixtures("house")
def test_validate(run):
    """All that is wrong is said, and the status is 1."""
    given = json.dumps({"nobody": {CUSTOMER: {}}, "sales": {"\x1b[31m": {"fly": 1}}})
    result = run("permissions validate", "acme-corp", "-", input=given)
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 3
    assert "There is no role 'nobody' here." in result.output
    assert "\x1b" not in result.output


def test_templates():
    """They are listed with what they allow; no database is needed."""
    assert "read_write" in invoked("permissions", "templates").stdout


BAD_FILES = [
    ("[]", "must be an object"),
    ("{", "JSON"),
    ('{"sales": {}, "sales": {}}', "twice|duplicate|more than once"),
    ('{"nobody": {}}', "There is no role 'nobody'"),
    ('{"sales": {"nothing": {}}}', "there is no model 'nothing'"),
    (f'{{"sales": {{"{CUSTOMER}": {{"can_fly": true}}}}}}', "six flags"),
    (f'{{"sales": {{"{CUSTOMER}": {{"can_push": 1}}}}}}', "true or false"),
    (f'{{"sales": {{"{CUSTOMER}": []}}}}', "must be an object"),
    ('{"sales": 7}', "must be an object"),
]


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("command", ["apply", "import"])
@pytest.mark.parametrize(("given", "said"), BAD_FILES)
def test_bad_files(refuses, command, given, said):
    """A file that is wrong is refused as a whole."""
    refuses(f"permissions {command}", ["acme-corp", "-"], said, input=given)


# Filters ------------------------------------------------------------------------------


@pytest.mark.usefixtures("house")
def test_filters(done, context):
    """A filter is set, listed and removed."""
    done("filters set", "acme-corp", "sales", CUSTOMER, SALES)
    (found,) = Filters(context).all()
    assert found.conditions == json.loads(SALES)
    said = done("filters list", "--org", "acme-corp")
    assert "department" in said
    assert "department" not in done("filters list", "--org", "global-retail")
    done("filters remove", "acme-corp", "sales", CUSTOMER)
    assert "department" not in done("filters list")


def test_filter_of_earlier(house, done):
    """The list says why a filter shows nothing now."""
    done("filters set", "acme-corp", "sales", CUSTOMER, SALES)
    house.session.connection().exec_driver_sql(
        """UPDATE sync_filters SET conditions = '[{"field": "fax"}]'"""
    )
    house.commit()
    assert "must be of the form" in done("filters list")


# Resources ----------------------------------------------------------------------------


@pytest.mark.usefixtures("house")
def test_resources(done):
    """A resource gets an owner, is listed, and loses it."""
    options = ["--timezone", "Europe/Zurich", "--blocking", "Hall"]
    said = done("resources add", "acme-corp", "Room 201", *options)
    assert said == "Room 201 belongs to Acme Corporation.\n"
    said = done("resources list")
    assert all(each in said for each in ("acme-corp", "Europe/Zurich", "Hall"))
    assert "Room" not in done("resources list", "--org", "global-retail")
    assert done("resources remove", "Room 201") == (
        "Room 201 belongs to nobody any more.\n"
    )
    assert "Room" not in done("resources list")


# Models -------------------------------------------------------------------------------


@pytest.mark.usefixtures("house")
def test_models(done):
    """They are listed with their tables, and whether changes are noted."""
    lines = {line.split()[0]: line for line in done("models list").splitlines()}
    assert "customers" in lines[CUSTOMER]
    assert "organization_id" in lines[CUSTOMER]
    assert lines[CUSTOMER].split()[-1] == "yes"
    assert "shared by all" in lines["myapp.Country"]
    assert "its handler knows" in lines["libres.Reservation"]


@pytest.mark.usefixtures("house")
def test_describe(done):
    """The fields of a model are shown as clients know them; secrets are none."""
    said = done("models describe", CUSTOMER)
    assert "department" in said
    assert "secret_note" not in said


@pytest.mark.usefixtures("house")
def test_discover(done):
    """What could be registered is proposed, or written as code."""
    said = done("models discover", "tests.sync.models:Base")
    assert "It is registered." in said
    said = done("models discover", "tests.conflicts.tracking.host:Base", "--code")
    assert "registry.register(" in said


# Settings -----------------------------------------------------------------------------


def test_settings(house, done):
    """A setting is changed and reset; the list says by whom."""
    said = done("settings set", "requests_per_minute", "120", "--by", "ada")
    assert said == "requests_per_minute is 120.\n"
    assert house.settings.get("requests_per_minute") == 120
    assert "ada" in done("settings list")
    said = done("settings reset", "requests_per_minute")
    assert said == "requests_per_minute is 60.\n"


# What goes wrong ----------------------------------------------------------------------

GRANT = ["acme-corp", "sales", CUSTOMER]

WRONG = [
    ("permissions show", ["nobody"], "no organisation 'nobody'"),
    ("permissions show", ["acme-corp", "--role", "x"], "no role 'x'"),
    ("permissions grant", ["acme-corp", "sales", "x", "push"], "no model 'x'"),
    ("permissions grant", ["acme-corp", "x", CUSTOMER, "push"], "no role 'x'"),
    ("permissions grant", [*GRANT, "fly"], "is not one of"),
    ("permissions grant", GRANT, "Missing argument"),
    ("permissions revoke", ["x", "sales", CUSTOMER, "push"], "no organisation 'x'"),
    ("permissions generate", ["acme-corp", "all"], "is not one of"),
    ("permissions generate", ["acme-corp", "custom", "--role", "x"], "no role 'x'"),
    ("permissions generate", ["acme-corp", "custom", "--model", "x"], "no model 'x'"),
    ("permissions export", ["nobody"], "no organisation 'nobody'"),
    ("permissions apply", ["acme-corp", "nowhere.json"], "No such file"),
    ("permissions validate", ["nobody", "-"], "no organisation 'nobody'"),
    ("filters list", ["--org", "x"], "no organisation 'x'"),
    ("filters set", [*GRANT, "{"], "JSON"),
    ("filters set", [*GRANT, "{}"], "list"),
    ("filters set", [*GRANT, '[{"field": "fax", "op": "eq", "value": 1}]'], "fax"),
    ("filters set", ["acme-corp", "sales", "x", "[]"], "no model 'x'"),
    ("filters remove", GRANT, "has no filter for"),
    ("resources add", ["nobody", "Room"], "no organisation 'nobody'"),
    ("resources add", ["acme-corp", " "], "1 to 200 characters"),
    ("resources add", ["acme-corp", "x", "--timezone", "Mars"], "is not a timezone"),
    ("resources remove", ["Room"], "has a resource 'Room'"),
    ("models describe", ["x"], "no model 'x'"),
    ("models discover", ["json:loads"], "is no declarative base"),
    ("models discover", ["nowhere:Base"], "is not MODULE:NAME"),
    ("settings set", ["speed", "1"], "no setting 'speed'"),
    ("settings set", ["deepest", "1000"], "between 2 and 200"),
    ("settings set", ["deepest", "deep"], "is no whole number"),
    ("settings set", ["deepest", "9" * 5000], "is no whole number"),
    ("settings set", ["deepest", "yes"], "a whole number"),
    ("settings reset", ["speed"], "no setting 'speed'"),
]


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(("command", "arguments", "said"), WRONG)
def test_refused(refuses, command, arguments, said):
    """What cannot be done is said in a sentence, and nothing of it is stored."""
    refuses(command, arguments, said, input="{}")


PULL = json.dumps({"sales": {CUSTOMER: MAY_PULL}})

DRY = [
    ("permissions grant", ["acme-corp", "analysts", CUSTOMER, "push"]),
    ("permissions revoke", ["acme-corp", "analysts", CUSTOMER, "pull"]),
    ("permissions apply", ["acme-corp", "-"]),
    ("permissions import", ["acme-corp", "-"]),
    ("filters set", [*GRANT, SALES]),
    ("filters remove", ["global-retail", "sales", CUSTOMER]),
    ("resources add", ["acme-corp", "Room 202"]),
    ("resources remove", ["Room 201"]),
    ("settings set", ["deepest", "10"]),
    ("settings reset", ["largest_push"]),
]


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(("command", "arguments"), DRY)
def test_dry_run(done, content, command, arguments):
    """A dry run says what would be done, and stores nothing."""
    done("filters set", "global-retail", "sales", CUSTOMER, SALES)
    done("resources add", "acme-corp", "Room 201")
    done("settings set", "largest_push", "5")
    before = content()
    said = done(f"{command} --dry-run", *arguments, input=PULL)
    assert said.startswith("Dry run, nothing is written: ")
    assert content() == before
    assert done(command, *arguments, input=PULL) == said.removeprefix(
        "Dry run, nothing is written: "
    )
    assert content() != before
