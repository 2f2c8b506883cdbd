"""Whatever changes registered rows is noted, with whoever did it (check S17)."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest
from sqlalchemy import insert, inspect, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError

from libres.sync.capture import installing
from libres.sync.capture.triggers import LONGEST, Capture
from libres.sync.errors import NotRegistrable
from libres.sync.models import SyncChange, SyncPending
from libres.sync.registry import Registry
from tests.fixtures.statements import counted
from tests.sync.models import Base, Country, Customer, Seat

ACME = UUID(int=1)


@pytest.fixture
def noted(sync):
    """What is pending in this transaction: (operation, key, actor), in order."""

    def read():
        query = select(SyncPending).order_by(SyncPending.seq)
        found = sync.session.scalars(query).all()
        return [(each.operation, each.key, each.actor) for each in found]

    return read


@pytest.fixture
def swiss(sync):
    """A country that is there already, of which nothing is pending."""
    sync.session.execute(insert(Country).values(code="CH", name="Switzerland"))
    sync.session.commit()
    sync.number()


@pytest.mark.usefixtures("swiss")
def test_core_update(sync, noted):
    """Statements of SQLAlchemy Core, which no listener of the ORM sees."""
    with sync.acting("ada"):
        sync.session.execute(update(Country.__table__).values(name="Suisse"))
        assert noted() == [("update", "CH", "ada")]


@pytest.mark.usefixtures("swiss")
def test_raw_sql(sync, noted):
    """SQL as text."""
    with sync.acting("ada"):
        sync.session.execute(text("DELETE FROM countries"))
        assert noted() == [("delete", "CH", "ada")]


@pytest.mark.usefixtures("swiss")
def test_upsert(sync, noted):
    """ON CONFLICT inserts one row and updates another one."""
    rows = [{"code": "CH", "name": "Svizzera"}, {"code": "FR", "name": "France"}]
    statement = upsert(Country).values(rows)
    names = {"name": statement.excluded.name}
    sync.session.execute(
        statement.on_conflict_do_update(index_elements=["code"], set_=names)
    )
    assert sorted(each[:2] for each in noted()) == [("insert", "FR"), ("update", "CH")]


@pytest.mark.usefixtures("swiss")
def test_nothing_became_another(sync, noted):
    """An update that changes nothing is not noted."""
    sync.session.execute(update(Country).values(name=Country.name))
    assert noted() == []


def test_copy(sync, context):
    """COPY by the driver itself, on a connection that has nothing to do with ours."""
    url = make_url(context.get_setting("dsn"))
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT set_config('libres.actor', 'system:import', true)")
        with cursor.copy("COPY countries (code, name) FROM STDIN") as copy:
            copy.write_row(("CH", "Switzerland"))
            copy.write_row(("FR", "France"))
    sync.number()
    found = sync.session.scalars(select(SyncChange).order_by(SyncChange.position)).all()
    assert [(each.key, each.actor) for each in found] == [
        ("CH", "system:import"),
        ("FR", "system:import"),
    ]


def test_key_of_two_columns(sync, noted):
    """The key is the list of both, as PostgreSQL and as Python write it."""
    values = {"row": 3, "place": 'a"é', "organization_id": ACME}
    sync.session.execute(insert(Seat).values(**values))
    model = sync.registry.of(Seat)
    ((_operation, key, _actor),) = noted()
    assert key == model.key_text((3, 'a"é'))
    assert model.key_values(key) == (3, 'a"é')


def test_acting_within_acting(sync, noted):
    """The inner one counts, and afterwards the outer one again."""
    add = insert(Country)
    with sync.acting("ada"):
        sync.session.execute(add.values(code="A", name=""))
        with sync.acting("system:job"):
            sync.session.execute(add.values(code="B", name=""))
        sync.session.execute(add.values(code="C", name=""))
    sync.session.execute(add.values(code="D", name=""))
    *said, unsaid = [actor for _operation, _key, actor in noted()]
    assert said == ["ada", "system:job", "ada"]
    assert unsaid.startswith("database:")


def test_acting_after_an_error(sync, noted):
    """An error within the block comes out as it is, and nobody acts any more."""

    def fail():
        with sync.acting("ada"):
            sync.session.execute(text("SELECT 1 / 0"))

    with sync.session.begin_nested() as savepoint:
        with pytest.raises(DataError, match="division by zero"):
            fail()
        savepoint.rollback()
    sync.session.execute(insert(Country).values(code="A", name=""))
    assert noted()[0][2].startswith("database:")


def test_owner_is_missing(sync):
    """A row of nobody is seen by nobody."""
    sync.session.execute(
        text("ALTER TABLE reports ALTER organization_id DROP NOT NULL")
    )
    sync.session.execute(text("INSERT INTO reports (title) VALUES ('lost')"))
    assert sync.session.scalar(select(SyncPending.tenant)) == ""


def test_installed_twice(sync):
    """What is there already is left alone."""
    connection = sync.session.connection()
    assert installing.install(connection, sync.context.name, sync.registry) == 0


def test_switched_off(sync):
    """A trigger that somebody switched off is noticed, and made anew."""
    connection = sync.session.connection()
    model = sync.registry.of(Country)
    name = Capture(sync.context.name, model).triggers[0].name
    sync.session.execute(text(f"ALTER TABLE countries DISABLE TRIGGER {name}"))
    assert installing.install(connection, sync.context.name, sync.registry) == 1
    assert installing.is_installed(connection, Capture(sync.context.name, model))


def test_looked_at_in_one_statement(sync):
    """Whether triggers are there is asked once, for however many models."""
    connection = sync.session.connection()
    captures = [Capture(sync.context.name, each) for each in sync.registry]
    sync.session.execute(text("ALTER TABLE customers DISABLE TRIGGER USER"))
    with counted(sync.session) as statements:
        found = installing.installed(connection, captures)
    assert len(statements) == 1
    assert found == {each.name for each in sync.registry} - {"myapp.Customer"}


def test_stopped(sync, noted):
    """Nothing more is noted."""
    sync.stop()
    sync.session.execute(insert(Country).values(code="A", name=""))
    assert noted() == []
    triggers = text("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'libres_sync%'")
    assert sync.session.scalar(triggers) == 0


def test_long_names():
    """Names of triggers fit, and differ by context."""
    registry = Registry()
    registry.register(Country, name="x" * 200, shared=True)
    (model,) = registry
    first, second = Capture("a" * 100, model), Capture("b" * 100, model)
    names = [each.name for each in (*first.triggers, *second.triggers)]
    assert len(set(names)) == 8
    assert max(map(len, names)) <= LONGEST


def test_hostile_context(sync):
    """A name with quotes is a name with quotes."""
    registry = Registry()
    registry.register(Country, name="myapp.Country", shared=True)
    connection = sync.session.connection()
    installing.install(connection, "o'neill $capture$ %s :x", registry)
    sync.session.execute(insert(Country).values(code="A", name=""))
    found = sync.session.scalars(select(SyncPending.context)).all()
    assert sorted(found) == ["o'neill $capture$ %s :x", "test"]


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        (Customer, {}, "Whose are its rows"),
        (Customer, {"tenant": Customer.organization_id, "shared": True}, "not both"),
        (Customer, {"tenant": "nothing"}, "no column 'nothing'"),
        (Customer, {"tenant": 7}, "no column 7"),
        (Customer, {"shared": True, "conflicts": "guess"}, "conflicts is one of"),
        (Customer, {"shared": True, "fields": ["nothing"]}, "no column 'nothing'"),
        (Customer, {"shared": True, "name": "a\nb"}, "printable"),
        (Base, {"shared": True}, "not a mapped class"),
        ("Customer", {"shared": True}, "not a mapped class"),
        (Customer.__table__, {"shared": True}, "not a mapped class"),
    ],
)
def test_cannot_be_registered(model, options, told):
    """What is wrong is said, and nothing is registered."""
    registry = Registry()
    with pytest.raises(NotRegistrable, match=told):
        registry.register(model, **options)
    assert len(registry) == 0


def test_no_secrets(sync):
    """A secret column is neither a field nor in an image."""
    model = sync.registry.of(Customer)
    assert "secret_note" not in model.fields
    assert "secret_note" in inspect(Customer).columns
