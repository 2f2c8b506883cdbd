"""Whoever changes a tracked table, the claims follow in the same statement."""

from __future__ import annotations

import io
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from libres.conflicts import ClaimMapping, ConflictError, NotTrackable, Proposal
from libres.conflicts.models import ConflictClaim
from tests.conflicts.times import at, hours, wish
from tests.conflicts.tracking.conftest import mapping
from tests.conflicts.tracking.host import Base, Booking, Equipment, Odd

SOURCE = "tests.Booking"


def seen(claims):
    """The claims of bookings: vehicle and hours, in order."""
    rows = claims.session.execute(
        select(ConflictClaim.resource, ConflictClaim.during).where(
            ConflictClaim.source == SOURCE
        )
    )
    return sorted(
        (resource, during.lower.hour, during.upper.hour) for resource, during in rows
    )


def rows(*bookings):
    """Rows for a Core statement: (vehicle, start, end)."""
    return [
        {
            "equipment_id": equipment,
            "starts": at(start),
            "ends": at(end),
            "cancelled": False,
        }
        for equipment, start, end in bookings
    ]


TABLE = Booking.__table__


class TestInserting:
    def test_flush(self, tracked, book):
        """What the ORM flushes."""
        book()
        assert seen(tracked) == [("T-1", 9, 10)]

    def test_bulk(self, tracked):
        """What an ORM bulk statement inserts."""
        tracked.session.execute(insert(Booking), rows((1, 9, 10), (2, 9, 10)))
        assert seen(tracked) == [("T-1", 9, 10), ("T-2", 9, 10)]

    def test_core(self, tracked):
        """What a Core statement inserts."""
        tracked.session.connection().execute(insert(TABLE), rows((1, 9, 10)))
        assert seen(tracked) == [("T-1", 9, 10)]

    def test_legacy_bulk(self, tracked):
        """What the legacy bulk methods write."""
        (values,) = rows((1, 9, 10))
        tracked.session.bulk_save_objects([Booking(**values)])
        assert seen(tracked) == [("T-1", 9, 10)]

    def test_copy(self, tracked):
        """What COPY brings."""
        raw = tracked.session.connection().connection.driver_connection
        sql = "COPY booking (equipment_id, starts, ends, cancelled) FROM STDIN"
        line = "1\t2025-12-01 09:00+00\t2025-12-01 10:00+00\tf\n"
        with raw.cursor() as cursor:
            if isinstance(raw, psycopg.Connection):
                with cursor.copy(sql) as copy:
                    copy.write(line)
            else:
                cursor.copy_expert(sql, io.StringIO(line))
        assert seen(tracked) == [("T-1", 9, 10)]

    def test_upsert(self, tracked, book):
        """What INSERT … ON CONFLICT inserts and updates."""
        first = book()
        tracked.session.execute(
            text(
                "INSERT INTO booking (id, equipment_id, starts, ends, cancelled) "
                "OVERRIDING SYSTEM VALUE VALUES "
                "(:id, 1, '2025-12-01 11:00+00', '2025-12-01 12:00+00', false), "
                "(99, 2, '2025-12-01 09:00+00', '2025-12-01 10:00+00', false) "
                "ON CONFLICT (id) DO UPDATE "
                "SET starts = excluded.starts, ends = excluded.ends"
            ),
            {"id": first.id},
        )
        assert seen(tracked) == [("T-1", 11, 12), ("T-2", 9, 10)]

    def test_merge(self, tracked, book):
        """What MERGE deletes and inserts."""
        book()
        tracked.session.execute(
            text(
                "MERGE INTO booking USING (VALUES (1), (2)) AS wanted (vehicle) "
                "ON booking.equipment_id = wanted.vehicle "
                "WHEN MATCHED THEN DELETE "
                "WHEN NOT MATCHED THEN "
                "INSERT (equipment_id, starts, ends, cancelled) VALUES (wanted.vehicle,"
                " '2025-12-01 09:00+00', '2025-12-01 10:00+00', false)"
            )
        )
        assert seen(tracked) == [("T-2", 9, 10)]

    def test_conflict(self, tracked, book):
        """Who is in the way is told within guarded(), and the session goes on."""
        first = book(note="Convoy")
        with pytest.raises(ConflictError) as caught, tracked.guarded():
            book()
        (found,) = caught.value.conflicts
        assert (found.source, found.source_id) == (SOURCE, str(first.id))
        assert found.label == "Convoy"
        book(10, 11)
        tracked.commit()
        assert seen(tracked) == [("T-1", 9, 10), ("T-1", 10, 11)]

    def test_conflict_with_a_claim(self, tracked, book):
        """Claims that others hold keep bookings out, and the reverse."""
        tracked.claim(wish(9, 10, "T-1"))
        with pytest.raises(ConflictError), tracked.guarded():
            book()
        book(10, 11)
        with pytest.raises(ConflictError):
            tracked.claim(wish(10, 11, "T-1"))

    def test_rollback(self, tracked, book):
        """What is rolled back claims nothing."""
        with tracked.begin_nested() as nested:
            book()
            nested.rollback()
        assert seen(tracked) == []

    def test_expired_give_way(self, tracked, book):
        """A basket whose time is over is in nobody's way."""
        tracked.claim(wish(9, 10, "T-1", tentative=True, expires=at(0)))
        book()
        assert seen(tracked) == [("T-1", 9, 10)]


