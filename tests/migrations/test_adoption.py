"""Tables of every age become those of today, and keep what they hold."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from libres.db import migrations
from libres.db.models import Allocation, Reservation
from libres.db.operations.setting_up import create_missing
from libres.modules.errors import OutdatedSchema, UpgradeImpossible
from tests.migrations.catalogue import catalogue, everything, rows_of
from tests.migrations.shapes import (
    BLOCKED,
    DESK,
    SHAPES,
    SLOTS,
    UNKNOWN,
    Shape,
    libres_0_5,
    libres_0_10_1,
    libres_1_1_1,
    libres_1_4,
    moment,
)

every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
older_shapes = pytest.mark.parametrize(
    "shape",
    [
        pytest.param(each, id=name)
        for name, each in SHAPES.items()
        if not each.source_id
    ],
)

HEAD = "0004"

WRITTEN_MEANWHILE = """
    ALTER TABLE reserved_slots DROP CONSTRAINT reserved_slots_source_id_is_known;
    INSERT INTO reserved_slots (resource, start, "end", allocation_id, source_type,
        reservation_token, created)
    SELECT resource, start + interval '1 day', "end" + interval '1 day', allocation_id,
        source_type, reservation_token, created
    FROM reserved_slots WHERE allocation_id IN (5, 6);
"""


def owners(connection):
    """The owner of each slot, by resource and start."""
    query = text("SELECT resource::text, start::text, source_id FROM reserved_slots")
    return {(r, start): owner for r, start, owner in connection.execute(query)}


def expected_owners(shape: Shape):
    """Those that Libres 1.2 would have written, 0 where nobody can know."""
    slots = [*SLOTS, *(BLOCKED if shape.blockers else ())]
    return {
        (slot[0], moment(slot[1])): 0 if slot[:2] in UNKNOWN else slot[6]
        for slot in slots
    }


class TestSchema:
    @every_shape
    def test_equals_a_fresh_one(self, adopted, fresh, shape):
        """The upgraded schema is the one that setup_database makes."""
        assert adopted(shape).state.revision == HEAD
        with adopted(shape).engine.connect() as connection:
            assert catalogue(connection) == fresh

    @pytest.mark.parametrize("concurrently", [False, True])
    def test_from_nothing(self, make, fresh, concurrently):
        """An empty schema gets all tables."""
        engine = make()
        migrations.upgrade(engine, concurrently=concurrently)
        with engine.connect() as connection:
            assert catalogue(connection) == fresh

    def test_one_that_was_set_up(self, make, fresh):
        """Tables made by setup_database are noted as current, and not touched."""
        engine, said = make(), []
        with engine.begin() as connection:
            create_missing(connection)
        migrations.upgrade(engine, report=said.append)
        assert said == []
        assert migrations.current(engine).is_current
        with engine.connect() as connection:
            assert catalogue(connection) == fresh

    def test_again(self, make):
        """There is nothing to do the second time."""
        engine, said = make(libres_0_5()), []
        migrations.upgrade(engine)
        with engine.connect() as connection:
            before = everything(connection)
        migrations.upgrade(engine, report=said.append)
        assert said == []
        with engine.connect() as connection:
            assert everything(connection) == before

    def test_set_up_after_the_upgrade(self, make, fresh):
        """setup_database finds nothing to do either."""
        engine = make(libres_1_4())
        migrations.upgrade(engine)
        with engine.begin() as connection:
            create_missing(connection)
            assert catalogue(connection) == fresh

    @every_shape
    def test_script(self, make, adopted, fresh, shape):
        """The script does the same, also the second time."""
        engine, upgraded = make(shape), adopted(shape).engine
        for _ in range(2):
            with engine.connect() as connection:
                connection.exec_driver_sql(migrations.script())
        assert migrations.current(engine).is_current
        with engine.connect() as connection, upgraded.connect() as other:
            assert catalogue(connection) == fresh
            assert everything(connection)[1] == everything(other)[1]


class TestRows:
    @every_shape
    def test_are_kept(self, adopted, shape):
        """No row is lost, and no value that was there is another one."""
        with adopted(shape).engine.connect() as connection:
            after = rows_of(connection)
        for table, before in adopted(shape).rows.items():
            known = [{k: v for k, v in row.items() if v is not None} for row in before]
            pairs = zip(known, after[table], strict=True)
            assert [{k: new[k] for k in old} for old, new in pairs] == known

    @older_shapes
    def test_get_owners(self, adopted, shape):
        """A slot gets the one who can own it; none if nobody can, or two."""
        with adopted(shape).engine.connect() as connection:
            assert owners(connection) == expected_owners(shape)

    def test_keep_their_owners(self, adopted):
        """Owners that are known are not guessed again."""
        with adopted(libres_1_4()).engine.connect() as connection:
            found = owners(connection)
        slots = [*SLOTS, *BLOCKED]
        assert found == {(slot[0], moment(slot[1])): slot[6] for slot in slots}

    def test_get_a_type(self, adopted):
        """A record without a type is a generic one; a type of one's own stays."""
        with adopted(libres_0_5()).engine.connect() as connection:
            types = text("SELECT type FROM allocations ORDER BY id")
            found = list(connection.execute(types).scalars())
        assert found == ["generic", "custom", *["generic"] * 4]

    def test_keep_null(self, adopted):
        """Data that was never given is still NULL, and JSON's null is still that."""
        query = text(
            "SELECT data::text FROM allocations WHERE id IN (2, 5) ORDER BY id"
        )
        with adopted(libres_0_5()).engine.connect() as connection:
            assert list(connection.execute(query).scalars()) == [None, "null"]

    def test_are_of_use(self, adopted):
        """The library works with them."""
        with Session(adopted(libres_0_5()).engine) as session:
            first = session.query(Allocation).filter_by(id=1).one()
            assert (first.data, first.availability) == ({"a": "é"}, 0.0)
            fourth = session.query(Reservation).filter_by(id=4).one()
            assert (fourth.data, fourth._target_allocations().one().id) == ({}, 3)

    def test_written_meanwhile(self, make):
        """What an old library writes after the owners were filled in gets one, too."""
        engine = make(libres_1_1_1())

        def stop(what: str) -> None:
            if what.startswith("requires source_id"):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            migrations.upgrade(engine, report=stop)
        with engine.begin() as connection:
            connection.exec_driver_sql(WRITTEN_MEANWHILE)
        migrations.upgrade(engine)
        with engine.connect() as connection:
            known = [owner for (r, _), owner in owners(connection).items() if r == DESK]
        assert known == [6, 6, 6, 6]


