"""Signing in to the configuration, with name and password, and out again."""

from __future__ import annotations

import importlib
import sys

import pytest

from libres.sync.users import Users
from libres.web import WebSettings, create_app
from libres.web.keys import COOKIE as KEY
from tests.web.config.conftest import Tab

PASSWORD = "correct horse battery"
WRONG = "Nobody has this name and password."


@pytest.fixture
def known(office):
    """The administrator of the office, who has a password."""
    users = Users(office.house.context)
    user = office.users["admin"]
    office.users["admin"] = office.house.do(lambda: users.set_password(user, PASSWORD))
    return office


@pytest.fixture
def anybody(office):
    """The browser of somebody who has not signed in."""
    return office.tab()


def signing_in(tab, office, password=PASSWORD, **more):
    """Send the form."""
    name = office.users["admin"].username
    return tab.send("sign-in/", username=name, password=password, **more)


@pytest.fixture
def signed(known):
    """The browser of an administrator who has just signed in by password."""
    tab = known.tab()
    assert signing_in(tab, known).status_code == 303
    return tab


def test_form(anybody):
    """The password is asked for in a field whose letters are not shown."""
    page = anybody.open("sign-in/")
    assert page.status_code == 200
    assert 'type="password"' in page.text
    assert 'autocomplete="current-password"' in page.text


def test_right_password(signed, known):
    """Who has a name and its password is let in, and shown as who they are."""
    page = signed.open("")
    assert page.status_code == 200
    assert f"<bdi>{known.users['admin'].username}</bdi>" in page.text
    assert 'action="/config/sign-out/"' in page.text


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("", ""),
        ("\0", "\0"),
        ("x" * 5000, "x" * 5000),
        ("<script>alert(1)</script>", "x"),
        ("' OR 1=1 --", "x"),
        ("\u202eecila", "x"),
    ],
)
def test_nobody(anybody, name, password):
    """Who is nobody is told so beside the form, and what they typed is not shown."""
    found = anybody.send("sign-in/", username=name, password=password)
    assert found.status_code == 401
    assert WRONG in found.text
    assert "<script>alert" not in found.text


def test_wrong_password(known):
    """A wrong password opens nothing."""
    tab = known.tab()
    assert signing_in(tab, known, "wrong horse battery").status_code == 401
    assert tab.open("").status_code == 303


def test_deactivated(known):
    """Who was deactivated is nobody, as is who never was; not even the name is told."""
    users = Users(known.house.context)
    known.house.do(lambda: users.set_active(known.users["admin"], False))
    found = signing_in(known.tab(), known)
    assert found.status_code == 401
    assert WRONG in found.text


def test_guessing(known):
    """Who guesses has to wait, even with the right password; the page says how long."""
    tab = known.tab()
    tried = [signing_in(tab, known, f"wrong {n}").status_code for n in range(5)]
    assert tried == [401] * 5
    found = signing_in(tab, known)
    assert found.status_code == 429
    seconds = int(found.headers["Retry-After"])
    assert 1 <= seconds <= 60
    assert f"wait {seconds} seconds" in found.text


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("/config/?a=b&c=%20", "/config/?a=b&c=%20"),
        ("", "/config/"),
        ("config", "/config/"),
        ("//evil.example", "/config/"),
        ("/\\evil.example", "/config/"),
        ("\\\\evil.example", "/config/"),
        ("/\t/evil.example", "/config/"),
        ("/\n/evil.example", "/config/"),
        ("/config\r\nSet-Cookie: a=b", "/config/"),
        (" //evil.example", "/config/"),
        ("https://evil.example/", "/config/"),
        ("https:evil.example", "/config/"),
        ("javascript:alert(1)", "/config/"),
        ("/" + "x" * 3000, "/config/"),
    ],
)
def test_next(monkeypatch, known, path, leads):
    """One gets back to where one came from, and nowhere else."""
    from libres.web.config import signin  # noqa: PLC0415 - a module, to be patched

    admin = known.users["admin"]
    monkeypatch.setattr(signin.signing_in, "check", lambda *_: admin)  # is slow
    sent = signing_in(known.tab(), known, next=path)
    assert sent.headers["Location"] == leads
    assert "Set-Cookie: a" not in str(sent.headers)


