"""Signing in over HTTP: tokens, and who is refused."""

from __future__ import annotations

import time
from datetime import timedelta

import jwt
import pytest

from libres.sync.memberships import Memberships
from libres.sync.organizations import Organizations
from libres.sync.permissions import Permissions
from libres.sync.settings import Settings
from libres.sync.users import Users
from tests.web.syncing import (
    CUSTOMER,
    PASSWORD,
    SECRET,
    template,  # noqa: F401 - the database of these tests
)


def test_token(john, acme):
    """S1: the answer has the keys that clients know, and one organisation."""
    answer = john.sign_in()
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 900
    assert answer.json["user"] == {
        "id": john.user.id,
        "username": john.user.username,
        "email": john.user.email,
    }
    assert answer.json["organizations"] == [
        {
            "id": str(acme.id),
            "name": acme.name,
            "slug": acme.slug,
            "group": "Managers",
        }
    ]
    assert answer.json["organization"] == acme.slug


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"username": "john"}, 400),
        ({"username": "john", "password": PASSWORD, "device_key": "x"}, 400),
        ({"username": ["john"], "password": PASSWORD}, 400),
        ([], 400),
        ({"username": "nobody", "password": "wrong"}, 401),
        ({"device_key": "wrong"}, 401),
    ],
)
def test_wrong(house, body, status):
    """S1: what is missing is told apart from what is wrong."""
    answer = house.post("auth/token/", body)
    assert answer.status_code == status, answer.text
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_empty_body(house):
    """S1: nothing at all is no request to sign in."""
    assert house.http.post("/api/sync/auth/token/").status_code == 400


def test_wrong_password(house, john):
    """S1: a wrong password is refused, and not told from a wrong name."""
    credentials = {"username": john.user.username, "password": "wrong"}
    wrong = house.post("auth/token/", credentials).json["error"]["message"]
    nobody = {"username": "nobody", "password": "wrong"}
    unknown = house.post("auth/token/", nobody).json["error"]["message"]
    assert wrong == unknown