class TestJSON:
    @pytest.mark.parametrize(
        ("table", "broken"),
        [
            ("allocations", ""),
            ("allocations", "{'a': 1}"),
            ("reservations", '{"a": NaN}'),
            ("reservations", '{"a": "\\u0000"}'),
        ],
    )
    def test_broken(self, make, table, broken):
        """What is no JSON is named, and nothing is half done."""
        engine = make(libres_0_5())
        with engine.begin() as connection:
            spoil = "UPDATE {} SET data = :data WHERE id = 4".format
            connection.execute(text(spoil(table)), {"data": broken})
            before = everything(connection)
        with pytest.raises(UpgradeImpossible, match=f"row of {table} with the id 4 "):
            migrations.upgrade(engine)
        with engine.connect() as connection:
            assert everything(connection) == before

    def test_mended(self, make, fresh):
        """Once it is mended, the upgrade goes on."""
        engine = make(libres_0_5())
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE allocations SET data = '{' WHERE id = 4")
        with pytest.raises(UpgradeImpossible):
            migrations.upgrade(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE allocations SET data = '{}' WHERE id = 4"
            )
        migrations.upgrade(engine)
        with engine.connect() as connection:
            assert catalogue(connection) == fresh


class TestRecognition:
    @every_shape
    def test_by_looks(self, make, shape):
        """Whose tables they are is said before anything is done."""
        state = migrations.current(make(shape))
        assert (state.revision, state.head, state.shape) == (None, HEAD, shape.name)
        assert not state.is_current

    def test_nothing(self, make):
        """No tables are no tables."""
        assert migrations.current(make()).shape == "no tables yet"

    def test_ours(self, adopted):
        """Ours are told from those of Libres 1.4."""
        assert migrations.current(adopted(libres_1_4()).engine).shape == "libres 2"

    @pytest.mark.parametrize("kind", ["engine", "connection"])
    def test_others(self, make, kind):
        """A table of somebody else that bears a name of ours is left alone."""
        engine = make()
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE TABLE allocations (id int, budget int)")
            connection.commit()
            before = everything(connection)
            target = engine if kind == "engine" else connection
            with pytest.raises(
                UpgradeImpossible, match=r"has no column _end, .* alone"
            ):
                migrations.upgrade(target)
            connection.rollback()
            assert everything(connection) == before

    def test_newer(self, make):
        """Where a newer library was, an older one stops."""
        engine = make()
        migrations.upgrade(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE reservation_schema_version SET version_num = '9999'"
            )
        with pytest.raises(UpgradeImpossible, match=r"'9999'.* newer one was here"):
            migrations.upgrade(engine)
        with engine.connect() as connection, pytest.raises(DBAPIError, match="newer"):
            connection.exec_driver_sql(migrations.script())
        assert migrations.current(engine).revision == "9999"

    def test_two_revisions(self, make):
        """A note that says two things is not guessed from."""
        engine = make()
        migrations.upgrade(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO reservation_schema_version VALUES ('0001')"
            )
        with pytest.raises(UpgradeImpossible, match="only one can be true"):
            migrations.upgrade(engine)


