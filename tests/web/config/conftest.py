"""Who configures: staff, an administrator, an auditor, and somebody who may nothing."""

from __future__ import annotations

import re
from itertools import count

import pytest
from flask import Flask

from libres.sync import audit
from libres.sync.memberships import Memberships
from libres.sync.organizations import Organizations
from libres.sync.roles import Roles
from libres.sync.users import Users
from tests.web.config.browsing import session_of, signed_in  # noqa: F401 - fixture
from tests.web.syncing import House, template  # noqa: F401 - a fixture

CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')

ROLES = {"staff": None, "admin": "admin", "auditor": "audit", "nobody": None}
"""By what they are: what their role may do on the pages."""

_numbers = count(1)


@pytest.fixture(scope="module")
def audited(house: House):
    """The application of a module, in which all changes are noted."""
    house.do(lambda: audit.setup(house.context))
    return house


@pytest.fixture
def app(audited):
    """The application that ``served`` serves to real browsers."""
    return audited.app


class Tab:
    """A browser of somebody who has signed in; ``None``: of nobody."""

    def __init__(self, app: Flask, user=None):
        self.http = app.test_client()
        address = f"2001:db8::{next(_numbers):x}"  # failures are counted by it
        self.http.environ_base["REMOTE_ADDR"] = address
        if user is not None:
            with self.http.session_transaction() as session:
                session.update(session_of(user))

    def open(self, path, **query):
        """Open a page; the path begins after ``/config/``."""
        headers = {"Accept": "text/html"}
        return self.http.get(f"/config/{path}", query_string=query, headers=headers)

    def send(self, path, *, token=True, **form):
        """Send a form, with the token of a page of ours."""
        sent = {**form, "csrf_token": self.token} if token else form
        return self.http.post(
            f"/config/{path}", data=sent, headers={"Accept": "text/html"}
        )

    def post(self, path, body, *, token=True):
        """Send a JSON document, as the scripts of our pages do."""
        headers = {"X-CSRF-Token": self.token} if token else {}
        return self.http.post(f"/config/{path}", json=body, headers=headers)

    @property
    def token(self):
        """What proves that a form is of a page of ours."""
        return CSRF.search(self.open("sign-in/").text)[1]


class Office:
    """An organisation, and those who have to do with its configuration."""

    def __init__(self, house: House):
        self.house = house
        number = next(_numbers)
        self.slug = f"office-{number}"
        self.organization, self.users = house.do(lambda: self._found(number))

    def _found(self, number):
        context = self.house.context
        organization = Organizations(context).add(f"Office {number}", self.slug)
        users = {}
        for kind, pages in ROLES.items():
            is_staff = kind == "staff"
            user = Users(context).add(f"{kind}_{number}", staff=is_staff)
            code = f"{kind}-{number}"
            role = Roles(context).add(code, kind.title(), organization, pages)
            Memberships(context).add(user, organization, role)
            users[kind] = user
        return organization, users

    def tab(self, kind=None):
        """A browser of one of them; None: of somebody who has not signed in."""
        return Tab(self.house.app, None if kind is None else self.users[kind])


@pytest.fixture
def office(audited):
    """An organisation of its own for each test."""
    return Office(audited)


@pytest.fixture
def other(audited):
    """Another one, of which those of the first must not see anything."""
    return Office(audited)


@pytest.fixture
def staff(office):
    """The browser of the staff of the platform."""
    return office.tab("staff")


@pytest.fixture
def admin(office):
    """The browser of an administrator of the organisation."""
    return office.tab("admin")


@pytest.fixture
def auditor(office):
    """The browser of an auditor of the organisation."""
    return office.tab("auditor")