def test_back(anybody):
    """Who is asked to sign in gets back to the page with all that was asked there."""
    found = anybody.open("", since="2026-11-01", user="a b")
    assert found.status_code == 303
    page = anybody.http.get(found.headers["Location"], headers={"Accept": "text/html"})
    assert 'name="next" value="/config/?since=2026-11-01&amp;user=a+b"' in page.text


def test_next_below_a_prefix(known):
    """Below the path of another application one gets back to where one came from."""
    client = known.tab().http
    options = {
        "base_url": "http://localhost/booking",
        "headers": {"Accept": "text/html"},
    }
    found = client.get("/config/", **options)
    assert found.headers["Location"] == "/booking/config/sign-in/?next=/config/"
    page = client.get("/config/sign-in/?next=/config/", **options).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"username": known.users["admin"].username, "password": PASSWORD}
    form |= {"csrf_token": token, "next": "/config/"}
    sent = client.post("/config/sign-in/", data=form, **options)
    assert sent.headers["Location"] == "/booking/config/"


def test_no_token(known):
    """Nobody is signed in by the page of somebody else, even without a cookie."""
    tab = known.tab()
    name = known.users["admin"].username
    found = tab.send("sign-in/", token=False, username=name, password=PASSWORD)
    assert found.status_code == 403
    assert tab.open("").status_code == 303


def test_new_session(known):
    """Signing in begins a session anew: what was planted before proves nothing."""
    tab = known.tab()
    with tab.http.session_transaction() as session:
        session[KEY] = "11111111-1111-4111-8111-111111111111"
        session["planted"] = "by somebody"
    token = tab.token
    assert signing_in(tab, known).status_code == 303
    with tab.http.session_transaction() as session:
        assert set(session) <= {"libres_config", "csrf_token", "_flashes"}
    form = {"csrf_token": token}
    assert tab.http.post("/config/sign-out/", data=form).status_code == 403


def test_sign_out(signed):
    """Signing out forgets who was here."""
    found = signed.send("sign-out/")
    assert found.status_code == 303
    assert "You are signed out." in signed.open("sign-in/").text
    assert signed.open("").status_code == 303


def test_sign_out_needs_token(signed):
    """Nobody is signed out by the page of somebody else, nor by a link."""
    assert signed.send("sign-out/", token=False).status_code == 403
    assert signed.open("sign-out/").status_code == 405
    assert signed.open("").status_code == 200


@pytest.mark.parametrize("secure", [True, False])
def test_cookie(known, secure):
    """The cookie is for this site only, not for scripts, and gone with the browser."""
    app = create_app(
        known.house.context, WebSettings(), secret_key="x" * 20, secure_cookies=secure
    )
    found = app.test_client().get("/config/sign-in/", base_url="https://localhost")
    cookie = found.headers["Set-Cookie"]
    assert "; HttpOnly" in cookie
    assert "; SameSite=Lax" in cookie
    assert ("; Secure" in cookie) == secure
    assert "Expires" not in cookie
    assert "Max-Age" not in cookie


def test_forged_cookie(known):
    """A cookie that another secret has signed says nothing."""
    other = create_app(
        known.house.context,
        WebSettings(),
        secret_key="another one",
        secure_cookies=False,
    )
    tab = Tab(other, known.users["admin"])
    assert tab.open("").status_code == 200
    stolen = tab.http.get_cookie("libres").value
    ours = known.tab()
    ours.http.set_cookie("libres", stolen)
    assert ours.open("").status_code == 303


def test_offered(known):
    """Who signs in with a key finds where one signs in to the configuration."""
    page = known.tab().http.get("/sign-in", headers={"Accept": "text/html"}).text
    assert '<a href="/config/sign-in/">' in page


def test_without_keys_of_tokens(known, monkeypatch):
    """Where nobody can get tokens, as the package for them is missing, one signs in
    to the configuration all the same."""
    for name in list(sys.modules):
        if name == "jwt" or name.startswith("jwt."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(ImportError):
        importlib.import_module("jwt")
    tab = known.tab()
    assert signing_in(tab, known).status_code == 303
    assert tab.open("").status_code == 200
