"""The matrix of rights: what it shows, and what becomes of what is ticked."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from io import BytesIO
from threading import Barrier

import pytest
from sqlalchemy import Engine

from libres.sync.audit import Audit
from libres.sync.matrix import Matrix
from libres.sync.memberships import Memberships
from libres.sync.permissions import Permissions
from libres.sync.roles import Roles
from libres.sync.switches import Switches
from libres.sync.users import Users
from libres.sync.values import ALL, NOTHING, Flags
from libres.web.config import permissions as pages
from tests.fixtures.statements import counted_on

CUSTOMER, NOTE, REPORT = "myapp.Customer", "myapp.Note", "myapp.Report"

BUDGET = 7
"""Statements: who visits and what they may, roles, rights, who has the roles, and two
for what is switched off."""

BOX = re.compile(r'<input type="checkbox"[^>]*>')
RIGHT = re.compile(r'name="right" value="([^"]*)"')
HOSTILE = "\"><script>alert('x')</script>\u202e{{ 7*7 }}"


class Desk:
    """The rights of an office, and what its pages say of them."""

    def __init__(self, office):
        self.office = office
        self.context = office.house.context
        self.rights = Permissions(self.context)
        self.organization = office.organization
        self.role = self.do(
            lambda: Roles(self.context).named(
                office.users["nobody"].username.replace("_", "-"), self.organization
            )
        )
        self.path = f"permissions/{office.slug}/"

    def do(self, act):
        """Change something, and commit."""
        return self.office.house.do(act)

    def grant(self, model, *flags):
        """Give the role of nobody rights."""
        self.do(lambda: self.rights.grant(self.organization, self.role, model, *flags))

    def of(self, model):
        """What that role may do, and the version of it."""

        def look():
            return self.rights.matrix(self.organization).of(self.role, model)

        right = self.do(look)
        return right.flags, right.version

    def everything(self):
        """All rights of the office."""
        return self.do(lambda: self.rights.export(self.organization))

    def wish(self, **more):
        """What a box sends that is ticked."""
        told = {"role": str(self.role.id), "model": REPORT, "flag": "pull"}
        return {**told, "value": True, "version": 0, **more}

    def update(self, tab, **more):
        """Tick a box."""
        return tab.post(f"{self.path}update/", self.wish(**more))

    def bulk(self, tab, **body):
        """Press a button for several."""
        return tab.post(f"{self.path}bulk-update/", body)

    def form(self, tab):
        """The lines of the form of the role, as they are shown."""
        text = tab.open(self.path, role=str(self.role.id)).text
        return [unescape(each) for each in RIGHT.findall(text)]


@pytest.fixture
def desk(office):
    """The rights of the office."""
    return Desk(office)


def ticked(text):
    """The labels of the boxes that are ticked."""
    return {
        unescape(re.search(r'aria-label="([^"]*)"', each)[1])
        for each in BOX.findall(text)
        if " checked" in each
    }


# What is shown ------------------------------------------------------------------------


def test_exactly_what_is_granted(desk, admin):
    """S20: exactly the boxes of what was granted are ticked."""
    desk.grant(REPORT, "pull")
    desk.grant(CUSTOMER, "delete")
    found = admin.open(desk.path)
    assert found.status_code == 200
    assert ticked(found.text) == {f"pull: {REPORT}", f"delete: {CUSTOMER}"}


def test_all_boxes(desk, admin):
    """Each role has a box per model and flag, which can be ticked."""
    text = admin.open(desk.path).text
    found = desk.do(lambda: desk.rights.matrix(desk.organization))
    cells = len(found.roles) * len(found.models)
    assert len(BOX.findall(text)) == cells * len(Flags._fields)
    assert not any("disabled" in each for each in BOX.findall(text))


def test_auditors(desk, auditor):
    """Who only looks gets boxes that cannot be ticked, and no button."""
    text = auditor.open(desk.path).text
    assert all("disabled" in each for each in BOX.findall(text))
    assert "data-save" not in text
    assert "matrix.js" not in text


def test_one_role(desk, admin):
    """One role is shown at a time if it is asked for."""
    text = admin.open(desk.path, role=str(desk.role.id)).text
    assert text.count('<section class="role"') == 1
    assert f'id="role-{desk.role.id}"' in text


def test_many_at_once(desk, admin, monkeypatch):
    """Where there are too many rights for a page, roles are shown one by one."""
    monkeypatch.setattr(pages, "MOST", 7)
    text = admin.open(desk.path).text
    assert text.count('<section class="role"') == 1
    assert "All roles" not in text


def test_size(desk, admin, monkeypatch):
    """With fifty models and ten roles the page is not larger than a picture."""
    plain = Permissions.matrix

    def matrix(self, organization):
        found = plain(self, organization)
        names = [f"application.of.the.host.Model{number}" for number in range(50)]
        return Matrix(found.roles, tuple(names), found.rights)

    monkeypatch.setattr(Permissions, "matrix", matrix)
    add = Roles(desk.context).add
    desk.do(lambda: [add(f"r{n}", f"R{n}", desk.organization) for n in range(6)])
    text = admin.open(desk.path).text
    assert len(BOX.findall(text)) == 50 * len(Flags._fields)
    assert len(text) < 150_000


def test_switched_off(desk, admin):
    """A model that nobody can push or pull at the moment is said to be off."""
    switches = Switches(desk.context)
    assert "switched off" not in admin.open(desk.path).text
    desk.do(lambda: switches.set(REPORT, False))
    try:
        assert "switched off" in admin.open(desk.path).text
    finally:
        desk.do(lambda: switches.set(REPORT, True))


def test_users_of_a_role(desk, admin):
    """It is told how many have a role, and their names; who is out does not count."""
    text = admin.open(desk.path, role=str(desk.role.id)).text
    assert "1 user" in text
    assert desk.office.users["nobody"].username in text
    user = desk.office.users["nobody"]
    memberships = Memberships(desk.context)
    desk.do(lambda: memberships.set_active(user, desk.organization, False))
    text = admin.open(desk.path, role=str(desk.role.id)).text
    assert "No user has this role." in text


def test_hostile_names(desk, admin):
    """What roles are called is shown, and does nothing."""
    name = HOSTILE.replace("\u202e", "")
    desk.do(lambda: Roles(desk.context).add("odd", name, desk.organization))
    text = admin.open(desk.path).text
    assert "<script>alert" not in text
    assert "{{ 7*7 }}" in text


def test_chooser(desk, other, admin, staff):
    """One comes to the first organisation, or to the one that is chosen."""
    found = admin.open("permissions/")
    assert found.status_code == 303
    assert found.location.endswith(f"/config/{desk.path}")
    found = staff.open("permissions/", organization=other.slug)
    assert found.location.endswith(f"/config/permissions/{other.slug}/")
    found = admin.open("permissions/", organization=other.slug)
    assert found.status_code == 404


@pytest.mark.parametrize("many", [1, 8])
def test_statements(desk, admin, many):
    """The page costs the same however many roles and members there are."""
    context = desk.context

    def employ():
        for number in range(many):
            role = Roles(context).add(f"r{number}", f"R{number}", desk.organization)
            user = Users(context).add(f"{desk.office.slug}-{number}")
            Memberships(context).add(user, desk.organization, role)
            desk.rights.set(desk.organization, role, REPORT, ALL)

    desk.do(employ)
    admin.open(desk.path)
    with counted_on(Engine) as statements:
        admin.open(desk.path)
    assert len(statements) == BUDGET, "\n".join(statements)


# Who may ------------------------------------------------------------------------------

POSTS = ["update/", "bulk-update/"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("kind", ["auditor", "nobody", None])
def test_who_may_not(desk, path, kind):
    """Who may not change an organisation changes nothing."""
    found = desk.office.tab(kind).post(f"{desk.path}{path}", desk.wish())
    assert found.status_code == (401 if kind is None else 403)
    assert desk.everything() == {}


@pytest.mark.parametrize("path", [*POSTS, "save/", "import/", "apply/"])
def test_organisation_of_others(desk, other, admin, path):
    """An organisation of others is not there."""
    found = admin.post(f"permissions/{other.slug}/{path}", desk.wish())
    assert found.status_code == 404


@pytest.mark.parametrize("path", [*POSTS, "save/", "import/", "apply/"])
def test_without_token(desk, admin, path):
    """S20: what no page of ours has sent is refused."""
    found = admin.post(f"{desk.path}{path}", desk.wish(), token=False)
    assert found.status_code == 403
    assert desk.everything() == {}


# One box ------------------------------------------------------------------------------


def test_tick(desk, admin):
    """A box is saved at once, and the answer has the version that it has now."""
    found = desk.update(admin)
    assert (found.status_code, found.json["version"]) == (200, 1)
    assert found.json["value"] is True
    assert found.json["flags"] == Flags(pull=True)._asdict()
    assert desk.of(REPORT) == (Flags(pull=True), 1)
    found = desk.update(admin, value=False, version=1)
    assert (found.json["value"], found.json["version"]) == (False, 2)


def test_by_code(desk, staff):
    """Staff changes any organisation; a role goes by its code as well."""
    assert desk.update(staff, role=desk.role.code).status_code == 200


def test_code_of_two_roles(desk, admin):
    """A code means the role of the organisation before that of all."""
    code = f"twin-{desk.office.slug}"
    roles = Roles(desk.context)
    twin = desk.do(lambda: roles.add(code, "Of all"))
    own = desk.do(lambda: roles.add(code, "Ours", desk.organization))
    assert desk.update(admin, role=code).status_code == 200
    assert desk.do(lambda: desk.rights.of(desk.organization, own))
    assert desk.update(admin, role=str(twin.id)).status_code == 200
    assert desk.do(lambda: desk.rights.of(desk.organization, twin))


def test_somebody_was_faster(desk, admin, staff):
    """The second of two who look at the same is told what it is now."""
    assert desk.update(staff, flag="delete").status_code == 200
    found = desk.update(admin)
    assert found.status_code == 409
    assert found.json["version"] == 1
    assert found.json["value"] is False
    assert found.json["flags"] == Flags(delete=True)._asdict()
    assert desk.of(REPORT) == (Flags(delete=True), 1)


def test_at_the_same_moment(desk, admin, staff):
    """Of two who are equally fast, one is told that the other was faster."""
    barrier = Barrier(2)

    def tick(tab, flag, token):
        body, headers = desk.wish(flag=flag), {"X-CSRF-Token": token}
        barrier.wait()
        url = f"/config/{desk.path}update/"
        return tab.http.post(url, json=body, headers=headers).status_code

    racers = [(admin, "pull", admin.token), (staff, "push", staff.token)]
    with ThreadPoolExecutor(2) as pool:
        found = sorted(pool.map(lambda each: tick(*each), racers))
    assert found == [200, 409]
    flags, version = desk.of(REPORT)
    assert (sum(flags), version) == (1, 1)


WRONG = [
    pytest.param({"flag": "organization_id"}, id="a column that is no flag"),
    pytest.param({"flag": "version"}, id="another column"),
    pytest.param({"flag": ["pull"]}, id="flag that is no text"),
    pytest.param({"flag": None}, id="no flag"),
    pytest.param({"model": "myapp.customer"}, id="case matters"),
    pytest.param({"model": 7}, id="model that is no text"),
    pytest.param({"role": "nobody-at-all"}, id="unknown role"),
    pytest.param({"role": {"id": 1}}, id="role that is no text"),
    pytest.param({"value": 1}, id="a number is no switch"),
    pytest.param({"value": "true"}, id="nor is a text"),
    pytest.param({"value": None}, id="nor null"),
    pytest.param({"version": "0"}, id="version that is text"),
    pytest.param({"version": True}, id="version that is true"),
    pytest.param({"version": -1}, id="negative version"),
    pytest.param({"version": 2**40}, id="version beyond all"),
    pytest.param({"version": None}, id="no version"),
    pytest.param({"organization": "acme"}, id="what is not known"),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong(desk, admin, wrong):
    """S20: what is wrong is answered by 400 that says so, and changes nothing."""
    found = desk.update(admin, **wrong)
    assert found.status_code == 400
    assert found.json["errors"]
    assert desk.everything() == {}


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"role": 1, "role": 2}', b"\xff"])
@pytest.mark.parametrize("path", POSTS)
def test_no_document(desk, admin, path, raw):
    """What is no JSON object is refused."""
    found = admin.http.post(
        f"/config/{desk.path}{path}", data=raw, headers={"X-CSRF-Token": admin.token}
    )
    assert found.status_code == 400


def test_role_of_others(desk, other, admin):
    """The role of another organisation is unknown."""
    theirs = Desk(other).role
    assert desk.update(admin, role=str(theirs.id)).status_code == 400


# Many ---------------------------------------------------------------------------------


def test_row(desk, admin):
    """All flags of a role for a model."""
    role = str(desk.role.id)
    found = desk.bulk(admin, role=role, model=REPORT, value=True)
    assert found.status_code == 200
    (cell,) = found.json["cells"]
    assert (cell["outcome"], cell["version"]) == ("changed", 1)
    assert desk.of(REPORT) == (ALL, 1)


def test_column(desk, admin):
    """A flag of a role for all models; the others stay."""
    desk.grant(REPORT, "push")
    role = str(desk.role.id)
    versions = {role: {REPORT: 1}}
    found = desk.bulk(admin, role=role, flag="read", value=True, versions=versions)
    assert found.json["conflict"] == 0
    assert desk.of(REPORT) == (Flags(push=True, read=True), 2)
    assert desk.of(NOTE) == (Flags(read=True), 1)


def test_template(desk, admin):
    """What a template says of all models."""
    role = str(desk.role.id)
    desk.bulk(admin, role=role, template="read_only")
    assert desk.of(CUSTOMER) == (Flags(pull=True, read=True), 1)


def test_everything_and_nothing(desk, admin):
    """All flags of all roles for all models; then none."""
    found = desk.bulk(admin, value=True)
    assert found.json["changed"] == len(found.json["cells"]) > 4
    assert desk.of(CUSTOMER) == (ALL, 1)
    versions = {}
    for each in found.json["cells"]:
        versions.setdefault(each["role"], {})[each["model"]] = each["version"]
    assert desk.bulk(admin, value=False, versions=versions).status_code == 200
    assert desk.of(CUSTOMER) == (NOTHING, 2)


def test_some_were_faster(desk, admin):
    """What others have changed stays and is told; the rest is done."""
    desk.grant(REPORT, "push")
    found = desk.bulk(admin, role=str(desk.role.id), value=True)
    assert found.status_code == 207
    told = {each["model"]: each for each in found.json["cells"]}
    assert told[REPORT]["outcome"] == "conflict"
    assert told[REPORT]["flags"] == Flags(push=True)._asdict()
    assert desk.of(REPORT) == (Flags(push=True), 1)
    assert desk.of(NOTE) == (ALL, 1)


WRONG_BULK = [
    {"template": "everything"},
    {"template": "read_only", "value": True},
    {"template": None},
    {"value": "yes"},
    {},
    {"value": True, "flag": "can_"},
    {"value": True, "model": None},
    {"value": True, "role": None},
    {"value": True, "versions": []},
    {"value": True, "versions": {"x": {}}},
    {"value": True, "cells": []},
]


@pytest.mark.parametrize("body", WRONG_BULK)
def test_wrong_bulk(desk, admin, body):
    """What is wrong is answered by 400, and changes nothing."""
    assert desk.bulk(admin, **body).status_code == 400
    assert desk.everything() == {}


# Without script -----------------------------------------------------------------------


def test_form(desk, admin):
    """The form of a role saves what was ticked otherwise, and nothing else."""
    desk.grant(REPORT, "push")
    lines = desk.form(admin)
    number = [each.split(":", 2)[2] for each in lines].index(NOTE)
    push = next(i for i, each in enumerate(lines) if each.endswith(REPORT))
    found = admin.send(
        f"{desk.path}save/",
        role=str(desk.role.id),
        right=lines,
        on=[f"{number}:pull", f"{number}:read", f"{push}:push"],
    )
    assert found.status_code == 303
    assert desk.of(NOTE) == (Flags(pull=True, read=True), 1)
    assert desk.of(REPORT) == (Flags(push=True), 1)
    assert "1 right changed" in admin.open(desk.path).text


def test_form_too_late(desk, admin):
    """What somebody else has changed meanwhile is left, and told."""
    lines = desk.form(admin)
    desk.grant(REPORT, "delete")
    number = next(i for i, each in enumerate(lines) if each.endswith(REPORT))
    admin.send(
        f"{desk.path}save/",
        role=str(desk.role.id),
        right=lines,
        on=[f"{number}:pull"],
    )
    assert desk.of(REPORT) == (Flags(delete=True), 1)
    text = admin.open(desk.path).text
    assert "somebody else has changed meanwhile" in text
    assert REPORT in text


def test_many_too_late(desk, admin, monkeypatch):
    """Of many that were changed meanwhile some are named: it has to fit a cookie."""
    monkeypatch.setattr(pages, "NAMED", 2)
    lines = desk.form(admin)
    for line in lines:
        desk.grant(line.split(":", 2)[2], "delete")
    form = {"role": str(desk.role.id), "right": lines, "bulk": "flag:push:on"}
    admin.send(f"{desk.path}save/", **form)
    assert f"and {len(lines) - 2} more" in admin.open(desk.path).text


BUTTONS = {
    "template": Flags(pull=True, read=True),
    "flag:push:on": Flags(push=True),
    "model:3:on": ALL,
    "model:0:on": NOTHING,
    "flag:push:off": NOTHING,
}


@pytest.mark.parametrize("button", BUTTONS)
def test_buttons(desk, admin, button):
    """The buttons of a form do several at once."""
    lines = desk.form(admin)
    assert lines[3].endswith(REPORT)
    form = {"role": str(desk.role.id), "right": lines, "template": "read_only"}
    found = admin.send(f"{desk.path}save/", **form, bulk=button)
    assert found.status_code == 303
    assert desk.of(REPORT)[0] == BUTTONS[button]


WRONG_FORMS = [
    {"role": "x"},
    {"right": "x"},
    {"right": "0:000000:no.Model"},
    {"right": f"0:00:{REPORT}"},
    {"right": f"-1:000000:{REPORT}"},
    {"right": f"{'9' * 5000}:000000:{REPORT}"},
    {"bulk": "x"},
    {"bulk": "model:1000:on"},
    {"bulk": "flag:version:on"},
    {"bulk": "template", "template": "x"},
]


@pytest.mark.parametrize("wrong", WRONG_FORMS)
def test_wrong_forms(desk, admin, wrong):
    """A form that is none of ours changes nothing."""
    form = {"role": str(desk.role.id), "right": desk.form(admin), **wrong}
    assert admin.send(f"{desk.path}save/", **form).status_code == 422
    assert desk.everything() == {}


def test_noted(desk, admin):
    """It is noted who has changed what."""
    desk.update(admin)
    (entry,) = Audit(desk.context).history("libres.sync.Permission", limit=1)
    assert entry.actor == desk.office.users["admin"].username
    assert entry.after["can_pull"] is True


# Files --------------------------------------------------------------------------------


def sent(desk, tab, raw, path="import/"):
    """Send a file."""
    form = {"csrf_token": tab.token, "file": (BytesIO(raw), "rights.json")}
    return tab.http.post(
        f"/config/{desk.path}{path}", data=form, headers={"Accept": "text/html"}
    )


def hidden(text, name):
    """What a hidden field of a page holds."""
    return unescape(re.search(rf'name="{name}" value="([^"]*)"', text)[1])


def applied(desk, tab, text, **more):
    """Apply what a preview has shown."""
    fields = {name: hidden(text, name) for name in ("document", "state")}
    return tab.send(f"{desk.path}apply/", **{**fields, **more})


def test_there_and_back(desk, other, admin, staff):
    """S23: exported, applied to an empty organisation, exported: the same."""
    clerk = desk.do(lambda: _shared_role(desk))
    for model, flags in ((CUSTOMER, ALL), (NOTE, Flags(pull=True, read=True))):
        desk.do(
            lambda m=model, f=flags: desk.rights.set(desk.organization, clerk, m, f)
        )
    file = admin.open(f"{desk.path}export/")
    assert file.headers["Content-Disposition"].startswith("attachment")
    assert file.json == desk.everything() != {}
    empty = Desk(other)
    shown = sent(empty, staff, file.data)
    assert "2 created, 0 updated, 0 removed" in shown.text
    assert empty.everything() == {}
    assert applied(empty, staff, shown.text).status_code == 303
    assert staff.open(f"{empty.path}export/").data == file.data


def _shared_role(desk):
    return Roles(desk.context).add(f"clerk-{desk.office.slug}", "Clerk")


def test_preview(desk, admin):
    """A file is first looked at: what it creates, updates and removes."""
    desk.grant(REPORT, "pull")
    desk.grant(NOTE, "pull")
    code = desk.role.code
    document = {code: {NOTE: {"can_push": True}, CUSTOMER: {"can_read": True}}}
    shown = sent(desk, admin, json.dumps(document).encode())
    assert shown.status_code == 200
    assert "1 created, 1 updated, 1 removed" in shown.text
    assert set(desk.everything()[code]) == {REPORT, NOTE}
    applied(desk, admin, shown.text)
    assert set(desk.everything()[code]) == {CUSTOMER, NOTE}
    assert "1 created, 1 updated, 1 removed" in admin.open(desk.path).text


def test_changed_since_the_preview(desk, admin):
    """What was looked at is not applied to something else."""
    shown = sent(desk, admin, b"{}")
    desk.grant(REPORT, "pull")
    found = applied(desk, admin, shown.text)
    assert found.status_code == 200
    assert "1 removed" in found.text
    assert desk.of(REPORT) == (Flags(pull=True), 1)
    assert applied(desk, admin, found.text).status_code == 303
    assert desk.everything() == {}


BAD_FILES = [
    (b"", "Choose a file first"),
    (b"{", "cannot be applied"),
    (b"\xff\xfe", "cannot be applied"),
    (b"[]", "must be an object"),
    (b'{"x": {}, "x": {}}', "cannot be applied"),
    (b'{"<script>": {}}', "There is no role"),
    (b'{"ROLE": {"no.Model": {"can_pull": true}}}', "there is no model"),
    (b'{"ROLE": {"myapp.Note": {"can_fly": true}}}', "not one of the six"),
    (b'{"ROLE": {"myapp.Note": {"can_pull": 1}}}', "true or false"),
]


@pytest.mark.parametrize(("raw", "told"), BAD_FILES)
def test_bad_files(desk, admin, raw, told):
    """S23: a file that is wrong is told so, and changes nothing, applied or not."""
    desk.grant(REPORT, "pull")
    before = desk.everything()
    raw = raw.replace(b"ROLE", desk.role.code.encode())
    found = sent(desk, admin, raw)
    assert found.status_code == 422
    assert told in unescape(found.text)
    assert "<script>" not in found.text.replace("<script src", "")
    text = raw.decode(errors="replace")
    found = admin.send(f"{desk.path}apply/", document=text, state="")
    assert found.status_code == 422
    assert desk.everything() == before
