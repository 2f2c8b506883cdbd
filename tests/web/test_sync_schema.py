"""The document of synchronisation is true: schemathesis sends what it says, and what it
does not. Each operation is a test of its own."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig

from libres.sync.settings import Settings
from libres.web.app import document
from tests.web.syncing import (
    CUSTOMER,
    template,  # noqa: F401 - the database of these tests
)
from tests.web.test_schema import EXAMPLES, VERBS, can_be_wrong, name

CONFIG = SchemathesisConfig.from_dict(
    {
        # Nobody has the passwords, tokens and cursors that are made up; 410 needs one.
        "checks": {
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", 400, 401, 403, 410, 422, 429]
            },
            # What is too long may be too much altogether.
            "negative_data_rejection": {
                "expected-statuses": [400, 401, 403, 404, 405, 413, 415, 422, 429]
            },
        }
    }
)


def operations():
    """All operations of synchronisation, with valid data, and with what is not."""
    for path, verbs in document(sync=True)["paths"].items():
        if not path.startswith("/api/sync/"):
            continue
        for verb in sorted(VERBS & set(verbs)):
            yield pytest.param(verb, path, GenerationMode.POSITIVE)
            if can_be_wrong(verbs[verb]):
                yield pytest.param(verb, path, GenerationMode.NEGATIVE)


@pytest.fixture(scope="module")
def schema(house):
    """The document, as the application has it; nobody asks too often."""
    limits = Settings(house.context)
    for each in ("requests_per_minute", "requests_per_hour"):
        house.do(lambda each=each: limits.set(each, 1_000_000))
    return schemathesis.openapi.from_wsgi("/openapi.json", house.app, config=CONFIG)


@pytest.fixture(scope="module")
def member(house):
    """Somebody who may push and pull, and see the figures."""
    made = house.person(house.organization(), CUSTOMER, staff=True)
    made.push_customer()
    return made


@pytest.mark.parametrize(("verb", "path", "mode"), list(operations()), ids=name)
def test_operation(schema, member, verb, path, mode):
    """Whatever is sent, the answer is one that the document knows."""
    cases = schema[path][verb].as_strategy(generation_mode=mode)
    member.sign_in()

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
        case.call_and_validate(headers=member.headers, checks=CHECKS.get_all())

    act()
