"""The documentation of the API, to be read and tried."""

import re

import pytest

from libres.web.keys import COOKIE, Keys
from tests.web.browser import browser, served, visitor  # noqa: F401 - fixtures


def test_served_from_here(anyone):
    """All that the page loads comes from this application."""
    page = anyone.get("/docs")
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href|data-document)="([^"]*)"', page.text)
    assert "/openapi.json" in loaded
    assert len(loaded) == 6
    for path in loaded:
        assert path.startswith("/")
        with anyone.get(path) as found:
            assert found.status_code == 200, path


def test_policy(anyone):
    """The page keeps the policy of all others: nothing inline, nothing foreign."""
    page = anyone.get("/docs")
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert "<style" not in page.text
    assert " style=" not in page.text
    assert re.search(r"<script(?! src)", page.text) is None


@pytest.mark.parametrize(
    "name",
    ["index.html", "oauth2-redirect.html", "../__init__.py", "%2e%2e/__init__.py", ""],
)
def test_nothing_else(anyone, name):
    """Nothing else of the package can be had."""
    found = anyone.get(f"/docs/assets/{name}")
    assert found.status_code == 404
    assert found.json["detail"] == "Not found."


def test_not_modified(anyone):
    """Browsers keep the script, and ask whether it is still the same."""
    path = "/docs/assets/swagger-ui-bundle.js"
    with anyone.get(path) as first:
        assert first.mimetype == "text/javascript"
    known = {"If-None-Match": first.headers["ETag"]}
    with anyone.get(path, headers=known) as again:
        assert again.status_code == 304


def test_token(anyone, key_of, context):
    """Who has signed in can try things out; nobody else gets a cookie for it."""
    assert "data-token" not in anyone.get("/docs").text
    assert "Set-Cookie" not in anyone.get("/docs").headers
    key = key_of("manage")
    with context.read_only():
        holder = Keys(context).holder(key)
    with anyone.http.session_transaction() as session:
        session[COOKIE] = holder.id
    assert "data-token" in anyone.get("/docs").text


def test_browser(visitor):  # noqa: F811 - a fixture
    """A browser draws it under the strict policy, and an operation can be tried."""
    page = visitor().open("/docs")
    page.get_by_text("/resources/{name}/calendar").wait_for()
    assert page.locator(".errors-wrapper").count() == 0
    page.locator("[data-path='/resources']").first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    told = page.locator(".live-responses-table").first
    told.wait_for()
    assert "200" in told.inner_text()
    assert "The hall" in told.inner_text()
