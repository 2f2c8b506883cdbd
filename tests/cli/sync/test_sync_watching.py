"""`libres sync` from the outside: devices, cursors, the feed, the doctor, tokens."""

from __future__ import annotations

import re
import signal
import threading
import time
from uuid import uuid4

import pytest

from libres.sync import configure, cursors, members
from libres.sync.cursors import Cursor
from libres.sync.devices import Devices
from tests.cli.serving import serving
from tests.cli.sync.running import PASSWORD, SECRET, invoked
from tests.sync.models import Customer


@pytest.fixture
def acme(house):
    """Acme Corporation."""
    return house.organizations.named("acme-corp")


@pytest.fixture
def hire(house, acme):
    """Stores a customer of Acme: a change."""

    def hire(name):
        house.session.add(Customer(organization_id=acme.id, name=name))
        house.commit()

    return hire


# Devices ------------------------------------------------------------------------------


@pytest.mark.usefixtures("house")
def test_device(done, house, hire):
    """A key is printed alone, the list tells the lag, and revoked is revoked."""
    key = done("devices add", "john_manager", "acme-corp", "Kiosk\N{SNOWMAN}").strip()
    assert re.fullmatch(r"libres_dev_\S+", key)
    hire("Ada")
    house.number()
    listed = done("devices list", "--org", "acme-corp").splitlines()
    assert re.search(r"Kiosk\N{SNOWMAN} +acme-corp +john_manager +yes +1 *$", listed[1])
    assert key not in "".join(listed)
    assert "Kiosk" not in done("devices list", "--org", "global-retail")
    assert done("devices revoke", listed[1].split()[0]) == "Revoked.\n"
    (found,) = Devices(house.context).all()
    assert found.revoked is not None
    assert done("devices list").splitlines()[1].rstrip().endswith("Z")


# Cursors ------------------------------------------------------------------------------


@pytest.fixture
def cursor(house, clock):
    """A cursor of John, who has got one change of two."""
    configure(house.context, {"env": SECRET})
    john = house.users.named("john_manager")
    acme = house.organizations.named("acme-corp")
    member = members.load(house.context, john.id, acme.id, None)
    models = {"myapp.Customer": "digest"}
    told = Cursor(1, clock.now, models, waiting=("myapp.Note",), after=7)
    return cursors.write(house.context, member, told)


def test_cursor(done, hire, house, cursor):
    """It tells for whom it was written, and how far behind it is."""
    for name in ("Ada", "Ben"):
        hire(name)
    house.number()
    said = done("cursor show", cursor)
    for wanted in ("acme-corp", "1, 1 change behind", "myapp.Customer", "myapp.Note"):
        assert wanted in said


@pytest.mark.parametrize("spoil", [lambda _: "x", lambda c: c[:-2], lambda c: c + "AA"])
def test_no_cursor(run, cursor, spoil):
    """What was not written here is none."""
    result = run("cursor show", spoil(cursor))
    assert result.exit_code == 1
    assert "This is no cursor of this context" in result.output


def test_cursor_of_other_context(run, cursor):
    """The key of another context, or none at all, reads nothing."""
    assert run("cursor show", cursor, "--context", "other").exit_code == 1


# The feed -----------------------------------------------------------------------------


@pytest.mark.usefixtures("house")
def test_lag_and_number(done, hire):
    """What waits is counted, and numbered once."""
    hire("Ada")
    said = done("feed lag")
    assert said.startswith("1 change without a number, the oldest for 0:00:")
    assert done("feed number --dry-run") == (
        "Dry run, nothing is written: 1 change numbered.\n"
    )
    assert done("feed number") == "1 change numbered.\n"
    assert done("feed lag") == ("0 changes without a number.\nThe last number is 1.\n")


def test_show_feed(done, house, hire):
    """The last changes are shown, the newest first, and what is hostile is harmless."""
    with house.acting("ada\x1b[31m", request="r-1"):
        hire("Ada")
    hire("Ben")
    house.number()
    said = done("feed show").splitlines()
    assert [line.split()[0] for line in said[1:]] == ["2", "1"]
    assert re.search(r"myapp\.Customer +1 +insert +acme-corp +ada", said[2])
    assert "\x1b" not in "".join(said)
    assert len(done("feed show", "--last", "1").splitlines()) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_work(house, hire, dsn, number):
    """A worker numbers until it is told to end, and says how many there were."""
    options = ["--dsn", dsn, "--context", "test", "--interval", "0.01"]
    hire("Ada")
    with serving("sync", "feed", "work", *options) as worker:
        worker.wait_for("Numbering the changes of test")
        end = time.monotonic() + 30
        while house.lag().pending and time.monotonic() < end:
            threading.Event().wait(0.01)
        assert worker.end(number) == (0, "Ended: 1 change numbered.\n")


