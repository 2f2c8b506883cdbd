"""The pages with the example on them, after a morning of work: what the docs show."""

from __future__ import annotations

import pytest

from libres.sync.audit import Audit
from libres.sync.examples import USERS, set_up_example
from libres.sync.memberships import Memberships
from libres.sync.settings import Settings
from libres.sync.users import Users
from tests.web.browser import (
    WIDE,
    check_accessible,
    check_fits,
    cookie_of,
    screenshot,
    visitors,
)
from tests.web.config.browsing import session_of
from tests.web.syncing import CUSTOMER, PASSWORD

PAGES = {
    "": "config-dashboard",
    "permissions/acme-corp/?role={managers}": "config-permissions",
    "audit/{change}/": "config-audit",
    "metrics/": "config-metrics",
}
"""And what their pictures are called."""

CUSTOMERS = {"Ann Baker": 34, "Carl Dahl": 51, "Eva Fink": 28, "Gus Hill": 60}


@pytest.fixture(scope="module")
def ada(audited):
    """The staff, who has set up the example, in which its users have worked since; and
    what is in the addresses of pages."""
    context, trail = audited.context, Audit(audited.context)

    def found():
        with trail.acting("system:set-up"):
            user = Users(context).add("ada", PASSWORD, staff=True)
            return user, set_up_example(context, dict.fromkeys(USERS, PASSWORD))

    user, example = audited.do(found)
    for username in USERS:
        work(audited, username)

    def promoted():
        with trail.acting("ada", request="r-7", reason="asked for by the head of Acme"):
            john, acme = example.users["john_manager"], "acme-corp"
            admins = example.roles["administrators"]
            Memberships(context).set_role(john, example.organizations[acme], admins)
            Settings(context).set("requests_per_minute", 120, by="ada")

    audited.do(promoted)
    (change, *_) = trail.history(CUSTOMER, user="john_manager", action="update")
    managers = example.roles["managers"].id
    return user, {"managers": managers, "change": change.position}


def work(house, username):
    """Push customers, change one of them, and pull, as a phone does."""
    told = {"username": username, "password": PASSWORD, "device": f"{username}'s phone"}
    token = house.post("auth/token/", told).json["token"]
    headers = {"Authorization": f"Bearer {token}", "X-Request-Id": f"{username}-1"}
    new = [{"_model": CUSTOMER, "name": n, "age": a} for n, a in CUSTOMERS.items()]
    results = house.post("push/", {"data": new}, headers).json["results"]
    changed = {"_model": CUSTOMER, "id": results[0]["id"], "name": "Ann Baker-Cole"}
    if results[0]["id"]:
        again = {**headers, "X-Request-Id": f"{username}-2"}
        house.post("push/", {"data": [{**changed, "age": 35}]}, again)
    house.post("pull/", {"models": {CUSTOMER: None}}, headers)


@pytest.mark.parametrize("path", PAGES)
def test_look(browser, served, app, ada, path):
    """Each page is good for everybody, with what there is in the example."""
    user, named = ada
    with visitors(browser, served) as make:
        visitor = make(cookie_of(app, served, session_of(user)), width=WIDE)
        page = visitor.open(f"/config/{path.format(**named)}")
        check_fits(page)
        check_accessible(page)
        screenshot(page, PAGES[path])
