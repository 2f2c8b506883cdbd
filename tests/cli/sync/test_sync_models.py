"""`libres sync models` from the outside: switches, and what is told of a model."""

from __future__ import annotations

import pytest

CUSTOMER, REPORT = "myapp.Customer", "myapp.Report"


@pytest.fixture
def is_on(house):
    """Tells whether a model is switched on, as the database says now."""

    def is_on(model=CUSTOMER):
        house.rollback()
        return {each.model: each.on for each in house.switches.all()}[model]

    return is_on


def test_switch(done, is_on):
    """A model is switched off, and on."""
    assert done("models disable", CUSTOMER) == f"{CUSTOMER} is switched off.\n"
    assert not is_on()
    assert done("models enable", CUSTOMER) == f"{CUSTOMER} is switched on.\n"
    assert is_on()


@pytest.mark.usefixtures("house")
def test_list(done):
    """Those that are on, or off, are listed by themselves."""
    done("models disable", CUSTOMER)
    assert CUSTOMER in done("models list")
    enabled, disabled = done("models list --enabled"), done("models list --disabled")
    assert CUSTOMER in disabled
    assert REPORT not in disabled
    assert CUSTOMER not in enabled
    assert REPORT in enabled


@pytest.mark.usefixtures("house")
def test_show(done):
    """A model is told with its switch, its rights, and the names of its fields."""
    said = " ".join(done("models show", CUSTOMER).split())
    assert "table customers" in said
    assert "whose organization_id" in said
    assert "switched on yes" in said
    assert "changes noted yes" in said
    assert "read only since" in said
    assert "secret secret_note" in said
    done("models disable", CUSTOMER)
    assert "switched on no" in " ".join(done("models show", CUSTOMER).split())


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("command", ["enable", "disable"])
def test_dry_run(done, content, command):
    """A dry run says what would be done, and stores nothing."""
    other = "disable" if command == "enable" else "enable"
    done(f"models {other}", CUSTOMER)
    before = content()
    said = done(f"models {command} --dry-run", CUSTOMER)
    assert said.startswith("Dry run, nothing is written: ")
    assert content() == before
    assert done(f"models {command}", CUSTOMER) == said.partition(": ")[2]
    assert content() != before


def test_start(house, done, is_on, content):
    """New models can start off; those that are there stay on."""
    before = content()
    dry = done("models start --dry-run", "off")
    assert content() == before
    said = done("models start", "off")
    assert dry.endswith(said)
    assert said == "New models start switched off.\n"
    assert is_on()
    assert house.settings.get("models_start_off") is True


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("command", ["enable", "disable", "show"])
@pytest.mark.parametrize("model", ["myapp.customer", "x", "\x1b[31m"])
def test_refused(refuses, command, model):
    """What is no model is refused, case included."""
    refuses(f"models {command}", [model], "no model|plain|control|printable")