class TestSchemas:
    def test_a_schema_per_tenant(self, make, fresh):
        """Each search path has tables, types and a revision of its own."""
        one, two = make(libres_0_5()), make(libres_0_10_1())
        with two.connect() as connection:
            before = everything(connection)
        migrations.upgrade(one)
        with two.connect() as connection:
            assert everything(connection) == before
        assert migrations.current(two).revision is None
        migrations.upgrade(two)
        for engine in (one, two):
            with engine.connect() as connection:
                assert catalogue(connection) == fresh

    def test_tables_elsewhere(self, make):
        """Tables that are seen, but not where new ones would go, are not mixed up."""
        old = make(libres_0_5())
        schema = str(old.url.query["options"]).partition("=")[2]
        both = make(path="{}," + schema)
        with pytest.raises(UpgradeImpossible, match=f"schema {schema}, but new tables"):
            migrations.upgrade(both)
        with old.connect() as connection:
            assert "source_id" not in str(catalogue(connection))

    def test_no_schema(self, make):
        """A search path that leads nowhere creates nothing."""
        with pytest.raises(DBAPIError, match="no schema has been selected"):
            migrations.upgrade(make(path="missing"))

    def test_other_notes(self, make):
        """An alembic_version of the application's own is left alone."""
        engine = make(libres_1_4())
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);"
                "INSERT INTO alembic_version VALUES ('of the host');"
            )
        migrations.upgrade(engine)
        with engine.connect() as connection:
            notes = connection.execute(text("SELECT version_num FROM alembic_version"))
            assert list(notes.scalars()) == ["of the host"]


class TestSettingUp:
    @older_shapes
    def test_refuses_what_it_cannot_use(self, make, shape):
        """setup_database says what to do about older tables, and changes nothing."""
        engine = make(shape)
        with engine.connect() as connection:
            before = everything(connection)
        with (
            pytest.raises(OutdatedSchema, match=r"libres db upgrade.*source_id"),
            engine.begin() as connection,
        ):
            create_missing(connection)
        with engine.connect() as connection:
            assert everything(connection) == before

    def test_completes_what_it_can(self, make, fresh):
        """Tables of Libres 1.2 and later get what is missing, without Alembic."""
        engine = make(SHAPES["libres_1_2"])
        with engine.begin() as connection:
            create_missing(connection)
            assert catalogue(connection) == fresh