# The doctor ---------------------------------------------------------------------------


def test_doctor(run, done, house):
    """A trigger that is gone is found, and mended; a dry run mends nothing."""
    connection = house.session.connection()
    found = connection.exec_driver_sql(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'customers'::regclass "
        "AND NOT tgisinternal"
    ).scalars()
    connection.exec_driver_sql(f"DROP TRIGGER {next(found)} ON customers")
    house.commit()
    result = run("doctor")
    assert result.exit_code == 1
    assert "error: Changes of myapp.Customer are not all noted." in result.output
    assert run("doctor --mend --dry-run").exit_code == 1
    assert "The triggers of 1 table are installed." in done("doctor --mend")
    assert run("doctor").exit_code == 0


def test_doctor_of_nothing(empty_dsn):
    """Where tables are missing it says so, and mends nothing."""
    result = invoked("doctor", "--dsn", empty_dsn)
    assert result.exit_code == 1
    assert "Tables are missing" in result.output
    assert (
        "'libres sync setup'" in invoked("doctor", "--mend", "--dsn", empty_dsn).output
    )


# Tokens -------------------------------------------------------------------------------


def test_clean(done, house, content):
    """What is over is forgotten; a dry run only counts it."""
    configure(house.context, {"env": SECRET})
    signed_in = house.sign_in("john_manager", PASSWORD)
    house.commit()
    assert done("tokens clean") == "0 records forgotten.\n"
    house.sign_out(signed_in.access)
    before = content()
    assert done("tokens clean --dry-run") == (
        "Dry run, nothing is written: 1 record forgotten.\n"
    )
    assert content() == before
    assert done("tokens clean") == "1 record forgotten.\n"
    assert content() != before


def test_clean_windows(done, house):
    """Counts of requests that are long over are forgotten, too."""
    configure(house.context, {"env": SECRET})
    house.sign_in("john_manager", PASSWORD)
    house.rollback()
    house.session.connection().exec_driver_sql(
        "INSERT INTO sync_limits (context, who, seconds, began, count) "
        "VALUES ('test', 'user:1', 60, '2020-01-01', 3)"
    )
    house.commit()
    assert "1 record" in done("tokens clean --dry-run")
    assert "1 record" in done("tokens clean")


# What goes wrong ----------------------------------------------------------------------

WRONG = [
    ("devices add", ["nobody", "acme-corp", "x"], "no user 'nobody'"),
    ("devices add", ["john_manager", "nobody", "x"], "no organisation 'nobody'"),
    ("devices add", ["john_manager", "acme-corp", " "], "needs a name"),
    ("devices add", ["john_manager", "acme-corp", "a\x1b"], "needs a name"),
    ("devices revoke", [str(uuid4())], "There is no device"),
    ("devices revoke", ["x"], "is not a valid UUID"),
    ("devices list", ["--org", "nobody"], "no organisation 'nobody'"),
    ("feed show", ["--last", "0"], "is not in the range"),
    ("feed work", ["--interval", "0"], "is not in the range"),
]


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(("command", "arguments", "said"), WRONG)
def test_refused(refuses, command, arguments, said):
    """What cannot be done is said in a sentence, and nothing of it is stored."""
    refuses(command, arguments, said)


@pytest.mark.usefixtures("house")
def test_device_twice(done, run):
    """A user has one device of a name."""
    done("devices add", "john_manager", "acme-corp", "Kiosk")
    result = run("devices add", "john_manager", "acme-corp", "Kiosk")
    assert "The device 'Kiosk' is there already" in result.output


def test_dry_run(house, done, content):
    """A dry run adds and revokes no device, and tells no key."""
    before = content()
    said = done("devices add --dry-run", "john_manager", "acme-corp", "Kiosk")
    assert said == "Dry run, nothing is written: Kiosk is added.\n"
    assert content() == before
    done("devices add", "john_manager", "acme-corp", "Kiosk")
    (found,) = Devices(house.context).all()
    before = content()
    done("devices revoke --dry-run", str(found.id))
    assert content() == before
