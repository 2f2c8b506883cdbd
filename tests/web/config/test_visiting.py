"""Who may visit the pages of the configuration, and for how long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from libres.sync.memberships import Memberships
from libres.sync.organizations import Organizations
from libres.sync.roles import Roles
from libres.sync.users import Users
from libres.sync.values import User
from libres.web import Caller, WebSettings, blueprint, create_app
from tests.fixtures.statements import counted_on
from tests.web.config.conftest import Tab

HTML = {"Accept": "text/html"}


@pytest.mark.parametrize(
    ("kind", "status"),
    [("staff", 200), ("admin", 200), ("auditor", 200), ("nobody", 403), (None, 303)],
)
def test_dashboard(office, kind, status):
    """Who may see anything is let in; who has not signed in is asked to."""
    found = office.tab(kind).open("")
    assert found.status_code == status


def test_without_seat(office):
    """Who may see nothing is told so, by name, and can sign out; and is not sent
    around in a circle."""
    page = office.tab("nobody").open("organizations/").text
    name = office.users["nobody"].username
    assert f"You are signed in as {name}, but may see nothing here" in page
    assert 'action="/config/sign-out/"' in page
    assert 'class="sections"' not in page


@pytest.mark.parametrize("accept", [None, "*/*", "application/json"])
def test_no_page(office, accept):
    """What is no page is refused to nobody, and not led to a form."""
    headers = {} if accept is None else {"Accept": accept}
    found = office.tab().http.get("/config/organizations/", headers=headers)
    assert found.status_code == 401
    assert found.content_type == "application/problem+json"
    assert "Sign in to the configuration" in found.json["detail"]


def test_json_of_others(auditor, office):
    """A script that may not do something is told so as JSON."""
    path = f"organizations/{office.slug}/members/"
    found = auditor.post(path, {"username": "ada"})
    assert found.status_code == 403
    assert found.content_type == "application/problem+json"


def test_form_of_nobody(office):
    """Who sends a form after their session is over is led to where one signs in."""
    path = f"organizations/{office.slug}/members/"
    found = office.tab().send(path, username="ada")
    assert found.status_code == 401
    assert '<a href="/config/sign-in/">Sign in</a>' in found.text
    assert "/members/" not in found.text.partition("<main")[2]


def test_mounted(office):
    """Mounted by another application, the pages lead to themselves."""
    host = Flask("host")
    host.config.update(SECRET_KEY="signs cookies", SESSION_COOKIE_NAME="libres")
    host.register_blueprint(blueprint(office.house.context), url_prefix="/booking")
    http = Tab(host, office.users["admin"]).http
    page = http.get("/booking/config/organizations/", headers=HTML)
    assert f'href="/booking/config/organizations/{office.slug}/"' in page.text
    found = host.test_client().get("/booking/config/organizations/", headers=HTML)
    leads = "/booking/config/sign-in/?next=/booking/config/organizations/"
    assert found.headers["Location"] == leads


# Until when ---------------------------------------------------------------------------


def deactivate_user(office):
    """Refuse the user."""
    Users(office.house.context).set_active(office.users["admin"], False)


def change_password(office):
    """Give them another password; hashing takes a while, so none."""
    Users(office.house.context).set_password(office.users["admin"], None)


def end_tokens(office):
    """End what they are signed in with."""
    Users(office.house.context).end_tokens(office.users["admin"])


def deactivate_organization(office):
    """Refuse all members."""
    Organizations(office.house.context).set_active(office.slug, False)


def deactivate_membership(office):
    """Refuse the member."""
    memberships = Memberships(office.house.context)
    memberships.set_active(office.users["admin"], office.organization, False)


def remove_membership(office):
    """Let them belong to it no more."""
    memberships = Memberships(office.house.context)
    memberships.remove(office.users["admin"], office.organization)


def take_pages(office):
    """Take from the role what it may do on pages."""
    roles = Roles(office.house.context)
    code = office.slug.replace("office", "admin")
    role = roles.named(code, office.organization)
    roles.change(role, role.name, None)


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (deactivate_user, 303),
        (change_password, 303),
        (end_tokens, 303),
        (remove_membership, 303),
        (deactivate_organization, 403),
        (deactivate_membership, 403),
        (take_pages, 403),
    ],
)
def test_ends(office, ending, status):
    """What is taken away is gone with the next request."""
    tab = office.tab("admin")
    assert tab.open("").status_code == 200
    office.house.do(lambda: ending(office))
    assert tab.open("").status_code == status


@pytest.mark.parametrize(
    ("passed", "status"),
    [
        (timedelta(hours=8, seconds=-1), 200),
        (timedelta(hours=8, seconds=1), 303),
        (timedelta(seconds=-30), 200),  # the clock of another server
        (timedelta(hours=-1), 303),  # a clock that was wrong when they signed in
    ],
)
def test_hours(office, clock, passed, status):
    """After eight hours one signs in again, however often one came meanwhile."""
    tab = office.tab("admin")
    clock.advance(passed / 2)
    tab.open("")
    clock.advance(passed / 2)
    assert tab.open("").status_code == status


@pytest.mark.parametrize(
    "told",
    [
        None,
        "admin",
        {},
        {"user": None, "version": 1, "at": 0},
        {"user": "11111111-1111-4111-8111-111111111111", "version": 1, "at": 2**40},
    ],
)
def test_strange_session(office, told):
    """A session that says something else is nobody's."""
    tab = office.tab()
    with tab.http.session_transaction() as session:
        session["libres_config"] = told
    assert tab.open("").status_code == 303