class TestChanging:
    def test_flush_bulk_and_core(self, tracked, book):
        """The claims follow a flush, an ORM update and a Core update. (C10)"""
        booking = book()
        booking.starts, booking.ends = hours(11, 12)
        tracked.session.flush()
        assert seen(tracked) == [("T-1", 11, 12)]
        tracked.session.execute(update(Booking).values(starts=at(12), ends=at(13)))
        assert seen(tracked) == [("T-1", 12, 13)]
        tracked.session.connection().execute(
            update(TABLE).values(starts=at(13), ends=at(14))
        )
        assert seen(tracked) == [("T-1", 13, 14)]

    def test_swap_in_one_statement(self, tracked, book):
        """Two neighbours swap their times by one statement."""
        book(9, 10)
        book(10, 11)
        tracked.session.execute(
            text(
                "UPDATE booking SET "
                "starts = starts + CASE WHEN id = 1 THEN 1 ELSE -1 END "
                "* interval '1 hour', "
                "ends = ends + CASE WHEN id = 1 THEN 1 ELSE -1 END * interval '1 hour'"
            )
        )
        assert seen(tracked) == [("T-1", 9, 10), ("T-1", 10, 11)]

    def test_swap_in_one_flush(self, tracked, book):
        """Two swap by one flush, which is several statements: deferred. (C13)"""
        first, second = book(9, 10), book(10, 11)
        with tracked.guarded(deferred=True):
            first.starts, first.ends = hours(10, 11)
            tracked.session.flush()
            second.starts, second.ends = hours(9, 10)
        tracked.commit()
        assert seen(tracked) == [("T-1", 9, 10), ("T-1", 10, 11)]

    def test_moved_key(self, tracked, book):
        """A changed primary key takes the claim along."""
        book()
        tracked.session.execute(
            text("UPDATE booking SET id = 77, starts = starts - interval '1 hour'")
        )
        assert seen(tracked) == [("T-1", 8, 10)]
        assert tracked.query().source(SOURCE).first().source_id == "77"
        assert tracked.verify(SOURCE) == []

    def test_other_vehicle(self, tracked, book):
        """Another vehicle is another resource; none is none."""
        booking = book()
        booking.equipment_id = 2
        tracked.session.flush()
        assert seen(tracked) == [("T-2", 9, 10)]
        booking.equipment_id = None
        tracked.session.flush()
        assert seen(tracked) == []

    def test_condition(self, tracked, book):
        """A row that does not meet the condition claims nothing, until it does."""
        booking = book(cancelled=True)
        assert seen(tracked) == []
        booking.cancelled = False
        tracked.session.flush()
        assert seen(tracked) == [("T-1", 9, 10)]

    def test_unwatched_column(self, tracked, host):
        """A change that does not matter leaves the claim as it is."""
        tracked.track(Booking, mapping(label=None))
        tracked.session.execute(insert(Booking), rows((1, 9, 10)))
        before = tracked.query().source(SOURCE).first().id
        tracked.session.execute(update(Booking).values(note="new"))
        assert tracked.query().source(SOURCE).first().id == before

    def test_renamed_resource(self, tracked, book):
        """A changed serial number moves the claims of its bookings. (depends_on)"""
        book()
        book(equipment=2)
        tracked.session.execute(
            update(Equipment).where(Equipment.id == 1).values(serial="T-9")
        )
        assert seen(tracked) == [("T-2", 9, 10), ("T-9", 9, 10)]

    def test_renamed_into_another(self, tracked, book):
        """Two vehicles that become one cannot both be booked."""
        book()
        book(equipment=2)
        with pytest.raises(ConflictError), tracked.guarded():
            tracked.session.execute(update(Equipment).values(serial="T-9"))
        assert len(seen(tracked)) == 2


class TestDeleting:
    def test_flush_bulk_and_core(self, tracked, book):
        """The claims go with the rows, however they go."""
        for act in (
            tracked.session.delete,
            lambda _: tracked.session.execute(delete(Booking)),
            lambda _: tracked.session.connection().execute(delete(TABLE)),
            lambda _: tracked.session.execute(text("TRUNCATE booking")),
        ):
            booking = book()
            assert len(seen(tracked)) == 1
            act(booking)
            tracked.session.flush()
            assert seen(tracked) == []
            tracked.session.expunge_all()

    def test_cascade(self, tracked, book):
        """With a vehicle its bookings go, and their claims. (C11)"""
        book()
        book(equipment=2)
        tracked.session.execute(delete(Equipment).where(Equipment.id == 1))
        assert seen(tracked) == [("T-2", 9, 10)]


