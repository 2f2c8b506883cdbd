"""The OpenAPI document is true: schemathesis sends what it says, and what it does not.

All checks of schemathesis: no 500, documented statuses, content types and shapes, wrong
data refused, methods that are not there refused. Each operation is a test of its own.
"""

from __future__ import annotations

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig

from libres.web import WebSettings, create_app
from libres.web.app import document
from libres.web.keys import Keys

EXAMPLES = int(os.environ.get("LIBRES_SCHEMA_EXAMPLES", "10"))
"""Requests per operation and test."""

VERBS = {"get", "put", "post", "patch", "delete"}

CONFIG = SchemathesisConfig.from_dict(
    {
        # Rules such as "it ends after it starts" cannot be said in a schema, and the
        # key of a sensor that is made up is one that nobody has.
        "checks": {
            "positive_data_acceptance": {
                "expected-statuses": [
                    *("2xx", "3xx", 400, 401, 403, 404, 409, 422, 503)
                ]
            }
        }
    }
)


def operations():
    """All operations of the document, with valid data, and with what is not."""
    for path, verbs in document()["paths"].items():
        for verb in sorted(VERBS & set(verbs)):
            yield pytest.param(verb, path, GenerationMode.POSITIVE)
            if can_be_wrong(verbs[verb]):
                yield pytest.param(verb, path, GenerationMode.NEGATIVE)


def can_be_wrong(operation):
    """Whether there is anything to send but words of a path, which are all texts."""
    parameters = operation.get("parameters", [])
    return "requestBody" in operation or any(
        each["in"] != "path" or each["schema"].get("type") != "string"
        for each in parameters
    )


def name(value):
    """What a parameter is called."""
    return value.value if isinstance(value, GenerationMode) else value


@pytest.fixture(scope="module")
def served(module_dsn):
    """An application with a hall, its document, and a key that may do everything."""
    from libres.context.registry import create_default_registry  # noqa: PLC0415

    context = create_default_registry().register_context("schema")
    context.set_setting("dsn", module_dsn)
    keys = Keys(context)
    key = context.transaction(lambda: keys.create("all", ["manage", "sensor"]))
    app = create_app(
        context,
        WebSettings(requests_per_minute=None, failures_per_minute=1_000_000),
        secret_key="signs cookies",
        secure_cookies=False,
    )
    yield schemathesis.openapi.from_wsgi("/openapi.json", app, config=CONFIG), key
    context.get_service("session_provider").stop_service()


@pytest.mark.parametrize(("verb", "path", "mode"), list(operations()), ids=name)
def test_operation(served, verb, path, mode):
    """Whatever is sent, the answer is one that the document knows."""
    schema, key = served
    cases = schema[path][verb].as_strategy(generation_mode=mode)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def act(case):
        case.call_and_validate(
            headers={"Authorization": f"Bearer {key}"}, checks=CHECKS.get_all()
        )

    act()
