"""Signing in with a key, and out again."""

from __future__ import annotations

import pytest

from libres.web import Caller, WebSettings, create_app
from libres.web.keys import COOKIE, Keys
from tests.web.forms import HEADERS, Tab


@pytest.fixture
def tab(app):
    """Somebody's browser."""
    return Tab(app)


def test_form(tab):
    """The key is asked for in a field whose letters are not shown."""
    found = tab.open("/sign-in")
    assert found.status_code == 200
    assert 'type="password"' in found.text


def test_right_key(tab, key_of):
    """Who has a key is somebody from then on, and is greeted."""
    sent = tab.send("/sign-in", key=f" {key_of('read', name='Ada')} ")
    assert sent.headers["Location"] == "/"
    assert "Welcome, Ada." in tab.follow(sent).text
    assert tab.http.get("/").text.count("Sign out") == 1


@pytest.mark.parametrize("key", ["", "libres_forged", "\0", "\udc80", "x" * 5000])
def test_wrong_key(tab, key):
    """A wrong key is told beside the field, and not shown again."""
    found = tab.http.post(
        "/sign-in",
        data={"csrf_token": tab.token(), "key": key.encode("utf-8", "replace")},
        headers=HEADERS,
    )
    assert found.status_code == 401
    assert 'role="alert">Nobody has this key' in found.text
    assert found.headers["WWW-Authenticate"].startswith("Bearer")
    assert "libres_forged" not in found.text


def test_revoked_key(app, context, key_of):
    """Who is signed in with a key that is revoked is nobody at once."""
    tab = Tab(app, key_of("manage", name="Ada"))
    (stored,) = Keys(context).all()
    context.transaction(lambda: Keys(context).revoke(stored.id))
    assert "Sign out" not in tab.open("/").text


def test_guessing(context, place, key_of):  # noqa: ARG001 - there is a hall
    """Who guesses keys has to wait, even with a right one."""
    settings = WebSettings(failures_per_minute=2)
    app = create_app(context, settings, secret_key="x" * 20, secure_cookies=False)
    tab = Tab(app)
    statuses = [tab.send("/sign-in", key=f"no {n}").status_code for n in range(2)]
    assert statuses == [401, 401]
    found = tab.send("/sign-in", key=key_of("read"))
    assert found.status_code == 429
    assert int(found.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("/desk", "/desk"),
        ("/resources/a%20b?day=2026-11-30", "/resources/a%20b?day=2026-11-30"),
        ("", "/"),
        ("desk", "/"),  # relative to wherever the form is
        ("//evil.example", "/"),  # another host, by the scheme of this one
        ("/\\evil.example", "/"),  # what browsers read in the same way
        ("\\\\evil.example", "/"),
        ("/\t/evil.example", "/"),  # browsers leave the tab out
        ("/\n/evil.example", "/"),
        ("/desk\r\nSet-Cookie: a=b", "/"),
        (" //evil.example", "/"),
        ("https://evil.example/", "/"),
        ("https:evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/" + "x" * 3000, "/"),
    ],
)
def test_next(tab, key_of, path, leads):
    """One gets back to where one came from, and nowhere else."""
    sent = tab.send("/sign-in", key=key_of("read"), next=path)
    assert sent.headers["Location"] == leads
    assert "Set-Cookie: a" not in str(sent.headers)


def test_next_below_a_prefix(app, key_of):
    """Below the path of another application one gets back to where one came from."""
    client = app.test_client()
    options = {"base_url": "http://localhost/booking", "headers": HEADERS}
    page = client.get("/sign-in", query_string={"next": "/desk"}, **options).text
    assert 'name="next" value="/desk"' in page
    assert 'action="/booking/sign-in"' in page
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": token, "key": key_of("read"), "next": "/desk"}
    sent = client.post("/sign-in", data=form, **options)
    assert sent.headers["Location"] == "/booking/desk"


def test_no_token(app, key_of):
    """Nobody is signed in by the page of somebody else, even without a cookie."""
    client = app.test_client()
    found = client.post("/sign-in", data={"key": key_of("read")}, headers=HEADERS)
    assert found.status_code == 403
    with client.session_transaction() as session:
        assert COOKIE not in session


def test_new_session(tab, key_of):
    """Signing in begins a session anew, except for what was reserved in the browser."""
    with tab.http.session_transaction() as session:
        session["libres_tokens"] = ["a token"]
        session["planted"] = "by somebody"
    token = tab.token()
    tab.send("/sign-in", token=token, key=key_of("read"))
    with tab.http.session_transaction() as session:
        assert session["libres_tokens"] == ["a token"]
        assert "planted" not in session
    assert tab.send("/sign-out", token=token).status_code == 403


def test_sign_out(app, key_of):
    """Signing out forgets who was here, and what they reserved."""
    tab = Tab(app, key_of("read", name="Ada"))
    with tab.http.session_transaction() as session:
        session["libres_tokens"] = ["a token"]
    assert "You are signed out." in tab.follow(tab.send("/sign-out")).text
    with tab.http.session_transaction() as session:
        assert COOKIE not in session
        assert "libres_tokens" not in session


def test_sign_out_needs_token(app, key_of):
    """Nobody is signed out by the page of somebody else, nor by a link."""
    tab = Tab(app, key_of("read"))
    assert tab.http.post("/sign-out").status_code == 403
    assert tab.http.get("/sign-out").status_code == 405


def test_hostile_name(app, key_of):
    """The name of who has a key is text, whatever it is."""
    tab = Tab(app, key_of("read", name="<script>alert(1)</script>"))
    assert "<script>alert" not in tab.open("/").text


class Host:
    """A host's own idea of who asks."""

    def caller(self, _request):
        """Somebody else is always there."""
        return Caller("Grace")


def test_identity_of_the_host(context, app, key_of):
    """Where a host knows its users itself, nobody signs in by a key."""
    key = key_of("manage")
    context.set_service("identity", lambda _context: Host())
    tab = Tab(app)
    page = tab.open("/sign-in").text
    assert "knows its users by itself" in page
    assert 'name="key"' not in page
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    assert tab.send("/sign-in", token=token, key=key).status_code == 401