class TestMapping:
    def test_existing_rows(self, host, book):
        """Rows that are there already are claims at once."""
        book()
        host.track(Booking, mapping())
        assert seen(host) == [("T-1", 9, 10)]

    def test_existing_overlap(self, host, book):
        """Rows that overlap already are told, and nothing is tracked."""
        book()
        book()
        with pytest.raises(ConflictError):
            host.track(Booking, mapping())
        assert host.tracked() == []
        book()
        assert seen(host) == []

    def test_again(self, tracked, book):
        """Tracking again, with another mapping, replaces it."""
        book()
        tracked.track(Booking, mapping(resource="all vehicles"))
        assert seen(tracked) == [("all vehicles", 9, 10)]
        assert tracked.tracked() == [SOURCE]

    def test_parts(self, host, book):
        """Several mappings are several parts."""
        driver = mapping(resource="driver", where=Booking.note == "with driver")
        host.track(Booking, [mapping(), driver])
        book(note="with driver")
        book(equipment=2)
        assert seen(host) == [("T-1", 9, 10), ("T-2", 9, 10), ("driver", 9, 10)]

    def test_all_values(self, host, book):
        """Spans, pairs, places, buffers and the rest are derived as well."""
        host.track(
            Booking,
            mapping(
                resource="  Cafe\u0301\u2003",
                lower=Booking.id,
                upper=100,
                bounds="[)",
                dims={"lane": 2},
                capacity=5,
                places=2,
                tentative=True,
                expires=Booking.ends,
                before=timedelta(minutes=15),
                after=timedelta(hours=1, microseconds=1),
                url="https://example.org/%s?a=:b",
            ),
        )
        booking = book(20, 21)
        (found,) = host.session.execute(
            select(ConflictClaim.__table__).where(ConflictClaim.source == SOURCE)
        )
        assert found.resource == "Caf\u00e9"
        assert str(found.span) == f"[{booking.id},100)"
        assert found.dims == {"lane": 2}
        assert (found.capacity, found.places, found.tentative) == (5, 2, True)
        assert found.expires == at(21)
        assert found.during.lower == at(19, 45)
        assert found.during.upper == at(22) + timedelta(microseconds=1)
        assert found.url == "https://example.org/%s?a=:b"

    def test_open_ends(self, host, book):
        """NULL and infinity are open ends, if that is said."""
        host.track(Booking, mapping(open_end=True))
        booking = book()
        booking.ends = None
        host.session.flush()
        assert host.query().source(SOURCE).first().during.end is None
        host.session.execute(text("UPDATE booking SET ends = 'infinity'"))
        assert host.query().source(SOURCE).first().during.end is None
        host.session.rollback()

    @pytest.mark.parametrize(
        "change",
        [
            {"ends": None},
            {"starts": None},
            {"ends": Booking.starts},
            {"starts": Booking.ends + timedelta(hours=1)},
        ],
    )
    def test_impossible_times(self, tracked, book, change):
        """A row without a whole time is refused, and changes nothing."""
        book()
        with pytest.raises(DBAPIError), tracked.begin_nested():
            tracked.session.execute(update(Booking).values(change))
        assert seen(tracked) == [("T-1", 9, 10)]

    def test_hostile_names(self, host):
        """Names that look like SQL or parameters are just names."""
        host.track(
            Odd,
            ClaimMapping(
                resource=Odd.thing,
                start=Odd.starts,
                end=Odd.ends,
                timezone="Europe/Zurich",
                label="100% 'of' :it \\",
            ),
            source="odd %s :source 'x'",
        )
        naive = [each.replace(tzinfo=None) for each in hours(9, 10)]
        host.session.add(
            Odd(number=1, letter="'; x", thing="t", starts=naive[0], ends=naive[1])
        )
        host.session.flush()
        (found,) = host.check(Proposal(resource="t", during=hours(8, 9)))
        assert found.source_id == "1,'; x"
        assert found.label == "100% 'of' :it \\"
        assert host.verify("odd %s :source 'x'") == []

    def test_two_contexts(self, tracked, at_level, book):
        """Two contexts may track one table, each for itself."""
        other = at_level("SERIALIZABLE", name="other")
        other.track(Booking, mapping(resource="all"))
        other.commit()
        book()
        tracked.commit()
        assert other.check(wish(9, 10, "all"))
        assert other.check(wish(9, 10, "T-1")) == []
        assert tracked.check(wish(9, 10, "T-1"))

    def test_whole_and_parts(self, tracked, book):
        """A vehicle that consists of parts is booked with them."""
        tracked.arrange("T-1 winch", within="T-1")
        book()
        assert tracked.check(wish(9, 10, "T-1 winch"))
        tracked.session.execute(delete(Booking))
        assert tracked.check(wish(9, 10, "T-1 winch")) == []

    def test_casefold(self, host, book):
        """Keys are folded in SQL where the context folds them."""
        host.context.set_setting("conflicts_casefold", True)
        host.track(Booking, mapping(resource="STRASSE"))
        book()
        assert host.check(wish(9, 10, "straße"))

    @pytest.mark.parametrize(
        ("act", "says"),
        [
            (lambda c: c.track("booking", mapping()), "mapped class"),
            (lambda c: c.track(Base, mapping()), "mapped class"),
            (lambda c: c.track(Booking, []), "ClaimMapping is needed"),
            (lambda c: c.track(Booking, "x"), "ClaimMapping is needed"),
            (lambda c: c.track(Booking, mapping(), mode="magic"), "mode is"),
            (lambda c: c.track(Booking, mapping(), mode="session"), "function"),
            (lambda c: c.track(Booking, lambda _: None, mode="trigger"), "function"),
            (lambda _: mapping(resource=lambda row: row), "Python"),
            (lambda _: mapping(bounds="]["), "bounds"),
            (
                lambda c: c.track(Booking, mapping(), depends_on=[Odd.thing]),
                "no foreign key",
            ),
            (lambda c: c.track(Booking, mapping(), depends_on=["serial"]), "columns"),
            (lambda c: c.untrack(Equipment), "not tracked"),
            (lambda c: c.verify("nothing"), "not tracked"),
            (lambda c: c.rebuild("nothing"), "not tracked"),
        ],
    )
    def test_not_trackable(self, host, act, says):
        """What cannot be tracked is said in words, and nothing is half done."""
        with pytest.raises(NotTrackable, match=says):
            act(host)
        assert host.tracked() == []


