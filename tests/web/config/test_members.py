"""An organisation: its members, its roles, and who may change them."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest

from libres.sync.memberships import Memberships
from libres.sync.roles import Roles
from libres.sync.users import Users
from libres.sync.values import User
from tests.fixtures.statements import counted_on
from tests.web.config.browsing import HOSTILE
from tests.web.config.test_visiting import HostUsers, host  # noqa: F401 - a fixture


class Team:
    """What is known of an organisation, and forms as its page shows them."""

    def __init__(self, office):
        self.office = office
        context = office.house.context
        self.users, self.roles = Users(context), Roles(context)
        self.memberships = Memberships(context)
        self.do = office.house.do
        self.path = f"organizations/{office.slug}/"

    def role(self, kind):
        """The role of somebody of the office."""
        code = self.office.slug.replace("office", kind)
        return self.do(lambda: self.roles.named(code, self.office.organization))

    def of(self, kind):
        """How somebody of the office belongs to it now."""
        user = self.office.users[kind]
        organization = self.office.organization
        return self.do(lambda: self.memberships.named(user, organization))

    def member(self, kind, **changed):
        """The form of a member as it is shown now, with some values changed."""
        now = self.of(kind)
        shown = {
            "user": now.user,
            "version": now.version,
            "was_role": now.role.id,
            "role": now.role.id,
            "was": int(now.active),
            "active": int(now.active),
        }
        return {**shown, **changed}

    def form(self, kind, **changed):
        """The form of a role as it is shown now, with some values changed."""
        now = self.role(kind)
        level = now.pages or ""
        shown = {"role": now.id, "was_name": now.name, "was": level}
        return {**shown, "name": now.name, "pages": level, **changed}

    def change(self, tab, kind, **changed):
        """Send the form of a member."""
        return tab.send(f"{self.path}members/change", **self.member(kind, **changed))

    def change_role(self, tab, kind, **changed):
        """Send the form of a role."""
        return tab.send(f"{self.path}roles/change", **self.form(kind, **changed))


@pytest.fixture
def team(office):
    """The organisation of the test."""
    return Team(office)


@pytest.fixture
def ada(team, office):
    """A user who belongs to nothing yet."""
    return team.do(lambda: team.users.add(f"Ada {office.slug}"))


# Showing ------------------------------------------------------------------------------


def test_shown(auditor, team, office):
    """Who belongs to it is shown, with role and state; auditors find no forms."""
    page = auditor.open(team.path).text
    for kind in office.users:
        assert f"<bdi>{office.users[kind].username}</bdi>" in page
    assert "/members/change" not in page
    assert "Add a member" not in page


def test_forms(admin, team):
    """Administrators find a form per member, and per role of the organisation."""
    page = admin.open(team.path).text
    assert page.count("/members/change") == 4
    assert page.count("/roles/change") == 4


def test_search(admin, team, office):
    """One finds a member by a part of the name; nothing in it has a meaning."""
    page = admin.open(team.path, search=office.users["auditor"].username.upper()).text
    assert page.count("/members/change") == 1
    for search in ("%", "_%", "\\", "'", "\0x"):
        assert "Nobody is called so." in admin.open(team.path, search=f"q{search}").text


def test_pages(admin, team, office):
    """Long lists are shown page by page, and cost as many statements."""
    engine = office.house.context.get_service("session_provider").read_only_engine

    def count(**query):
        with counted_on(engine) as statements:
            page = admin.open(team.path, **query)
        return page.text.count("/members/change"), len(statements)

    admin.open(team.path)
    assert count() == (4, 4)
    role = team.role("nobody")

    def hire():
        for number in range(60):
            user = team.users.add(f"hand {number:02} of {office.slug}")
            team.memberships.add(user, office.organization, role)

    team.do(hire)
    assert count() == (50, 4)
    assert count(first=50) == (14, 4)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(staff, team, office, name):
    """Names of users and roles are text, whatever they are."""

    def fill():
        code = f"hostile-{HOSTILE.index(name)}"
        role = team.roles.add(code, name, office.organization)
        told = name.replace(":", "")[:140] + office.slug[-8:]
        team.memberships.add(team.users.add(told), office.organization, role)

    team.do(fill)
    for page in (staff.open(team.path), staff.open("users/", search="office")):
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img" not in page.text


# Members ------------------------------------------------------------------------------


def test_add(admin, team, ada, office):
    """An administrator adds a user by name, however it is written."""
    form = {"username": f" {ada.username.upper()} ", "role": team.role("auditor").id}
    assert admin.send(f"{team.path}members/", **form).status_code == 303
    made = team.memberships.named(ada, office.organization)
    assert (made.role.pages, made.active) == ("audit", True)


@pytest.mark.parametrize("name", ["no such user", "", "\0", "a:b", "x" * 400])
def test_add_nobody(admin, team, name):
    """Who is not there cannot be added; it is told who adds users."""
    found = admin.send(
        f"{team.path}members/", username=name, role=team.role("auditor").id
    )
    assert found.status_code == 404
    assert "the staff of the platform adds users" in found.text


def test_add_twice(admin, team, office):
    """Who belongs to it already is not added once more."""
    name, role = office.users["auditor"].username, team.role("admin").id
    found = admin.send(f"{team.path}members/", username=name, role=role)
    assert found.status_code == 409
    assert team.of("auditor").role.pages == "audit"


def test_role_of_others(admin, team, other, ada, office):
    """A role of another organisation is none here, neither for new members nor old."""
    role = Team(other).role("admin").id
    found = admin.send(f"{team.path}members/", username=ada.username, role=role)
    assert found.status_code == 404
    assert "no such role" in found.text
    assert team.change(admin, "auditor", role=role).status_code == 404
    assert team.of("auditor").role.pages == "audit"
    assert len(team.memberships.of_organization(office.organization)) == 4


@pytest.mark.parametrize("kind", ["admin", "staff"])
def test_change(team, office, kind):
    """A member gets another role, and is refused, at once."""
    tab, role = office.tab(kind), team.role("nobody")
    found = team.change(tab, "auditor", role=role.id, active=0)
    assert found.status_code == 303
    now = team.of("auditor")
    assert (now.role, now.active) == (role, False)
    assert office.tab("auditor").open(team.path).status_code == 403


def test_member_of_others(admin, team, other):
    """Whoever does not belong to it cannot be changed here."""
    found = admin.send(f"{team.path}members/change", **Team(other).member("auditor"))
    assert found.status_code == 404
    assert Team(other).of("auditor").role.pages == "audit"


@pytest.mark.parametrize("user", ["", "\0", "x" * 5000, "11111111"])
def test_strange_member(admin, team, user):
    """What is the id of nobody changes nothing."""
    found = team.change(admin, "auditor", user=user)
    assert found.status_code == 404


@pytest.mark.parametrize("meanwhile", [{"active": 0}, {"role": "nobody"}])
def test_meanwhile(admin, staff, team, meanwhile):
    """What somebody else has changed meanwhile is told, shown, and not overwritten."""
    shown = team.member("auditor", active=0, role=team.role("staff").id)
    if "role" in meanwhile:
        meanwhile = {"role": team.role("nobody").id}
    assert team.change(staff, "auditor", **meanwhile).status_code == 303
    now = team.of("auditor")
    found = admin.send(f"{team.path}members/change", **shown)
    assert found.status_code == 409
    assert "Somebody else was faster" in found.text
    assert f'name="version" value="{now.version}"' in found.text
    assert team.of("auditor") == now


def test_back_and_forth(admin, staff, team):
    """Also who was refused and let in again meanwhile is told of: tokens have ended."""
    shown = team.member("auditor", active=0)
    team.change(staff, "auditor", active=0)
    team.change(staff, "auditor", active=1)
    assert admin.send(f"{team.path}members/change", **shown).status_code == 409


# Administrators -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed", [{"active": 0}, {"role": "auditor"}, {"role": "nobody"}]
)
def test_not_oneself(admin, team, changed):
    """An administrator does not take the administration from themselves by mistake."""
    if "role" in changed:
        changed = {"role": team.role(changed["role"]).id}
    before = team.of("admin")
    found = team.change(admin, "admin", **changed)
    assert found.status_code == 403
    assert "You cannot take the administration from yourself" in found.text
    assert team.of("admin") == before


def test_not_by_role(admin, team):
    """Nor by taking it from their role."""
    assert team.change_role(admin, "admin", pages="audit").status_code == 403
    assert team.role("admin").pages == "admin"


def test_not_each_other(team, office):
    """Two administrators who refuse each other at the same moment are not both gone."""
    team.do(lambda: promote(team, office))
    forms = {
        "admin": team.member("auditor", active=0),
        "auditor": team.member("admin", active=0),
    }
    barrier, statuses = Barrier(2), []

    def send(kind):
        tab = office.tab(kind)
        token = tab.token
        barrier.wait()
        path = f"/config/{team.path}members/change"
        form = {**forms[kind], "csrf_token": token}
        statuses.append(tab.http.post(path, data=form).status_code)

    threads = [Thread(target=send, args=[kind]) for kind in forms]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(statuses) == [303, 403]
    left = [kind for kind in forms if team.of(kind).active]
    assert len(left) == 1


def promote(team, office):
    """Make an administrator of the auditor."""
    user, organization = office.users["auditor"], office.organization
    team.memberships.set_role(user, organization, team.role("admin"))


def test_staff_may(staff, team):
    """Staff may take the administration from everybody."""
    assert team.change(staff, "admin", active=0).status_code == 303
    assert not team.of("admin").active


# Roles --------------------------------------------------------------------------------


def test_add_role(admin, team, office, other):
    """An administrator adds a role, which only this organisation has."""
    form = {"code": "clerks", "name": "Clerks", "pages": "audit"}
    assert admin.send(f"{team.path}roles/", **form).status_code == 303
    role = team.roles.named("clerks", office.organization)
    assert (role.pages, role.organization) == ("audit", office.organization.id)
    assert "clerks" not in other.tab("admin").open(f"organizations/{other.slug}/").text


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"code": "Clerks!", "name": "Clerks"}, 422),
        ({"code": "clerks", "name": " "}, 422),
        ({"code": "clerks", "name": "Clerks", "pages": "staff"}, 422),
        ({}, 422),
    ],
)
def test_wrong_role(admin, team, form, status):
    """What can be no role is told."""
    found = admin.send(f"{team.path}roles/", **{"pages": "", **form})
    assert found.status_code == status
    assert 'role="alert"' in found.text


def test_change_role(admin, team):
    """An administrator gives a role another name, and other rights to pages."""
    found = team.change_role(admin, "auditor", name="Readers", pages="")
    assert found.status_code == 303
    role = team.role("auditor")
    assert (role.name, role.pages) == ("Readers", None)
    found = team.change_role(admin, "auditor", was_name="Auditor", name="Slower")
    assert found.status_code == 409
    assert team.role("auditor") == role


def test_global_role(admin, team, office):
    """A role that all organisations have can be given, but not be changed here."""
    code = f"global-{office.slug}"
    role = team.do(lambda: team.roles.add(code, "Everywhere", None, "audit"))
    page = admin.open(team.path).text
    assert "Everywhere (of all)" in page
    assert page.count("/roles/change") == 4
    form = {"role": role.id, "was_name": role.name, "was": "audit"}
    found = admin.send(f"{team.path}roles/change", **form, name="Mine", pages="admin")
    assert found.status_code == 404
    assert team.roles.named(code) == role
    assert team.change(admin, "nobody", role=role.id).status_code == 303
    assert office.tab("nobody").open(team.path).status_code == 200


# Users of a host ----------------------------------------------------------------------


def test_of_host(staff, team, office, host):  # noqa: F811 - the fixture
    """Users whom the host knows are added by their ids, and shown by their names."""
    known = [office.users["staff"], User("grace-7", "Grace Hopper")]
    host("sync_users", HostUsers(*known))
    form = {"username": "grace-7", "role": team.role("auditor").id}
    assert staff.send(f"{team.path}members/", **form).status_code == 303
    page = staff.open(team.path).text
    assert "<bdi>Grace Hopper</bdi>" in page
    form["username"] = "nobody-7"
    assert staff.send(f"{team.path}members/", **form).status_code == 404


def test_links(auditor, team, office):
    """From an organisation one gets to its rights, its devices and its changes."""
    page = auditor.open(team.path).text
    asked = {"organization": office.slug}
    for path, query in (
        (f"permissions/{office.slug}/", {}),
        ("devices/", asked),
        ("audit/", asked),
    ):
        told = f"?organization={office.slug}" if query else ""
        assert f'href="/config/{path}{told}"' in page
        assert auditor.open(path, **query).status_code == 200
