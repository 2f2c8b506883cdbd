"""Whatever goes wrong is told in one shape, with a type and a status from one table."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy.exc import OperationalError

from libres.context.registry import create_default_registry
from libres.modules.errors import TooManyConflicts
from libres.sync import Sync, errors
from libres.sync.settings import Settings
from libres.web import WebSettings, create_app
from tests.web.syncing import template  # noqa: F401 - the database of these tests

KEYS = {
    *("type", "message", "severity", "retryable"),
    *("timestamp", "context", "retry_info"),
}


def told(answer, status, kind):
    """What is told of an error, if it has the shape of all of them."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    error = answer.json["error"]
    assert set(answer.json) == {"error"}
    assert set(error) == KEYS
    assert error["type"] == kind
    assert datetime.fromisoformat(error["timestamp"]).tzinfo is not None
    assert error["context"]["request"] == answer.headers["X-Request-Id"]
    return error


def test_nobody(house):
    """Without a token one is told what to send."""
    answer = house.get("models/")
    told(answer, 401, "authentication")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="libres.sync"'


@pytest.mark.parametrize("path", ["", "nothing", "push/more/", "auth/"])
@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete"])
def test_nowhere(house, verb, path):
    """A path that leads nowhere is answered in the same shape."""
    told(getattr(house.http, verb)(f"/api/sync/{path}"), 404, "validation")


@pytest.mark.parametrize(
    ("verb", "path", "allowed"),
    [
        ("get", "push/", {"POST", "OPTIONS"}),
        ("delete", "pull/", {"POST", "OPTIONS"}),
        ("put", "auth/token/", {"POST", "OPTIONS"}),
        ("post", "models/", {"GET", "HEAD", "OPTIONS"}),
        ("post", "health/", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_verb(house, verb, path, allowed):
    """A verb that is not known there is refused, and those that are, are told."""
    answer = getattr(house.http, verb)(f"/api/sync/{path}")
    told(answer, 405, "validation")
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_slash(john):
    """The slash at the end may be left out."""
    assert john.get("models").status_code == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff",
        b'{"data": NaN}',
        b'{"data": 1, "data": 2}',
        b'{"data": "\\ud800"}',
        b"[" * 30 + b"]" * 30,
    ],
)
@pytest.mark.parametrize("path", ["push/", "pull/", "auth/token/"])
def test_malformed(house, john, path, raw):
    """What two readers could take for different things is refused."""
    url = f"/api/sync/{path}"
    headers = john.headers
    answer = house.http.post(
        url, data=raw, headers=headers, content_type="application/json"
    )
    told(answer, 400, "validation")


def test_fields(house):
    """What is wrong with a field is told by its name."""
    error = told(house.post("auth/refresh/", {"token": "x"}), 400, "validation")
    assert set(error["context"]["errors"]) == {"refresh_token", "token"}


def test_media_type(house, john):
    """What is not sent as JSON is refused."""
    answer = house.http.post(
        "/api/sync/push/", data="<xml/>", headers=john.headers, content_type="text/xml"
    )
    told(answer, 415, "validation")


@pytest.mark.parametrize("is_announced", [True, False])
def test_too_large(house, john, is_announced):
    """More bytes than may be are not read, and not more than that if nobody says how
    many there are."""
    settings = Settings(house.context)
    headers = john.headers
    house.do(lambda: settings.set("largest_body", 2000))
    try:
        answer = house.http.post(
            "/api/sync/push/",
            data=b" " * 3000,
            headers=headers,
            content_type="application/json",
            environ_overrides={} if is_announced else {"wsgi.input_terminated": True},
            content_length=None if is_announced else "",
        )
    finally:
        house.do(lambda: settings.reset("largest_body"))
    error = told(answer, 413, "validation")
    assert error["context"]["limit"] == "2000 bytes"


def test_large_sign_in(house):
    """Nobody needs much to sign in."""
    body = {"username": "x" * 20_000, "password": "x"}
    told(house.post("auth/token/", body), 413, "validation")


def failing(monkeypatch, error):
    """Let all who ask for models meet an error."""

    def fail(*_args, **_more):
        raise error

    monkeypatch.setattr(Sync, "describe", fail)


@pytest.mark.parametrize(
    ("error", "status", "kind", "is_retryable"),
    [
        (errors.Unavailable(), 503, "database", True),
        (TooManyConflicts(3, 1.0), 503, "database", True),
        (errors.NotSetUp(), 500, "configuration", False),
        (OperationalError("x", {}, Exception("gone")), 500, "database", False),
        (ZeroDivisionError("secret"), 500, "unknown", False),
        (errors.TooManyRequests(retry_after=7), 429, "rate_limit", True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_table(john, monkeypatch, error, status, kind, is_retryable):
    """Each error has its type and its status; what was not foreseen tells nothing."""
    failing(monkeypatch, error)
    answer = john.get("models/")
    said = told(answer, status, kind)
    assert said["retryable"] is is_retryable
    assert ("Retry-After" in answer.headers) is is_retryable
    assert (said["retry_info"] is not None) is is_retryable
    assert "secret" not in answer.text


def test_resync_required(john, monkeypatch):
    """The answer to a cursor that is over has the one to go on with."""
    failing(monkeypatch, errors.ResyncRequired(models=["a"], cursor="c"))
    said = told(john.get("models/"), 410, "resync_required")
    assert said["context"]["models"] == ["a"]
    assert said["context"]["cursor"] == "c"
    assert "cursor: c" not in said["message"]


@pytest.mark.parametrize(
    ("sent", "is_taken"),
    [("abc-1", True), ("x" * 128, True), ("x" * 129, False), ("grün", False)],
)
def test_request_id(house, sent, is_taken):
    """A request is called as its sender says, if that can be written down."""
    found = house.get("models/", {"X-Request-Id": sent}).headers["X-Request-Id"]
    assert (found == sent) is is_taken
    assert found


def test_off(house, monkeypatch):
    """Without keys there is nothing, and nothing of it in the document."""
    monkeypatch.delenv("LIBRES_SYNC_SECRET", raising=False)
    context = create_default_registry().register_context("off")
    context.set_setting("dsn", house.context.get_setting("dsn"))
    client = create_app(context, WebSettings(), secret_key="x").test_client()
    try:
        for path in ("health/", "models/"):
            assert client.get(f"/api/sync/{path}").status_code == 404
        assert client.post("/api/sync/auth/token/").status_code == 404
        paths = client.get("/openapi.json").json["paths"]
    finally:
        context.get_service("session_provider").stop_service()
    assert not any("sync" in path for path in paths)
    assert "/api/sync/push/" in house.http.get("/openapi.json").json["paths"]