# Whom the host knows ------------------------------------------------------------------


class Host:
    """A host that knows by a header of its proxy who asks."""

    def caller(self, request):
        """Believe the proxy."""
        user = request.headers.get("X-User", "")
        return Caller("Somebody", user=user) if user else None


class HostUsers:
    """The users of a host."""

    def __init__(self, *users):
        self.users = {each.id: each for each in users}

    def user(self, id):  # noqa: A002 - as in the protocol
        """Return the user of an id."""
        return self.users.get(id)

    def authenticate(self, username, password):
        """Everybody has the same password."""
        found = self.users.get(username)
        return found if password == "open sesame" else None


@pytest.fixture
def host(office):
    """Replaces services of the context, and puts them back."""
    context = office.house.context
    yield lambda name, made: context.set_service(name, lambda _: made)
    for name in ("identity", "sync_users"):
        context.values.pop(f"service/{name}", None)


def test_signed_in_by_host(office, host):
    """Whom the host has signed in is let in, has no button to sign out, and cannot sign
    in as somebody else."""
    host("identity", Host())
    http = office.tab().http
    headers = {**HTML, "X-User": office.users["admin"].id}
    page = http.get("/config/", headers=headers)
    assert page.status_code == 200
    assert f"<bdi>{office.users['admin'].username}</bdi>" in page.text
    assert "Sign out" not in page.text
    page = http.get("/config/sign-in/", headers=headers).text
    assert "knows its users by itself" in page
    assert http.get("/config/", headers=HTML).status_code == 303


def test_refused_though_of_host(office, host):
    """Whom the host has signed in, but who is refused here, is nobody."""
    host("identity", Host())
    user = office.users["admin"]
    office.house.do(lambda: Users(office.house.context).set_active(user, False))
    headers = {**HTML, "X-User": user.id}
    assert office.tab().http.get("/config/", headers=headers).status_code == 303


def test_form_for_host(office, host):
    """Also where no cookie says who somebody is, a form has to be ours."""
    host("identity", Host())
    headers = {**HTML, "X-User": office.users["staff"].id}
    form = {"name": "Evil", "slug": "evil"}
    found = office.tab().http.post("/config/organizations/", data=form, headers=headers)
    assert found.status_code == 403
    assert "form is not ours" in found.text


