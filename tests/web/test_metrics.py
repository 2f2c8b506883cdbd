"""Metrics, as Prometheus reads them."""

import logging
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from libres.web import create_app, metrics
from tests.web.conftest import SETTINGS, Client, at, iso


def figures(client):
    """The samples of /metrics: (name, labels) and value."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(name, **labels):
    """The key of a sample."""
    return name, frozenset(labels.items())


def test_requests(reader):
    """Requests are counted by endpoint, method and status, and timed."""
    for _ in range(3):
        reader.get("/resources")
    found = figures(reader)
    which = {"endpoint": "libres.resources.listed", "method": "GET"}
    assert found[of("libres_http_requests_total", **which, status="200")] == 3
    assert found[of("libres_http_request_seconds_count", **which)] == 3


def test_no_paths(reader):
    """What callers make up is no label: neither names nor paths."""
    span = {"from": iso(at("00:00")), "to": iso(at("00:00", 1))}
    for name in ("<script>", "a" * 100, "hall"):
        reader.get(f"/resources/{name}/calendar", **span)
        reader.get(f"/{name}")
    told = reader.get("/metrics").text
    assert "script" not in told
    assert "aaa" not in told
    assert 'endpoint="libres.resources.calendar"' in told


def test_refused(reader, anyone):
    """Refusals are counted by status, those before any view as well."""
    anyone.put("/resources/x", {"title": "X", "timezone": "UTC"})
    Client(anyone.http.application, "wrong").get("/resources")
    found = figures(reader)
    assert found[of("libres_http_refused_total", status="401")] == 2


def test_retries(reader, manager, context, monkeypatch):
    """Transactions that were tried again are counted."""
    transaction = context.transaction

    def twice(fn, **more):
        transaction(fn, **more)
        return transaction(fn, **more)

    monkeypatch.setattr(context, "transaction", twice)
    manager.put("/resources/x", {"title": "X", "timezone": "UTC"})
    assert figures(reader)[of("libres_transactions_retried_total")] == 1


def test_pools(reader):
    """The connections of both pools are told."""
    reader.get("/resources")
    found = figures(reader)
    for pool in ("write", "read"):
        for state in ("in use", "idle"):
            assert of("libres_pool_connections", pool=pool, state=state) in found


def test_who(anyone, reader, key_of, app):
    """Who may read may read them."""
    assert anyone.get("/metrics").status_code == 401
    assert Client(app, key_of("sensor")).get("/metrics").status_code == 403
    told = reader.get("/metrics")
    assert told.content_type == "text/plain; version=0.0.4; charset=utf-8"


def test_public(context, place):
    """A host may let everybody read them."""
    assert place
    app = create_app(context, replace(SETTINGS, metrics_public=True))
    assert Client(app).get("/metrics").status_code == 200


def test_each_its_own(context, reader):
    """A second application in the same process has figures of its own."""
    reader.get("/resources")
    app = create_app(context, replace(SETTINGS, metrics_public=True))
    assert "libres.resources.listed" not in Client(app).get("/metrics").text


def test_without_the_extra(context, place, monkeypatch, caplog):
    """Without the extra nothing is counted, and the log says what to install."""
    assert place
    monkeypatch.setattr(metrics, "find_spec", lambda _name: None)
    anyone = Client(create_app(context, replace(SETTINGS, metrics_public=True)))
    assert anyone.get("/resources").status_code == 200
    with caplog.at_level(logging.WARNING, "libres"):
        assert anyone.get("/metrics").status_code == 404
    assert "pip install 'libres[metrics]'" in caplog.text


@pytest.mark.parametrize("provider", ["gone", "unknown"])
def test_no_pools(context, provider, monkeypatch):
    """Where pools are not known, they are left out."""

    def get_service(_name):
        if provider == "gone":
            raise RuntimeError
        return object()

    monkeypatch.setattr(context, "get_service", get_service)
    assert "libres_pool_connections{" not in metrics.Meter(context).text()
