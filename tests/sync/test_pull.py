"""A device gets everything once, in order, and again if it did not arrive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, insert, select, text, update

from libres.modules.errors import DirtyReadOnlySession
from libres.sync.devices import Devices
from libres.sync.errors import MalformedRequest
from libres.sync.feed import reading
from libres.sync.keyring import configure
from libres.sync.models import SyncDevice, SyncLog, SyncOrganization
from tests.fixtures.statements import counted_on
from tests.sync.models import Country, Customer, Note, Seat
from tests.sync.pulls import ACME, RETAIL, SECRET, Phone, member_of


@pytest.fixture(autouse=True)
def keys(context):
    """A secret to sign cursors by."""
    configure(context, SECRET)


@pytest.fixture
def session(sync):
    """The session of the context."""
    return sync.session


@pytest.fixture
def write(session):
    """Executes a statement, and commits."""

    def run(statement):
        session.execute(statement)
        session.commit()

    return run


def customers(*names, organization=ACME):
    """Insert customers."""
    rows = [{"name": each, "organization_id": organization} for each in names]
    return insert(Customer).values(rows)


def numbered(count, organization=ACME):
    """Insert so many customers."""
    return customers(*(f"n{i}" for i in range(count)), organization=organization)


def pull(sync, member=None, **body):
    """Pull, and return what came."""
    return sync.pull(member or member_of(), body).body


# Rows ---------------------------------------------------------------------------------


def test_first_pull(sync, write):
    """The first pull brings what is there (S3)."""
    write(customers("John Doe"))
    body = pull(sync, models={"myapp.Customer": None}, batch_size=100)
    assert [row["name"] for row in body["data"]] == ["John Doe"]
    assert body["has_more"] is False
    assert body["metadata"]["myapp.Customer"]["count"] == 1
    assert body["batch_info"] == {"batch_size": 100, "total_records": 1}
    assert body["deleted"] == []


def test_keys_of_the_answer(sync):
    """An answer has these keys, even if there is nothing."""
    assert set(pull(sync)) == {
        *("data", "deleted", "metadata", "batch_info", "cursor", "has_more"),
        "resync",
    }


def test_pages(sync, write):
    """250 rows come as 100, 100 and 50: none twice, none missing; then nothing (S4)."""
    write(numbered(250))
    bodies = [pull(sync, models={"myapp.Customer": None})]
    for _ in range(3):
        bodies.append(pull(sync, cursor=bodies[-1]["cursor"]))
    assert [len(each["data"]) for each in bodies] == [100, 100, 50, 0]
    assert [each["has_more"] for each in bodies] == [True, True, False, False]
    ids = [row["id"] for each in bodies for row in each["data"]]
    assert len(set(ids)) == 250


def test_page_that_is_just_full(sync, write):
    """Two hundred rows in pages of a hundred are two pages."""
    write(numbered(200))
    first = pull(sync, models={"myapp.Customer": None})
    second = pull(sync, cursor=first["cursor"])
    assert (first["has_more"], second["has_more"]) == (True, False)


def test_models_one_after_the_other(sync, write):
    """A page is filled with rows of the next model."""
    write(customers("Ada", "Bob"))
    write(insert(Country).values([{"code": "CH", "name": "Switzerland"}]))
    body = pull(sync, batch_size=2)
    assert {row["_model"] for row in body["data"]} == {
        "myapp.Country",
        "myapp.Customer",
    }
    assert body["metadata"]["myapp.Country"]["last_sync"] is not None
    assert body["metadata"]["myapp.Customer"]["last_sync"] is None


def test_keys_of_several_columns(sync, write):
    """Pages follow keys of two columns."""
    places = [(row, place) for row in (1, 2) for place in "abc"]
    write(
        insert(Seat).values(
            [{"row": r, "place": p, "organization_id": ACME} for r, p in places]
        )
    )
    phone = Phone(sync, member_of(models=["Seat"]), batch=2)
    assert phone.ids("myapp.Seat") == [list(each) for each in places]


def test_pending_version(sync, write):
    """A row has the version of its last change, numbered or not."""
    write(customers("Ada"))
    first = pull(sync)["data"][0]["_version"]
    write(update(Customer).values(age=3))
    assert pull(sync)["data"][0]["_version"] > first > 0


def test_never_changed(sync, session):
    """A row that was there before anything was noted has the version 0."""
    session.execute(text("ALTER TABLE customers DISABLE TRIGGER USER"))
    session.execute(customers("Ada"))
    session.execute(text("ALTER TABLE customers ENABLE TRIGGER USER"))
    session.commit()
    assert pull(sync)["data"][0]["_version"] == 0


# Changes ------------------------------------------------------------------------------


def test_deleted_and_changed(sync, write):
    """One was deleted, one changed: nothing else comes (S5)."""
    write(customers("Ada", "Bob", "Cy"))
    phone = Phone(sync, member_of())
    ada, bob, _ = phone.ids()
    write(delete(Customer).where(Customer.id == ada))
    write(update(Customer).where(Customer.id == bob).values(age=45))
    body = phone.pull()
    assert [row["id"] for row in body["deleted"]] == [ada]
    assert set(body["deleted"][0]) == {"_model", "id", "_version"}
    assert [(row["id"], row["age"]) for row in body["data"]] == [(bob, 45)]
    assert body["has_more"] is False


def test_two_devices(sync, write):
    """Two devices of one user get everything, each for itself (S6)."""
    write(numbered(3))
    phones = [Phone(sync, member_of()) for _ in range(2)]
    assert [len(each.ids()) for each in phones] == [3, 3]
    write(numbered(2))
    assert [len(each.ids()) for each in phones] == [5, 5]


def test_lost_answer(sync, write):
    """The same cursor brings the same once more (S7)."""
    phone = Phone(sync, member_of())
    phone.catch_up()
    write(numbered(3))
    lost = phone.pull(is_lost=True)
    again = phone.pull()
    assert len(lost["data"]) == 3
    assert lost == again


def test_lost_page_of_rows(sync, write):
    """That holds for pages of rows as well."""
    write(numbered(5))
    phone = Phone(sync, member_of(), batch=2)
    phone.pull()
    assert phone.pull(is_lost=True)["data"] == phone.pull()["data"]


def test_whoever_changes_it(sync, session, write):
    """Raw SQL, Core and cascades all come (S17); COPY does so in test_capture."""
    write(customers("Ada"))
    phone = Phone(sync, member_of())
    (ada,) = phone.ids()
    write(insert(Note).values(organization_id=ACME, customer_id=ada, text="x"))
    raw = session.connection().connection.cursor()
    raw.execute("UPDATE customers SET age = 9")
    session.commit()
    assert {row["age"] for row in phone.pull()["data"] if "age" in row} == {9}
    assert len(phone.ids("myapp.Note")) == 1
    write(text("DELETE FROM customers"))
    assert phone.ids() == []
    assert phone.ids("myapp.Note") == []


def test_thousand_rows_of_one_update(sync, write):
    """What one statement changed in a thousand rows comes to the last one (S13)."""
    write(numbered(1000))
    phone = Phone(sync, member_of(), batch=300)
    phone.catch_up()
    write(update(Customer).values(age=7))
    assert {row["age"] for row in phone.catch_up().values()} == {7}


def test_ends_with_a_transaction(sync, write):
    """Three and two changes make pages of three and two, not of four and one."""
    phone = Phone(sync, member_of(), batch=4)
    phone.catch_up()
    write(numbered(3))
    write(numbered(2))
    assert [len(phone.pull()["data"]) for _ in range(2)] == [3, 2]


def test_several_changes_of_a_row(sync, write):
    """A row that was changed twice comes once, as it is."""
    phone = Phone(sync, member_of())
    phone.catch_up()
    write(customers("Ada"))
    write(update(Customer).values(age=1))
    write(update(Customer).values(age=2))
    assert [row["age"] for row in phone.pull()["data"]] == [2]


def test_moved_to_another_organization(sync, write):
    """What an organisation loses is deleted for it, and new for who gets it."""
    write(customers("Ada"))
    acme, retail = (Phone(sync, member_of(each)) for each in (ACME, RETAIL))
    (ada,) = acme.ids()
    assert retail.ids() == []
    write(update(Customer).values(organization_id=RETAIL))
    assert (acme.ids(), retail.ids()) == ([], [ada])


def test_others_see_nothing(sync, write):
    """Changes of others are not told, neither as rows nor as deletions."""
    phone = Phone(sync, member_of(RETAIL))
    phone.catch_up()
    write(customers("Ada"))
    write(update(Customer).values(age=1))
    write(delete(Customer))
    body = phone.pull()
    assert (body["data"], body["deleted"], body["has_more"]) == ([], [], False)


def test_shared(sync, write):
    """What is shared comes to all."""
    phones = [Phone(sync, member_of(each)) for each in (ACME, RETAIL)]
    [each.catch_up() for each in phones]
    write(insert(Country).values(code="CH", name="Switzerland"))
    assert [each.ids("myapp.Country") for each in phones] == [["CH"], ["CH"]]


def test_exact_numbers(sync, write):
    """A decimal is written the same as a row and as a change."""
    phone = Phone(sync, member_of(models=["Note"]))
    phone.catch_up()
    write(insert(Note).values(organization_id=ACME, text="", price=Decimal("12.50")))
    change = phone.pull()["data"][0]
    row = pull(sync, member_of(models=["Note"]))["data"][0]
    assert change == row
    assert change["price"] == "12.50"


# Since a time -------------------------------------------------------------------------


def test_since_a_time(sync, write):
    """What was sent as last_sync brings what changed since, and a cursor."""
    write(numbered(3))
    since = pull(sync)["metadata"]["myapp.Customer"]["last_sync"]
    write(customers("Ada"))
    body = pull(sync, models={"myapp.Customer": since})
    assert [row["name"] for row in body["data"]] == ["Ada"]
    assert body["metadata"]["myapp.Customer"]["user_last_sync"] == since
    write(customers("Bob"))
    later = pull(sync, cursor=body["cursor"])
    assert [row["name"] for row in later["data"]] == ["Bob"]


def test_since_by_time_alone(sync, write):
    """A client that only knows times misses nothing, in pages that cut a batch."""
    since = pull(sync)["metadata"]["myapp.Customer"]["last_sync"]
    write(numbered(1))
    sync.number()
    for _ in range(3):
        write(numbered(2))
    seen = set()
    for _ in range(2):
        asked = {"models": {"myapp.Customer": since}, "batch_size": 6}
        body = pull(sync, **asked)
        seen |= {row["id"] for row in body["data"]}
        since = body["metadata"]["myapp.Customer"]["last_sync"]
    assert len(seen) == 7


def test_since_long_ago(sync, write):
    """A time before the first change brings all changes."""
    write(numbered(3))
    body = pull(sync, models={"myapp.Customer": "2001-01-01T00:00:00Z"})
    assert len(body["data"]) == 3


def test_since_the_future(sync, write):
    """A time that is still to come brings nothing, and loses nothing."""
    write(numbered(3))
    body = pull(sync, models={"myapp.Customer": "2999-01-01T00:00:00Z"})
    assert body["data"] == []
    write(numbered(1))
    assert len(pull(sync, cursor=body["cursor"])["data"]) == 1


def test_times_and_null(sync, write):
    """Some models since a time, others as a whole."""
    write(customers("Ada"))
    write(insert(Country).values(code="CH", name="Switzerland"))
    since = datetime.now(UTC) + timedelta(days=1)
    body = pull(
        sync, models={"myapp.Customer": since.isoformat(), "myapp.Country": None}
    )
    assert [row["_model"] for row in body["data"]] == ["myapp.Country"]
    assert body["resync"] == ["myapp.Country"]


# Requests -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="a list"),
        pytest.param({"batch_size": 0}, id="too few"),
        pytest.param({"batch_size": 1001}, id="too many"),
        pytest.param({"batch_size": True}, id="true is no number"),
        pytest.param({"batch_size": "100"}, id="a text is no number"),
        pytest.param({"models": ["myapp.Customer"]}, id="models in a list"),
        pytest.param({"models": {"myapp.Customer": 5}}, id="a number is no time"),
        pytest.param(
            {"models": {"myapp.Customer": "2030-01-01T00:00"}}, id="whose time?"
        ),
        pytest.param({"cursor": 5}, id="a number is no cursor"),
        pytest.param({"cursor": "x"}, id="signed by nobody"),
        pytest.param({"cursor": "x", "models": {"a": None}}, id="both"),
    ],
)
def test_malformed(sync, body):
    """What cannot be read is refused."""
    with pytest.raises(MalformedRequest):
        sync.pull(member_of(), body)


def test_uncommitted(sync, session):
    """A session with changes of its own would not see them."""
    session.add(Customer(name="Ada", organization_id=ACME))
    with pytest.raises(DirtyReadOnlySession):
        pull(sync)


def test_host_without_replica(sync, context, write):
    """A provider without a session for reading lends its own."""
    provider = context.get_service("session_provider")

    class Plain:
        """Knows one session."""

        session = staticmethod(provider.session)

    write(numbered(3))
    context.set_service("session_provider", lambda _: Plain())
    phone = Phone(sync, member_of(), batch=2)
    assert len(phone.ids()) == 3
    provider.stop_service()


def test_told_for_whom(sync):
    """The transaction that reads is told for which organisation; the next is not."""
    asked = text("SELECT current_setting('libres.organization', true)")
    with sync.context.read_only() as reader:
        reading.head(reader, "test", str(ACME))
        assert reader.scalar(asked) == str(ACME)
    with sync.context.read_only() as reader:
        assert not reader.scalar(asked)


# What it costs ------------------------------------------------------------------------


def test_poll_in_vain(sync, context, write):
    """Asking with nothing new takes three statements, and one more for a device."""
    write(numbered(20))
    phone = Phone(sync, member_of())
    phone.catch_up()
    provider = context.get_service("session_provider")
    with (
        counted_on(provider.engine) as written,
        counted_on(provider.read_only_engine) as read,
    ):
        phone.pull()
    assert (len(written), len(read)) == (1, 2)


def test_statements_of_a_page(sync, context, write):
    """Rows cost one statement per model and page, not per row."""
    write(numbered(60))
    provider = context.get_service("session_provider")
    counts = []
    for batch in (1, 50):
        sync.number()
        with counted_on(provider.read_only_engine) as read:
            pull(sync, models={"myapp.Customer": None}, batch_size=batch)
        counts.append(len(read))
    assert counts == [2, 2]


# Devices and the log ------------------------------------------------------------------


@pytest.fixture
def device(session):
    """A device of a user of Acme."""
    session.add(
        SyncOrganization(
            id=ACME, context="test", name="Acme", slug="acme", reference=str(ACME)
        )
    )
    session.flush()
    made = SyncDevice(context="test", user="7", organization=ACME, name="phone")
    session.add(made)
    session.commit()
    return made.id


def position_of(session, device):
    """What a device has confirmed."""
    query = select(SyncDevice.position).where(SyncDevice.id == device)
    found = session.scalar(query)
    session.rollback()
    return found


@pytest.mark.usefixtures("clock")
def test_cursor_confirms(sync, session, write, device):
    """A cursor that is sent says that everything up to it has arrived."""
    write(numbered(3))
    phone = Phone(sync, member_of(device=device))
    phone.pull()
    assert position_of(session, device) == 0
    phone.pull()
    assert position_of(session, device) == 3


@pytest.mark.usefixtures("clock")
def test_device_that_polls_in_vain(sync, context, write, device):
    """That a device has confirmed everything already is one statement, and no write."""
    write(numbered(3))
    phone = Phone(sync, member_of(device=device))
    phone.catch_up()
    phone.pull()
    provider = context.get_service("session_provider")
    with (
        counted_on(provider.engine) as written,
        counted_on(provider.read_only_engine) as read,
    ):
        phone.pull()
    assert (len(written), len(read)) == (1, 3)


@pytest.mark.usefixtures("clock")
def test_not_before_all_rows(sync, session, write, device):
    """While rows are still to come, nothing is confirmed."""
    write(numbered(3))
    phone = Phone(sync, member_of(device=device), batch=2)
    phone.pull()
    phone.pull()
    assert position_of(session, device) == 0


@pytest.mark.usefixtures("clock")
def test_old_cursor_takes_nothing_back(sync, context, session, write, device):
    """What was confirmed remains so, whatever cursor comes."""
    phone = Phone(sync, member_of(device=device))
    phone.pull()
    old = phone.cursor
    write(numbered(3))
    phone.catch_up()
    phone.pull()
    assert position_of(session, device) == 3
    phone.cursor = old
    phone.pull()
    assert position_of(session, device) == 3
    assert [each.position for each in Devices(context).all()] == [3]


def log(session):
    """What the log says, the oldest first."""
    found = list(session.scalars(select(SyncLog).order_by(SyncLog.id)))
    session.expunge_all()
    session.rollback()
    return found


def test_logged(sync, session, write):
    """A pull that brought something is in the log, without what it brought."""
    write(numbered(3))
    sync.pull(member_of(), {}, request="r1")
    (only,) = log(session)
    assert (only.operation, only.status, only.succeeded) == ("pull", "success", 3)
    assert (only.models, only.request) == (["myapp.Customer"], "r1")
    assert (only.username, only.organization) == ("user7", ACME)


def test_not_logged(sync, session):
    """One in vain is not."""
    phone = Phone(sync, member_of())
    phone.pull()
    phone.pull()
    assert log(session) == []


def test_failure_is_logged(sync, session):
    """One that was refused is, with the kind of error alone."""
    with pytest.raises(MalformedRequest):
        sync.pull(member_of(), {"cursor": "x"})
    (only,) = log(session)
    assert (only.status, only.error, only.failed) == ("error", "validation", 1)