def test_users_of_host(office, host):
    """Users of a host sign in with its passwords, to what they belong to here."""
    grace = User("grace", "Grace", version=7)
    host("sync_users", HostUsers(grace))
    role = Roles(office.house.context).all(office.organization)[0]
    memberships = Memberships(office.house.context)
    office.house.do(lambda: memberships.add(grace, office.organization, role))
    tab = office.tab()
    found = tab.send("sign-in/", username="grace", password="open sesame")
    assert found.status_code == 303
    assert "<bdi>Grace</bdi>" in tab.open("").text


# Elsewhere ----------------------------------------------------------------------------


def test_link_for_visitors(office):
    """Who has signed in finds the configuration from every page; nobody else does."""
    link = '<a href="/config/"'
    assert link in office.tab("auditor").http.get("/", headers=HTML).text
    assert link not in office.tab().http.get("/", headers=HTML).text


def test_link_is_here(admin):
    """On its pages the link says that one is there."""
    assert '<a href="/config/" aria-current="page">Configuration' in admin.open("").text


@pytest.fixture
def statements_of(office):
    """Counts what a page asks the database when it is opened again."""
    provider = office.house.context.get_service("session_provider")

    def count(tab, path):
        tab.http.get(path, headers=HTML)
        with counted_on(provider.read_only_engine) as statements:
            tab.http.get(path, headers=HTML)
        return len(statements)

    return count


def test_link_costs_nothing(office, statements_of):
    """Other pages ask the database nothing more for the link."""
    found = {statements_of(office.tab(kind), "/") for kind in (None, "admin", "staff")}
    assert len(found) == 1


def test_statements(office, statements_of):
    """Who visits takes two statements to find out; nobody takes none."""
    kinds = (None, "auditor", "staff")
    found = [statements_of(office.tab(kind), "/config/sign-in/") for kind in kinds]
    assert found == [0, 2, 2]


def test_not_set_up(office):
    """Where synchronisation is not set up, the pages say so, and fail by nothing."""
    from libres.web import actors  # noqa: PLC0415 - what it has found is forgotten

    context = office.house.context
    hide, show = ("sync_pending", "sync_gone"), ("sync_gone", "sync_pending")
    rename = "ALTER TABLE {} RENAME TO {}"
    office.house.execute(rename.format(*hide))
    actors._looked.pop(context, None)
    try:
        for tab in (office.tab(), office.tab("staff")):
            for path in ("", "sign-in/"):
                found = tab.open(path)
                assert found.status_code == 404
                assert "This room is not set up" in found.text
        assert office.tab().http.get("/", headers=HTML).status_code == 200
    finally:
        actors._looked.pop(context, None)
        office.house.execute(rename.format(*show))


def test_session_of_other_secret(office):
    """What another secret has signed is nobody's session."""
    tab = Tab(office.house.app)
    tab.http.set_cookie("libres", "eyJsaWJyZXNfY29uZmlnIjp7fX0.aaaa.bbbb")
    assert tab.open("").status_code == 303


def test_actor(office, admin):
    """What a visitor changes was changed by them."""
    form = {"code": "clerks", "name": "Clerks", "pages": ""}
    assert admin.send(f"organizations/{office.slug}/roles/", **form).status_code == 303
    query = "SELECT actor FROM sync_pending ORDER BY seq DESC LIMIT 1"
    assert office.house.execute(query) == [(office.users["admin"].username,)]


def test_too_often(office):
    """Visitors are counted as all others are, and told to wait."""
    context = office.house.context
    settings = WebSettings(requests_per_minute=3)
    app = create_app(context, settings, secret_key="x" * 20, secure_cookies=False)
    tab = Tab(app, office.users["staff"])
    assert [tab.open("").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = tab.open("")
    assert int(refused.headers["Retry-After"]) >= 1
    assert "Too often" in refused.text
