"""Organisations whose devices synchronise over HTTP: an application, built once for the
tests of a module, and people of their own for each test."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from pytest_postgresql.factories import postgresql_noproc
from sqlalchemy import text

from libres.context.registry import create_default_registry
from libres.sync import Sync
from libres.sync.keyring import configure
from libres.sync.memberships import Memberships
from libres.sync.organizations import Organizations
from libres.sync.permissions import Permissions
from libres.sync.registry import registry_of
from libres.sync.roles import Roles
from libres.sync.users import Users
from libres.sync.values import ALL, Flags
from libres.web import WebSettings, create_app
from tests.conflicts.conftest import make_claims
from tests.fixtures.database import PREFIX, make_tables
from tests.occupancy.conftest import make_occupancy
from tests.sync import models
from tests.sync.conftest import CONTEXT, make_sync
from tests.timetable.conftest import make_timetable

CUSTOMER = "myapp.Customer"
REPORT = "myapp.Report"
PASSWORD = "correct horse battery"
SECRET = "signs tokens, for tests only, and is long enough"

READING = Flags(pull=True, read=True)

_numbers = count(1)


def _make_web(**where: Any) -> None:
    from tests.web.conftest import make_web  # noqa: PLC0415 - it imports this module

    make_web(**where)


sync_template = postgresql_noproc(
    dbname=f"{PREFIX}websync",
    load=[
        *(make_tables, make_claims, make_timetable, make_occupancy),
        *(_make_web, make_sync),
    ],
    load_autocommit=False,
    depends_on="server",
)
"""What the databases of these tests are cloned from."""


@dataclass
class Person:
    """A user of an organisation, with a role of their own."""

    house: House
    user: Any
    organization: Any
    role: Any
    token: str | None = None

    def grant(self, model: str, flags: Flags = ALL) -> None:
        """Give their role rights."""
        self.house.do(
            lambda: Permissions(self.house.context).set(
                self.organization, self.role, model, flags
            )
        )

    def sign_in(self, **more: Any) -> Any:
        """Sign in over HTTP."""
        credentials = {"username": self.user.username, "password": PASSWORD, **more}
        answer = self.house.post("auth/token/", credentials)
        assert answer.status_code == 200, answer.text
        self.token = answer.json["token"]
        return answer

    @property
    def headers(self) -> dict[str, str]:
        """What says who they are."""
        if self.token is None:
            self.sign_in()
        return {"Authorization": f"Bearer {self.token}"}

    def post(self, path: str, body: Any = None, headers: Any = None) -> Any:
        """Send a JSON document."""
        return self.house.post(path, body, {**self.headers, **(headers or {})})

    def get(self, path: str, headers: Any = None, **query: Any) -> Any:
        """Ask."""
        return self.house.get(path, {**self.headers, **(headers or {})}, **query)

    def push(self, *items: Any, **more: Any) -> Any:
        """Push items."""
        return self.post("push/", {"data": list(items), **more})

    def pull(self, **body: Any) -> Any:
        """Pull; without a cursor, customers from the beginning."""
        wanted = (
            body
            if "cursor" in body or "models" in body
            else {"models": {CUSTOMER: None}, **body}
        )
        answer = self.post("pull/", wanted)
        assert answer.status_code == 200, answer.text
        return answer.json

    def push_customer(self, **values: Any) -> Any:
        """Push a customer, and return the answer."""
        item = {"_model": CUSTOMER, "name": "John Doe", "age": 45, **values}
        return self.push(item)


class House:
    """An application, and what stands behind it."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.sync = Sync(context)
        self.app = create_app(
            context,
            WebSettings(requests_per_minute=None),
            secret_key="signs cookies",
            secure_cookies=False,
        )
        self.http = self.app.test_client()

    def do(self, act: Any) -> Any:
        """Change something, and commit."""
        return self.context.transaction(act)

    def post(self, path: str, body: Any = None, headers: Any = None) -> Any:
        """Send a JSON document, as anybody."""
        return self.http.post(f"/api/sync/{path}", json=body, headers=headers)

    def get(self, path: str, headers: Any = None, **query: Any) -> Any:
        """Ask, as anybody."""
        url = f"/api/sync/{path}"
        return self.http.get(url, headers=headers, query_string=query)

    def organization(self) -> Any:
        """Found an organisation."""
        number = next(_numbers)
        organizations = Organizations(self.context)
        return self.do(lambda: organizations.add(f"Acme {number}", f"acme-{number}"))

    def person(
        self, organization: Any, *granted: str, flags: Flags = ALL, staff: bool = False
    ) -> Person:
        """Employ somebody, with a role that has rights to models."""
        made = self.do(lambda: self._person(organization, staff))
        for model in granted:
            made.grant(model, flags)
        return made

    def _person(self, organization: Any, staff: bool) -> Person:
        number = next(_numbers)
        user = Users(self.context).add(
            f"john_{number}", PASSWORD, f"john{number}@example.org", staff=staff
        )
        role = Roles(self.context).add(f"managers-{number}", "Managers", organization)
        Memberships(self.context).add(user, organization, role)
        return Person(self, user, organization, role)

    def execute(self, sql: str, **values: Any) -> Any:
        """Run a statement, and return its rows."""

        def run() -> Any:
            found = self.sync.session.execute(text(sql), values)
            return found.all() if found.returns_rows else None

        return self.do(run)

    def customers(self, organization: Any) -> Any:
        """The rows of an organisation."""
        return self.execute(
            "SELECT * FROM customers WHERE organization_id = :id ORDER BY id",
            id=organization.id,
        )


@pytest.fixture(scope="session")
def template(sync_template: Any) -> Any:
    """These tests clone a database with organisations."""
    return sync_template


@pytest.fixture(scope="module")
def house(module_dsn: str) -> Any:
    """The application of a module."""
    context = create_default_registry().register_context(CONTEXT)
    context.set_setting("dsn", module_dsn)
    configure(context, {"a": SECRET})
    models.register(registry_of(context))
    yield House(context)
    context.get_service("session_provider").stop_service()


@pytest.fixture
def acme(house: House) -> Any:
    """An organisation that is new."""
    return house.organization()


@pytest.fixture
def john(house: House, acme: Any) -> Person:
    """Its manager, who may do everything with customers."""
    return house.person(acme, CUSTOMER)
