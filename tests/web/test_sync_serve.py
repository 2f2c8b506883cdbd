"""`libres serve`: devices can synchronise as soon as there is a secret."""

from __future__ import annotations

import json

import pytest
from click import BadParameter
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from libres.cli.syncing import NO_SYNC, Registering
from tests.cli.serving import serving as process
from tests.sync import models

SECRET = "LIBRES_SYNC_SECRET"
MODELS = "LIBRES_SYNC_MODELS"


def register(sync):
    """What a host writes to have a model of its own synchronised."""
    sync.registry.register(
        models.Report, name="myapp.Report", tenant=models.Report.organization_id
    )


def scalar(dsn, statement):
    """Ask the database."""
    with create_engine(dsn, poolclass=NullPool).begin() as connection:
        models.Base.metadata.create_all(connection)
        return connection.scalar(text(statement))


TRIGGERS = (
    "SELECT count(DISTINCT tgrelid) FROM pg_trigger JOIN pg_class ON tgrelid = "
    "pg_class.oid WHERE relname IN ('reports', 'reservations') AND tgname ~ 'sync'"
)


def test_off(empty_dsn):
    """Without a secret there is nothing, and one line says how to have it."""
    options = ["serve", "--dsn", empty_dsn, "--bind", "127.0.0.1:0"]
    with process(*options, **{SECRET: ""}) as served:
        assert served.get("/api/sync/health/")[0] == 404
        served.end()
    assert served.said.count(NO_SYNC) == 1


def test_on(empty_dsn):
    """With one, devices can sign in; changes of the core, and of models of the host,
    are noted."""
    scalar(empty_dsn, "SELECT 1")
    options = ["serve", "--dsn", empty_dsn, "--bind", "127.0.0.1:0"]
    function = f"{__name__}:register"
    with process(*options, **{SECRET: "s" * 40, MODELS: function}) as served:
        status, body = served.get("/api/sync/health/")
        served.end()
    assert (status, json.loads(body)["status"]) == (200, "healthy")
    assert NO_SYNC not in served.said
    assert scalar(empty_dsn, TRIGGERS) == 2


@pytest.mark.parametrize(
    "value", ["", "nothing", "tests.web:nothing", "no.such:thing", f"{__name__}:SECRET"]
)
def test_no_function(value):
    """What is no function is told at once."""
    with pytest.raises(BadParameter, match=r"is n(ot|o)"):
        Registering().convert(value, None, None)
