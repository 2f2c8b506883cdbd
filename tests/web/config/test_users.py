"""The users: staff finds, adds and refuses them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from libres.sync import journal
from libres.sync.users import Users
from tests.fixtures.statements import counted_on
from tests.web.config.browsing import HOSTILE
from tests.web.config.test_signin import PASSWORD
from tests.web.config.test_visiting import HostUsers, host  # noqa: F401 - a fixture


@pytest.fixture
def users(office):
    """The users of the context."""
    return Users(office.house.context)


@pytest.fixture
def ada(office, users):
    """A user."""
    return office.house.do(lambda: users.add(f"Ada {office.slug}"))


def sending(staff, user, what, **form):
    """Send a form of the page of a user."""
    return staff.send(f"users/{user.id}/{what}", **form)


def test_shown(staff, ada):
    """Users are found by a part of their names."""
    page = staff.open("users/", search=ada.username.lower()).text
    assert f'<a href="/config/users/{ada.id}/"><bdi>{ada.username}</bdi></a>' in page
    assert "Nobody is called so." in staff.open("users/", search="no such").text


def test_pages(staff, office, users):
    """Long lists are shown page by page, and cost as many statements."""
    engine = office.house.context.get_service("session_provider").read_only_engine

    def count(**query):
        with counted_on(engine) as statements:
            page = staff.open("users/", search=f"hand of {office.slug}", **query)
        return page.text.count('<th scope="row">'), len(statements)

    staff.open("users/")
    office.house.do(lambda: users.add(f"hand of {office.slug} x"))
    assert count() == (1, 4)
    office.house.do(
        lambda: [users.add(f"hand of {office.slug} {n:02}") for n in range(60)]
    )
    assert count() == (50, 4)
    assert count(first=50) == (11, 4)


def test_last_signed_in(staff, office, ada, clock):
    """When somebody has last signed in is shown, here or on a device."""
    assert "not as far as the log is kept" in staff.open(f"users/{ada.id}/").text
    journal.note_visit(office.house.context, ada, "a request")
    query = (
        "UPDATE sync_log SET at = :at WHERE \"user\" = :user AND operation = 'login'"
    )
    at = clock.now - timedelta(days=2)
    office.house.execute(query, at=at, user=ada.id)
    one = staff.open(f"users/{ada.id}/").text
    every = staff.open("users/", search=ada.username).text
    for page in (one, every):
        assert f"{at:%Y-%m-%d %H:%M}" in page


def test_signing_in_is_noted(office, users):
    """Who signs in on the pages is in the log."""
    user = office.users["admin"]
    office.house.do(lambda: users.set_password(user, PASSWORD))
    sent = {"username": user.username, "password": PASSWORD}
    assert office.tab().send("sign-in/", **sent).status_code == 303
    query = 'SELECT username, operation, status FROM sync_log WHERE "user" = :user'
    found = office.house.execute(query, user=user.id)
    assert found == [(user.username, "login", "success")]


# Adding -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "is_staff"),
    [({}, False), ({"staff": "1"}, True), ({"password": PASSWORD}, False)],
)
def test_add(staff, office, users, more, is_staff):
    """Staff adds users, with a password or without, and of the staff if it is said."""
    name = f"Grace {office.slug}"
    found = staff.send("users/", username=f" {name} ", email="g@example.org", **more)
    assert found.status_code == 303
    made = users.named(name)
    assert (made.email, made.staff, made.active) == ("g@example.org", is_staff, True)
    assert (users.authenticate(name, PASSWORD) is not None) == ("password" in more)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({}, "must not be empty"),
        ({"username": "a:b"}, "no colon"),
        ({"username": "a\0b"}, "printable"),
        ({"username": "x" * 151}, "longer than 150"),
        ({"username": "fine", "email": "nowhere"}, "no e-mail address"),
        ({"username": "fine", "password": "hunter2"}, "10 to 256 characters"),
    ],
)
def test_wrong(staff, form, told):
    """What cannot be is told, and a password is not sent back."""
    found = staff.send("users/", **form)
    assert found.status_code == 422
    assert told in found.text
    assert "hunter2" not in found.text.partition("<main")[2]


def test_twice(staff, ada):
    """There is one user of a name, however it is written."""
    assert staff.send("users/", username=ada.username.upper()).status_code == 409


# Changing -----------------------------------------------------------------------------


def test_refuse(staff, office, users):
    """Who is refused is out at once, and can be let in again."""
    user = office.users["admin"]
    tab = office.tab("admin")
    assert sending(staff, user, "active", was=1, active=0).status_code == 303
    assert tab.open("").status_code == 303
    assert not users.user(user.id).active
    assert "Let them in again" in staff.open(f"users/{user.id}/").text
    assert sending(staff, user, "active", was=0, active=1).status_code == 303
    assert users.user(user.id).active


def test_meanwhile(staff, ada, users):
    """What somebody else has done meanwhile is told, and nothing is done again."""
    sending(staff, ada, "active", was=1, active=0)
    version = users.user(ada.id).version
    found = sending(staff, ada, "active", was=1, active=0)
    assert found.status_code == 409
    assert "Somebody else was faster" in found.text
    assert users.user(ada.id).version == version


def test_not_oneself(staff, office, users):
    """Nobody refuses themselves, so somebody of the staff is always left."""
    user = office.users["staff"]
    found = sending(staff, user, "active", was=1, active=0)
    assert found.status_code == 403
    assert "You cannot refuse yourself" in found.text
    assert users.user(user.id).active


def test_password(staff, office, users):
    """A new password opens, and ends all that was signed in with the old one."""
    user, tab = office.users["admin"], office.tab("admin")
    found = sending(staff, user, "password", password=PASSWORD)
    assert found.status_code == 303
    assert users.authenticate(user.username, PASSWORD) is not None
    assert tab.open("").status_code == 303


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
def test_wrong_password(staff, ada, users, password):
    """A password that is none changes nothing."""
    assert sending(staff, ada, "password", password=password).status_code == 422
    assert users.user(ada.id) == ada


def test_end(staff, office):
    """What somebody is signed in with can be ended."""
    tab = office.tab("auditor")
    assert sending(staff, office.users["auditor"], "end").status_code == 303
    assert tab.open("").status_code == 303


def test_own(staff, office):
    """Who ends their own, or takes another password, stays signed in here only."""
    elsewhere = office.tab("staff")
    assert sending(staff, office.users["staff"], "end").status_code == 303
    assert staff.open("").status_code == 200
    assert elsewhere.open("").status_code == 303


@pytest.mark.parametrize(
    "id_", ["11111111-1111-4111-8111-111111111111", "x", "%00", "' OR 1=1"]
)
def test_nobody(staff, id_):
    """Who is not there is not found."""
    assert staff.open(f"users/{id_}/").status_code == 404
    assert staff.send(f"users/{id_}/active", was=1, active=0).status_code == 404


def test_memberships(staff, office):
    """Where a user belongs to is shown, and leads there."""
    page = staff.open(f"users/{office.users['auditor'].id}/").text
    assert f"<bdi>{office.organization.name}</bdi>" in page
    assert f'href="/config/organizations/{office.slug}/?search=auditor' in page


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(staff, office, users, name):
    """A name is text, whatever it is."""
    told = name[:140] + office.slug[-8:]
    user = office.house.do(lambda: users.add(told))
    page = staff.open(f"users/{user.id}/").text
    assert "<script>alert" not in page
    assert "<img" not in page


def test_of_host(staff, office, host):  # noqa: F811 - the fixture
    """Where a host knows its users by itself, they are changed there."""
    host("sync_users", HostUsers(office.users["staff"]))
    assert "knows its users by itself" in staff.open("users/").text
    assert staff.open(f"users/{office.users['admin'].id}/").status_code == 403
    assert staff.send("users/", username="Grace").status_code == 403
