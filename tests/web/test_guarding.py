"""Who is let in, and what is refused at the door."""

from __future__ import annotations

import pytest
from flask import Flask

from libres.web import Caller, WebSettings, blueprint, create_app
from libres.web.guarding import HEADERS
from libres.web.keys import COOKIE, Keys
from tests.web.conftest import Client

BODY = {"title": "The attic", "timezone": "Europe/Zurich"}


def made(context, **settings):
    """An application with settings of its own."""
    app = create_app(
        context,
        WebSettings(**settings),
        secret_key="signs cookies",
        secure_cookies=False,
    )
    app.testing = True
    return app


class TestKeys:
    def test_forged(self, app):
        """A key that nobody has is refused, and not taken for no key."""
        found = Client(app, "libres_forged").get("/resources")
        assert found.status_code == 401
        assert found.headers["WWW-Authenticate"].startswith("Bearer")

    def test_revoked(self, app, context, key_of):
        """A revoked key opens nothing from then on."""
        key = key_of("read")
        assert Client(app, key).get("/resources").status_code == 200
        keys = Keys(context)
        (stored,) = keys.all()
        context.transaction(lambda: keys.revoke(stored.id))
        assert Client(app, key).get("/resources").status_code == 401

    def test_not_stored(self, context, key_of):
        """What is stored of a key does not open anything."""
        key = key_of("manage")
        (stored,) = Keys(context).all()
        assert key not in repr(stored)
        assert Keys(context).holder(str(stored.id)) is None

    @pytest.mark.parametrize("key", ["\udc80", "a" * 10_000, "%00", "'; DROP TABLE"])
    def test_hostile(self, context, place, key):
        """Whatever is sent as a key is compared, and nothing else."""
        assert Keys(context).holder(key) is None

    def test_of_other_context(self, context, key_of):
        """A key is one of its context only."""
        from libres.context.registry import create_default_registry  # noqa: PLC0415

        key = key_of("manage")
        other = create_default_registry().register_context("other")
        other.set_setting("dsn", context.get_setting("dsn"))
        try:
            assert Keys(other).holder(key) is None
        finally:
            other.get_service("session_provider").stop_service()

    @pytest.mark.parametrize("scopes", [[], ["admin"], ["read", "root"]])
    def test_scopes(self, context, place, scopes):
        """A key has at least one scope, and only those that there are."""
        with pytest.raises(ValueError, match="scope"):
            Keys(context).create("somebody", scopes)


class TestLimits:
    def test_too_often(self, context, place):
        """Who asks too often is told how long to wait."""
        client = Client(made(context, requests_per_minute=3))
        statuses = [client.get("/resources").status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        refused = client.get("/resources")
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert refused.content_type == "application/problem+json"

    def test_each_for_itself(self, context, key_of):
        """One caller does not use up what another one may ask."""
        app = made(context, requests_per_minute=2)
        first, second = Client(app, key_of("read")), Client(app, key_of("read"))
        assert [first.get("/resources").status_code for _ in range(3)][-1] == 429
        assert second.get("/resources").status_code == 200

    def test_guessing(self, context, key_of):
        """Who guesses keys has to wait, even with a right one."""
        app = made(context, failures_per_minute=2)
        right = Client(app, key_of("read"))
        for number in range(2):
            assert Client(app, f"wrong {number}").get("/resources").status_code == 401
        assert right.get("/resources").status_code == 429

    def test_too_large(self, context, key_of):
        """A huge body is refused before it is understood."""
        client = Client(made(context, largest_body=1000), key_of("manage"))
        body = {**BODY, "title": "x" * 2000}
        assert client.put("/resources/attic", body).status_code == 413


class TestForms:
    def signed_in(self, app, context, key_of):
        """A browser with the cookie of somebody who may do everything."""
        key_of("manage")
        client = app.test_client()
        with client.session_transaction() as session:
            session[COOKIE] = str(Keys(context).all()[-1].id)
        return client

    def test_cookie_alone(self, app, context, key_of):
        """A cookie proves who sends, not that they meant to."""
        client = self.signed_in(app, context, key_of)
        found = client.put("/resources/attic", json=BODY)
        assert found.status_code == 403
        assert "form is not ours" in found.json["detail"]

    def test_forged_token(self, app, context, key_of):
        """A token that we have not signed is none."""
        client = self.signed_in(app, context, key_of)
        headers = {"X-CSRF-Token": "forged"}
        found = client.put("/resources/attic", json=BODY, headers=headers)
        assert found.status_code == 403

    def test_key_needs_none(self, manager):
        """A key in a header cannot be sent by somebody else's page."""
        assert manager.put("/resources/attic", BODY).status_code == 204


@pytest.mark.parametrize("path", ["/resources", "/nowhere", "/openapi.json"])
def test_headers(anyone, path):
    """Every answer tells browsers what not to do with it."""
    found = anyone.get(path)
    for name, value in HEADERS.items():
        assert found.headers[name] == value
    assert "unsafe-inline" not in found.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path", ["/assets/../app.py", "/assets/..%2fapp.py", "/assets/%2e%2e/app.py"]
)
def test_paths(anyone, path):
    """Nothing but the assets can be had from the assets."""
    assert anyone.get(path).status_code == 404


class Host:
    """A host's own idea of who asks: a header that its proxy sets."""

    def caller(self, request):
        """Believe the proxy."""
        name = request.headers.get("X-User")
        return Caller(name, frozenset({"manage"})) if name else None


def test_identity_of_the_host(context, place):  # noqa: ARG001 - there are tables
    """A host says itself who asks, in a few lines."""
    context.set_service("identity", lambda _context: Host())
    client = Client(made(context))
    assert client.put("/resources/attic", BODY).status_code == 401
    as_ada = {"X-User": "Ada"}
    assert client.put("/resources/attic", BODY, headers=as_ada).status_code == 204


def test_mounted(context, place):  # noqa: ARG001 - there is a hall
    """Any Flask application can mount it, below any path."""
    app = Flask("host")
    app.secret_key = "signs cookies"
    app.testing = True
    app.register_blueprint(blueprint(context), url_prefix="/booking")
    client = Client(app)
    assert client.get("/booking/resources").status_code == 200
    assert client.get("/booking/resources/attic/calendar").status_code == 422
    document = client.get("/booking/openapi.json").json
    assert document["servers"] == [{"url": "/booking"}]
    assert client.get("/resources").status_code == 404