def test_many_failures(house, john):
    """Guessing a password ends by 429."""
    credentials = {"username": john.user.username, "password": "wrong"}
    answers = [house.post("auth/token/", credentials) for _ in range(6)]
    assert [each.status_code for each in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_device(john):
    """Who names a device gets one, the same one the next time."""
    first, second = (john.sign_in(device="Phone").json["device"] for _ in range(2))
    assert first == second
    assert first["name"] == "Phone"


def test_refresh(house, john):
    """A token that refreshes does so once; the second time all of them end."""
    first = john.sign_in().json
    asked = {"refresh_token": first["refresh_token"]}
    again = house.post("auth/refresh/", asked)
    assert again.status_code == 200
    john.token = again.json["token"]
    assert john.get("models/").status_code == 200
    assert house.post("auth/refresh/", asked).status_code == 401
    assert john.get("models/").status_code == 401


@pytest.mark.parametrize("which", ["token", "refresh_token", None])
def test_revoke(house, john, which):
    """Signing out ends the tokens, whichever of them says so."""
    signed_in = john.sign_in().json
    body = {} if which is None else {"token": signed_in[which]}
    assert john.post("auth/revoke/", body).json == {"revoked": True}
    assert john.get("models/").status_code == 401
    asked = {"refresh_token": signed_in["refresh_token"]}
    assert house.post("auth/refresh/", asked).status_code == 401


def test_header(house, john):
    """The header may name the organisation of the token, and no other one."""
    other = house.organization()
    own = {"X-Organization": john.organization.slug}
    assert john.get("models/", own).status_code == 200
    answer = john.get("models/", {"X-Organization": other.slug})
    assert answer.status_code == 403
    assert answer.json["error"]["type"] == "authorization"


# What ends at once --------------------------------------------------------------------


def test_revoked_right(house, john):
    """S18: a right that is taken away is gone with the next request."""
    assert CUSTOMER in john.pull()["metadata"]
    house.do(
        lambda: Permissions(house.context).revoke(
            john.organization, john.role, CUSTOMER, "pull"
        )
    )
    found = john.pull()["metadata"][CUSTOMER]
    assert found["error"]
    assert found["count"] == 0


def test_inactive_organization(house, john):
    """S18: nobody gets in for an organisation that is not active."""
    assert john.get("models/").status_code == 200
    organizations = Organizations(house.context)
    house.do(lambda: organizations.set_active(john.organization.slug, False))
    assert john.get("models/").status_code == 401


def test_inactive_user(house, john):
    """S18: a user that is not active gets in nowhere."""
    assert john.get("models/").status_code == 200
    house.do(lambda: Users(house.context).set_active(john.user, False))
    assert john.get("models/").status_code == 401
    credentials = {"username": john.user.username, "password": PASSWORD}
    assert house.post("auth/token/", credentials).status_code == 401


def test_membership_ends(house, john):
    """S18: who is no member any more has no valid token."""
    assert john.get("models/").status_code == 200
    memberships = Memberships(house.context)
    house.do(lambda: memberships.remove(john.user, john.organization))
    assert john.get("models/").status_code == 401


# Tokens -------------------------------------------------------------------------------


def test_zone(john, monkeypatch):
    """S19: a token is good at once, wherever its server is."""
    monkeypatch.setenv("TZ", "Europe/Zurich")
    time.tzset()
    try:
        john.sign_in()
        assert john.get("models/").status_code == 200
    finally:
        monkeypatch.undo()
        time.tzset()


def test_expired(john, clock):
    """S19: a token ends after a quarter of an hour."""
    john.sign_in()
    clock.advance(timedelta(minutes=14))
    assert john.get("models/").status_code == 200
    clock.advance(timedelta(minutes=2))
    assert john.get("models/").status_code == 401


@pytest.mark.parametrize(
    "forge",
    [
        lambda claims, head: jwt.encode(claims, None, "none", head),
        lambda claims, head: jwt.encode(claims, "another secret " * 4, "HS256", head),
        lambda claims, head: jwt.encode({**claims, "aud": "x"}, SECRET, "HS256", head),
        lambda claims, head: jwt.encode(claims, SECRET * 2, "HS512", head),
    ],
    ids=["no algorithm", "other secret", "other audience", "other algorithm"],
)
def test_forged(john, forge):
    """S19: what we have not signed, as we do it, opens nothing."""
    john.sign_in()
    claims = jwt.decode(john.token, options={"verify_signature": False})
    head = jwt.get_unverified_header(john.token)
    del head["alg"]
    john.token = forge(claims, head)
    answer = john.get("models/")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_only_tokens(house, john):
    """Neither cookies nor keys of the web edge count."""
    answer = house.get("models/", {"X-API-Key": john.token or "x"})
    assert answer.status_code == 401
    john.sign_in()
    house.http.set_cookie("token", john.token)
    assert house.get("models/").status_code == 401


# Limits -------------------------------------------------------------------------------


def test_limit(house, john, clock):
    """S25: the 61st request of a minute is refused; others are not concerned."""
    mary = house.person(john.organization, CUSTOMER)
    statuses = [john.get("models/").status_code for _ in range(60)]
    assert set(statuses) == {200}
    refused = john.get("models/")
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert refused.json["error"]["retry_info"]["retry_after"] == int(
        refused.headers["Retry-After"]
    )
    assert mary.get("models/").status_code == 200
    clock.advance(timedelta(seconds=61))
    assert john.get("models/").status_code == 200


@pytest.mark.usefixtures("clock")
def test_limit_is_set(house, john):
    """Settings decide how often one may ask."""
    settings = Settings(house.context)
    house.do(lambda: settings.set("requests_per_minute", 2))
    try:
        found = [john.get("models/").status_code for _ in range(3)]
    finally:
        house.do(lambda: settings.reset("requests_per_minute"))
    assert found == [200, 200, 429]