class TestKeeping:
    def test_untrack(self, tracked, book):
        """What is not tracked any more claims nothing."""
        book()
        assert tracked.untrack(Booking) == 1
        book()
        assert seen(tracked) == []
        assert tracked.tracked() == []

    @pytest.mark.parametrize(
        ("damage", "kind"),
        [
            ("DELETE FROM conflict_claims", "missing"),
            ("UPDATE conflict_claims SET resource = 'x'", "stale"),
            ("UPDATE conflict_claims SET source_id = '99'", "orphaned"),
        ],
    )
    def test_verify_and_repair(self, tracked, book, damage, kind):
        """What somebody has done to the claims is found, and mended."""
        book()
        assert tracked.verify(SOURCE) == []
        tracked.session.execute(text(damage))
        found = tracked.verify(SOURCE, repair=True)
        assert kind in {each.kind for each in found}
        assert tracked.verify(SOURCE) == []
        assert seen(tracked) == [("T-1", 9, 10)]

    @pytest.mark.parametrize(
        ("damage", "says"),
        [
            ("ALTER TABLE booking DISABLE TRIGGER ALL", "disabled"),
            ("ALTER TABLE booking RENAME COLUMN starts TO begins", "derived"),
            ("DROP TABLE booking CASCADE", "missing"),
            pytest.param(
                "DO $$ BEGIN EXECUTE (SELECT format('CREATE OR REPLACE FUNCTION %I() "
                "RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NULL; END''', "
                "proname) FROM pg_proc WHERE proname LIKE 'conflict_track%insert'); "
                "END $$",
                "not the one",
                id="another function",
            ),
        ],
    )
    def test_schema_changes(self, tracked, book, damage, says):
        """What was done to the table or its triggers is told."""
        book()
        tracked.session.connection().exec_driver_sql(damage.replace("%", "%%"))
        found = tracked.verify(SOURCE)
        assert "broken" in {each.kind for each in found}
        assert any(says in each.says for each in found)

    def test_changes_without_triggers(self, tracked, book):
        """What was written while triggers were off is found, and rebuilt."""
        tracked.session.execute(text("ALTER TABLE booking DISABLE TRIGGER ALL"))
        book()
        tracked.session.execute(text("ALTER TABLE booking ENABLE TRIGGER ALL"))
        assert [each.kind for each in tracked.verify(SOURCE)] == ["missing"]
        assert tracked.rebuild(SOURCE) == 1
        assert tracked.verify(SOURCE) == []

    def test_without_guarded(self, tracked, book):
        """Outside of guarded() the error of the database comes."""
        book()
        tracked.commit()
        with pytest.raises(IntegrityError, match="conflict_claims_guard"):
            book()
        tracked.rollback()
        assert seen(tracked) == [("T-1", 9, 10)]
