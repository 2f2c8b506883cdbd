"""Applications that run migrations in their own way, and those without Alembic."""

from __future__ import annotations

import subprocess
import sys

import pytest
from alembic import command
from alembic import op as proxy
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import text

from libres.db import migrations
from libres.modules.errors import Misuse
from tests.migrations.catalogue import catalogue, everything
from tests.migrations.shapes import libres_0_5, libres_1_4


def after_import(code: str) -> str:
    """Run code in a new Python."""
    done = subprocess.run(  # noqa: S603 - our own Python
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


class TestConnection:
    def test_joins(self, make, fresh):
        """A connection that is passed is worked with in its own transaction."""
        engine = make(libres_0_5())
        with engine.connect() as connection:
            before = everything(connection)
            migrations.upgrade(connection)
            assert catalogue(connection) == fresh
            connection.rollback()
            assert everything(connection) == before

    def test_keeps_its_settings(self, make):
        """The time limits of the caller stay as they are."""
        with make(libres_1_4()).connect() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '7s'")
            migrations.upgrade(connection)
            shown = connection.exec_driver_sql("SHOW lock_timeout")
            assert shown.scalar_one() == "7s"

    def test_not_concurrently(self, make):
        """Within a transaction, indexes cannot be made concurrently."""
        with (
            make().connect() as connection,
            pytest.raises(Misuse, match="concurrently"),
        ):
            migrations.upgrade(connection, concurrently=True)

    def test_within_a_revision_of_the_host(self, make, fresh):
        """The host's own revision goes on afterwards, with its own operations."""
        with make(libres_0_5()).begin() as connection:
            context = MigrationContext.configure(connection)
            with Operations.context(context) as op:
                migrations.upgrade(op.get_bind())
                assert catalogue(connection) == fresh
                op.execute("CREATE TABLE hosts_own (id integer)")
                proxy.execute("DROP TABLE hosts_own")


class TestAlembic:
    @pytest.mark.parametrize("by", ["connection", "url"])
    def test_own_command(self, make, fresh, by, capsys):
        """Alembic's own command runs the revisions as well."""
        engine = make(libres_0_5())
        config = Config()
        config.set_main_option("script_location", "libres.db:migrations")
        with engine.begin() as connection:
            if by == "connection":
                config.attributes["connection"] = connection
            else:
                url = engine.url.render_as_string(hide_password=False)
                config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
            command.upgrade(config, "head")
        assert "adds the column source_id" in capsys.readouterr().out
        with engine.connect() as connection:
            assert catalogue(connection) == fresh
        assert migrations.current(engine).is_current

    def test_is_not_loaded(self):
        """Neither the library nor the command loads it before it is needed."""
        code = (
            "import sys, libres, libres.cli, libres.db.migrations as m\n"
            "print('alembic' in sys.modules)"
        )
        assert after_import(code) == "False"

    def test_is_missing(self):
        """Without it, the error says what to install."""
        code = (
            "import sys; sys.modules['alembic'] = None\n"
            "from libres.db import migrations\n"
            "try: migrations.current('postgresql://nowhere/nothing')\n"
            "except ImportError as error: print(type(error).__name__, error)"
        )
        said = after_import(code)
        assert said.startswith("MigrationsMissingError")
        assert "pip install 'libres[migrations]'" in said


class TestCheck:
    def test_clean(self, adopted):
        """After an upgrade there are no differences."""
        assert migrations.check(adopted(libres_0_5()).engine) == []

    def test_nothing_there(self, make):
        """What is missing is said once."""
        found = migrations.check(make())
        assert "The table allocations is missing." in found
        assert not any("index" in each for each in found)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (
                "DROP INDEX target_status_ix",
                "reservations has no index target_status_ix",
            ),
            (
                "ALTER TABLE allocations DROP CONSTRAINT resource_start_ix",
                "allocations has no constraint resource_start_ix",
            ),
            (
                "ALTER TABLE reserved_slots DROP CONSTRAINT reserved_slots_pkey",
                "reserved_slots has no primary key over resource, start",
            ),
            (
                "ALTER TABLE reserved_slots DROP COLUMN allocation_id",
                "reserved_slots has no column allocation_id",
            ),
            (
                "ALTER TABLE reservations ALTER quota DROP NOT NULL",
                "quota of reservations has the nullable True, not False",
            ),
            (
                "ALTER TABLE reservations ALTER email TYPE varchar(100)",
                "email of reservations has the type",
            ),
            ("DROP TABLE reservation_blockers", "reservation_blockers is missing"),
            (
                "ALTER TYPE reservation_status ADD VALUE 'lost'",
                "reservation_status has the labels pending, approved, lost",
            ),
            (
                "UPDATE reservation_schema_version SET version_num = '0002'",
                "The revision is 0002, not 0004",
            ),
        ],
    )
    def test_differences(self, adopted, change, said):
        """A difference is said in a sentence."""
        with adopted(libres_0_5()).engine.connect() as connection:
            connection.exec_driver_sql(change)
            assert said in "\n".join(migrations.check(connection))

    def test_what_hosts_add(self, adopted):
        """Columns, indexes and tables of the application are its own business."""
        with adopted(libres_0_5()).engine.connect() as connection:
            for statement in (
                "ALTER TABLE reservations ADD COLUMN invoice integer",
                "CREATE INDEX host_ix ON reservations ((data ->> 'accepted'))",
                "ALTER TABLE allocations ADD CONSTRAINT host_check CHECK (quota > 0)",
                "CREATE TABLE resources (id integer)",
            ):
                connection.exec_driver_sql(statement)
            assert migrations.check(connection) == []

    def test_changes_nothing(self, make):
        """Neither do the others that only look."""
        engine = make(libres_0_5())
        with engine.connect() as connection:
            before = everything(connection)
        migrations.check(engine)
        migrations.current(engine)
        with engine.connect() as connection:
            assert everything(connection) == before
            tables = connection.execute(
                text("SELECT to_regclass(:name)"), {"name": migrations.VERSION_TABLE}
            )
            assert tables.scalar_one() is None
