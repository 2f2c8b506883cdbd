"""What put, put_many, claim and drop do to one session."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Text, cast, func, literal, select, text, update
from sqlalchemy.exc import IntegrityError

from libres.conflicts import (
    ALWAYS,
    OPEN,
    ConflictError,
    IncompleteQuestion,
    InvalidClaim,
    NumericSpan,
    Period,
)
from libres.conflicts.models import GUARD, ConflictClaim
from libres.db.models.timestamp import TimestampMixin
from libres.modules.errors import NotTimezoneAware
from tests.conflicts.times import SOURCE, TRUCK, at, booked, hours, wish
from tests.fixtures.statements import counted


def stored(claims, *columns):
    """All rows of the table, by id."""
    columns = columns or (ConflictClaim.source_id, ConflictClaim.part)
    return claims.session.execute(select(*columns).order_by(ConflictClaim.id)).all()


def count(claims):
    """The number of rows of the table."""
    return claims.session.scalar(select(func.count()).select_from(ConflictClaim))


def refused(act, *values, **more):
    """Call it, and return the error with which it is refused."""
    with pytest.raises(ConflictError) as caught:
        act(*values, **more)
    return caught.value


class TestPut:
    def test_stores_what_is_said(self, claims):
        """Everything that was passed comes back."""
        made = claims.put(
            SOURCE,
            1,
            "  Room 201 ",
            hours(9, 10),
            span=(10, 20.5),
            bounds="[)",
            dims={"lane": 2},
            part=3,
            capacity=5,
            places=2,
            tentative=True,
            expires=at(12),
            before=timedelta(minutes=15),
            after=timedelta(minutes=30),
            label="Truck",
            url="https://example.org/1",
        )
        claims.session.expire_all()
        row = claims.session.get(ConflictClaim, made.id)
        assert made.resource == row.resource == "Room 201"
        assert made.during == Period(*hours(9, 10))
        assert made.blocked == Period(at(8, 45), at(10, 30))
        assert (row.during.lower, row.during.upper) == (at(8, 45), at(10, 30))
        assert str(row.span) == "[10,20.5)"
        assert row.span_given
        assert row.dims == {"lane": 2}
        assert (row.part, row.capacity, row.places) == (3, 5, 2)
        assert (row.tentative, row.expires) == (True, at(12))
        assert (row.label, row.url) == ("Truck", "https://example.org/1")

    def test_twice_is_once(self, claims):
        """The same record claimed again has one row, with the same id. (C9)"""
        first = claims.put(SOURCE, 1, TRUCK, hours(9, 10))
        second = claims.put(SOURCE, 1, TRUCK, hours(9, 10))
        assert first == second
        assert count(claims) == 1

    def test_replaces_everything(self, claims):
        """What is not said the second time is not kept."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10), dims={"a": 1}, span=(1, 2))
        claims.put(SOURCE, 1, "Other", hours(11, 12))
        found = claims.session.execute(
            select(ConflictClaim.resource, ConflictClaim.dims, ConflictClaim.span_given)
        ).all()
        assert found == [("Other", None, False)]

    def test_tells_who_was_first(self, claims):
        """Another record at the same time is refused, and the winner named."""
        first = claims.put(SOURCE, 1, TRUCK, hours(9, 10), label="Convoy")
        error = refused(claims.put, SOURCE, 2, TRUCK, (at(9, 30), at(10, 30)))
        assert error.conflicts == [first]
        assert "Convoy" in str(error)
        assert error.refused.source_id == "2"

    def test_names_all_winners_in_order(self, claims):
        """All that are in the way are named, by their start."""
        later = claims.put(SOURCE, 1, TRUCK, hours(11, 12))
        first = claims.put(SOURCE, 2, TRUCK, hours(9, 10))
        error = refused(claims.put, SOURCE, 3, TRUCK, hours(8, 13))
        assert error.conflicts == [first, later]

    def test_touching_is_free(self, claims):
        """The end does not belong to a time."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10))
        claims.put(SOURCE, 2, TRUCK, hours(10, 11))
        claims.put(SOURCE, 3, TRUCK, hours(8, 9))
        assert count(claims) == 3

    def test_session_can_be_used_after_a_refusal(self, claims):
        """What was done before a refusal stays, and more can be done."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10))
        refused(claims.put, SOURCE, 2, TRUCK, hours(9, 10))
        claims.put(SOURCE, 3, TRUCK, hours(10, 11))
        claims.commit()
        assert stored(claims) == [("1", 0), ("3", 0)]

    def test_refused_move_keeps_the_old_claim(self, claims):
        """A record that cannot have its new time keeps the old one."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10))
        moved = claims.put(SOURCE, 2, TRUCK, hours(10, 11))
        refused(claims.put, SOURCE, 2, TRUCK, hours(9, 11))
        row = claims.session.get(ConflictClaim, moved.id)
        assert row.during.lower == at(10)

    @pytest.mark.parametrize("savepoint", [False, True])
    def test_rollback(self, claims, savepoint):
        """What is rolled back, also to a savepoint, claims nothing. (C17)"""
        if savepoint:
            nested = claims.begin_nested()
            claims.put(SOURCE, 1, TRUCK, hours(9, 10))
            nested.rollback()
        else:
            claims.put(SOURCE, 1, TRUCK, hours(9, 10))
            claims.rollback()
        assert count(claims) == 0

    def test_contexts_are_apart(self, claims, at_level):
        """The same key and time in another context is no conflict. (C15)"""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10))
        claims.commit()
        other = at_level("SERIALIZABLE", name="other")
        made = other.put(SOURCE, 1, TRUCK, hours(9, 10))
        other.commit()
        assert other.drop(SOURCE, 1) == 1
        assert stored(other, ConflictClaim.context) == [("test",)]
        assert made.source_id == "1"

    def test_sources_are_apart(self, claims):
        """Reservation 1 and Maintenance 1 are two records."""
        claims.put("app.Reservation", 1, TRUCK, hours(9, 10))
        claims.put("app.Maintenance", 1, TRUCK, hours(10, 11))
        assert count(claims) == 2

    def test_parts(self, claims):
        """One record can have two trucks and a driver."""
        for part, resource in enumerate(("A", "B", "Driver")):
            claims.put(SOURCE, 1, resource, hours(9, 10), part=part)
        assert stored(claims) == [("1", 0), ("1", 1), ("1", 2)]
        assert claims.drop(SOURCE, 1) == 3

    def test_same_record_must_not_overlap_itself(self, claims):
        """Two parts of one record cannot have one resource at once."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10))
        error = refused(claims.put, SOURCE, 1, TRUCK, hours(9, 10), part=1)
        assert [claim.part for claim in error.conflicts] == [0]

    def test_keys_are_trimmed_and_composed(self, claims):
        """Spaces around a key, and how its letters are encoded, do not matter."""
        claims.put(SOURCE, 1, "Caf\u00e9", hours(9, 10))
        error = refused(claims.put, SOURCE, 2, "\u2003Cafe\u0301 ", hours(9, 10))
        assert error.conflicts

    def test_keys_are_case_sensitive_unless_told(self, claims):
        """Upper and lower case are two keys, or one where the context says so."""
        claims.put(SOURCE, 1, "room", hours(9, 10))
        claims.put(SOURCE, 2, "ROOM", hours(9, 10))
        claims.context.set_setting("conflicts_casefold", True)
        assert refused(claims.put, SOURCE, 3, "Room", hours(9, 10)).conflicts

    @pytest.mark.parametrize(
        ("during", "is_free"),
        [
            pytest.param((at(12), OPEN), False, id="without end, overlaps later"),
            pytest.param((OPEN, at(9)), True, id="without start, ends before"),
            pytest.param((OPEN, at(9, 1)), False, id="without start, reaches in"),
            pytest.param(ALWAYS, False, id="always"),
        ],
    )
    def test_open_ends(self, claims, during, is_free):
        """A time may have no start or no end, if it is said."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10))
        claims.put(SOURCE, 2, TRUCK, hours(14, 15))
        if is_free:
            claims.put(SOURCE, 3, TRUCK, during)
        else:
            assert refused(claims.put, SOURCE, 3, TRUCK, during).conflicts

    @pytest.mark.parametrize(
        ("span", "bounds", "is_free"),
        [
            pytest.param((14000, 16000), "[]", False, id="overlaps"),
            pytest.param((15000, 20000), "[]", False, id="both hold 15,000"),
            pytest.param((15000, 20000), "(]", True, id="starts after 15,000"),
            pytest.param(("15000.5", 20000), "[]", True, id="decimals"),
            pytest.param((OPEN, 10000), "[)", True, id="below"),
            pytest.param(None, "[]", False, id="no span is all of it"),
        ],
    )
    def test_spans(self, claims, span, bounds, is_free):
        """Numeric spans keep the bounds they are given; decimals are allowed."""
        if span is not None:
            span = tuple(float(end) if isinstance(end, str) else end for end in span)
        claims.put(SOURCE, 1, "AIR-1", hours(9, 10), span=(10000, 15000))
        act = claims.put
        values = SOURCE, 2, "AIR-1", hours(9, 10)
        if is_free:
            act(*values, span=span, bounds=bounds)
        else:
            assert refused(act, *values, span=span, bounds=bounds).conflicts

    def test_not_exclusive(self, claims):
        """What is not exclusive keeps nobody out, and is kept out by nobody."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10), exclusive=False)
        claims.put(SOURCE, 2, TRUCK, hours(9, 10))
        claims.put(SOURCE, 3, TRUCK, hours(9, 10), exclusive=False)
        assert count(claims) == 3

    def test_buffers_keep_others_out(self, claims):
        """The time to clean is taken as well."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10), after=timedelta(minutes=30))
        values = SOURCE, 2, TRUCK, (at(10, 15), at(11))
        assert refused(claims.put, *values).conflicts[0].during == Period(*hours(9, 10))
        claims.put(SOURCE, 2, TRUCK, (at(10, 30), at(11)))


class TestClaim:
    def test_makes_a_record_of_its_own(self, claims):
        """A claim without a source gets one."""
        made = claims.claim(wish())
        again = refused(claims.claim, wish())
        assert made.source == "libres.Claim"
        assert again.conflicts == [made]

    def test_takes_a_source(self, claims):
        """A claim with a source is that of the record."""
        assert claims.claim(booked(7)).identity == (SOURCE, "7", 0)

    def test_wants_a_proposal(self, claims):
        """Anything else is refused in words."""
        with pytest.raises(InvalidClaim, match="A Proposal is needed"):
            claims.claim("HMMWV-123")


class TestPutMany:
    def test_a_thousand_twice(self, claims):
        """The second time all are unchanged. (C9)"""
        rows = [booked(n, resource=f"Truck {n}") for n in range(1000)]
        assert claims.put_many(rows).created == 1000
        assert claims.put_many(rows).counts == {
            "created": 0,
            "updated": 0,
            "unchanged": 1000,
            "refused": 0,
        }
        assert count(claims) == 1000

    def test_results_keep_the_order(self, claims):
        """The n-th result is that of the n-th row, whatever became of it."""
        claims.put_many([booked(1), booked(2, 12, 13)])
        rows = [booked(3, 14, 15), booked(2, 15, 16), booked(1), booked(0, 7, 8)]
        written = claims.put_many(rows)
        assert [each.status for each in written.results] == [
            "created",
            "updated",
            "unchanged",
            "created",
        ]
        assert [each.claim.source_id for each in written.results] == list("3210")
        ids = dict(stored(claims, ConflictClaim.source_id, ConflictClaim.id))
        assert [each.claim.id for each in written.results] == [ids[n] for n in "3210"]

    def test_all_or_nothing(self, claims):
        """One that is refused undoes all of them."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10))
        rows = [booked(2, 12, 13), booked(3), booked(4, 14, 15)]
        error = refused(claims.put_many, rows)
        assert error.refused.source_id == "3"
        assert stored(claims) == [("1", 0)]

    def test_partial(self, claims):
        """Each for itself: the first comes, those in its way are refused."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10))
        rows = [booked(2, 12, 14), booked(3), booked(4, 13, 15), booked(5, 16, 17)]
        written = claims.put_many(rows, partial=True)
        statuses = [each.status for each in written.results]
        assert statuses == ["created", "refused", "refused", "created"]
        assert [claim.source_id for claim in written.results[1].conflicts] == ["1"]
        assert [claim.source_id for claim in written.results[2].conflicts] == ["2"]
        assert written.results[1].claim is None

    def test_swap(self, claims):
        """Two records may swap their times in one call."""
        claims.put_many([booked(1, 9, 10), booked(2, 10, 11)])
        assert claims.put_many([booked(1, 10, 11), booked(2, 9, 10)]).updated == 2

    def test_swap_across_statements(self, claims):
        """Also if they are written by different statements."""
        others = [booked(n, resource=f"Truck {n}") for n in range(1000)]
        first, last = booked("a", 9, 10), booked("b", 10, 11)
        claims.put_many([first, *others, last])
        swapped = [booked("a", 10, 11), *others, booked("b", 9, 10)]
        assert claims.put_many(swapped).updated == 2

    def test_conflict_across_statements(self, claims):
        """The guard looks at rows of different statements as well."""
        others = [booked(n, resource=f"Truck {n}") for n in range(1000)]
        rows = [booked("a"), *others, booked("b")]
        assert refused(claims.put_many, rows).conflicts
        assert count(claims) == 0

    def test_dicts(self, claims):
        """Rows may be dicts of the values of a proposal."""
        row = {
            "source": SOURCE,
            "source_id": 1,
            "resource": TRUCK,
            "during": hours(9, 10),
        }
        assert claims.put_many([row]).created == 1

    def test_empty(self, claims):
        """Nothing is no mistake, and needs no statement."""
        with counted(claims.session) as statements:
            assert claims.put_many([]).results == []
        assert statements == []

    @pytest.mark.parametrize("number", [1, 50])
    def test_statements(self, claims, number):
        """One statement and a savepoint, for one and for fifty."""
        rows = [booked(n, resource=f"Truck {n}") for n in range(number)]
        with counted(claims.session) as statements:
            claims.put_many(rows)
        assert len(statements) == 3

    def test_bad_row_writes_nothing(self, claims):
        """A row that makes no sense is refused before anything is written."""
        rows = [booked(1), {"source": SOURCE, "source_id": 2, "resource": TRUCK}]
        with pytest.raises(InvalidClaim, match="during"):
            claims.put_many(rows, partial=True)
        assert count(claims) == 0

    @pytest.mark.parametrize(
        ("rows", "error", "says"),
        [
            pytest.param([wish()], IncompleteQuestion, "source", id="no record"),
            pytest.param([booked(1), booked(1)], InvalidClaim, "2 times", id="twice"),
            pytest.param(["room"], InvalidClaim, "Proposal", id="no proposal"),
            pytest.param([{"sauce": 1}], InvalidClaim, "sauce", id="unknown name"),
        ],
    )
    def test_bad_rows(self, claims, rows, error, says):
        """What cannot be written is refused in words."""
        with pytest.raises(error, match=says):
            claims.put_many(rows)


class TestDrop:
    def test_drop(self, claims):
        """All parts of a record go, and nobody else's."""
        claims.put_many([booked(1), booked(1, 10, 11, part=1), booked(2, 12, 13)])
        assert claims.drop(SOURCE, 1) == 2
        assert stored(claims) == [("2", 0)]
        assert claims.drop(SOURCE, 1) == 0

    def test_drop_many(self, claims):
        """Many records go in one statement; unknown ones do not matter."""
        claims.put_many([booked(n, resource=str(n)) for n in range(5)])
        records = [(SOURCE, 1), (SOURCE, 3), (SOURCE, 3), ("other.Model", 2)]
        with counted(claims.session) as statements:
            assert claims.drop_many(records) == 2
        assert len(statements) == 1
        assert {source_id for source_id, _ in stored(claims)} == {"0", "2", "4"}

    @pytest.mark.parametrize("number", [None, "None", "", True, 1.0])
    def test_without_an_id(self, claims, number):
        """The id of an object that has none yet finds nobody's rows by accident."""
        with pytest.raises(IncompleteQuestion):
            claims.drop(SOURCE, number)


class TestTentative:
    @pytest.fixture
    def clock(self, monkeypatch):
        """A clock that can be set."""
        now = [at(0)]
        monkeypatch.setattr(TimestampMixin, "timestamp", lambda: now[0])
        return now

    def test_holds_until_it_expires(self, claims, clock):
        """A basket keeps others out, until its time is over."""
        held = claims.claim(wish(tentative=True, expires=at(0, 15)))
        assert refused(claims.claim, wish()).conflicts == [held]
        clock[0] = at(0, 15)
        made = claims.claim(wish())
        assert stored(claims, ConflictClaim.id) == [(made.id,)]

    def test_only_what_is_in_the_way_is_deleted(self, claims, clock):
        """Expired claims of other times and resources are left for later."""
        claims.claim(wish(12, 13, tentative=True, expires=at(1)))
        claims.claim(wish(resource="Other", tentative=True, expires=at(1)))
        clock[0] = at(2)
        claims.claim(wish())
        assert count(claims) == 3
        assert claims.drop_expired() == 2
        assert count(claims) == 1

    def test_becomes_certain(self, claims, clock):
        """Put again without expiry it stays."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10), tentative=True, expires=at(1))
        claims.put(SOURCE, 1, TRUCK, hours(9, 10))
        clock[0] = at(2)
        assert refused(claims.claim, wish()).conflicts

    def test_told_in_json(self, claims):
        """That it is tentative is told, else nothing is."""
        assert claims.claim(wish(tentative=True)).as_json()["tentative"] is True
        assert "tentative" not in claims.claim(wish(12, 13)).as_json()


class TestCapacity:
    def test_up_to_capacity(self, claims):
        """As many as there are places get one."""
        first = claims.claim(wish(9, 11, capacity=2))
        second = claims.claim(wish(10, 12, capacity=2))
        error = refused(claims.claim, wish(10, 11, capacity=2))
        assert error.conflicts == [first, second]

    def test_counts_at_each_moment(self, claims):
        """Two that do not meet each other need one place."""
        claims.claim(wish(9, 10, capacity=2))
        claims.claim(wish(10, 11, capacity=2))
        claims.claim(wish(9, 11, capacity=2))
        assert count(claims) == 3

    def test_several_places(self, claims):
        """A claim may take more than one place."""
        claims.claim(wish(capacity=5, places=3))
        assert refused(claims.claim, wish(capacity=5, places=3)).conflicts
        claims.claim(wish(capacity=5, places=2))

    def test_alone_meets_any(self, claims):
        """Who wants it alone is kept out by the first place, and the reverse."""
        shared = claims.claim(wish(capacity=9))
        assert refused(claims.claim, wish()).conflicts == [shared]
        alone = claims.claim(wish(12, 13))
        assert refused(claims.claim, wish(12, 13, capacity=9)).conflicts == [alone]

    def test_same_batch(self, claims):
        """Rows of one statement are counted together."""
        rows = [booked(n, capacity=2) for n in range(3)]
        assert refused(claims.put_many, rows).refused.source_id in "012"
        assert claims.put_many(rows, partial=True).refused == 1

    def test_without_start(self, claims):
        """Claims that have always been there are counted, too."""
        for _ in range(2):
            claims.claim(
                wish(capacity=2).__class__(
                    resource=TRUCK, during=(OPEN, at(10)), capacity=2
                )
            )
        assert refused(claims.claim, wish(9, 12, capacity=2)).conflicts

    def test_expired_places_are_free(self, claims, monkeypatch):
        """Who has expired takes no place."""
        claims.claim(wish(capacity=1, tentative=True, expires=at(0)))
        claims.claim(wish(capacity=1))

    def test_update_is_counted(self, claims):
        """Who moves to where all places are taken is refused."""
        claims.put_many([booked(n, capacity=2) for n in range(2)])
        claims.put_many([booked(2, 12, 13, capacity=2)])
        assert refused(claims.put, SOURCE, 2, TRUCK, hours(9, 10), capacity=2)


class TestGuarded:
    INSERT = text(
        "INSERT INTO conflict_claims (context, source, source_id, resource, during) "
        "VALUES ('test', 'raw.Row', :id, 'HMMWV-123', tstzrange("
        "'2025-12-01 09:00+00'::timestamptz + :shift * interval '1 hour', "
        "'2025-12-01 10:00+00'::timestamptz + :shift * interval '1 hour'))"
    )
    UPDATE = text(
        "UPDATE conflict_claims SET during = tstzrange("
        "lower(during) + :shift * interval '1 hour', "
        "upper(during) + :shift * interval '1 hour') WHERE source_id = :id"
    )

    def insert(self, claims, number, shift=0):
        """Write a claim without this library."""
        claims.session.execute(self.INSERT, {"id": str(number), "shift": shift})

    def move(self, claims, number, shift):
        """Move it."""
        claims.session.execute(self.UPDATE, {"id": str(number), "shift": shift})

    def test_translates(self, claims):
        """Whatever writes within the block, the error names the winners."""
        first = claims.put(SOURCE, 1, TRUCK, hours(9, 10))
        with pytest.raises(ConflictError) as caught, claims.guarded():
            self.insert(claims, 2)
        assert caught.value.conflicts == [first]
        assert count(claims) == 1

    def test_other_errors_pass(self, claims):
        """What is not of the guard is not ours to translate."""
        with pytest.raises(IntegrityError), claims.guarded():
            self.insert(claims, "")
        assert count(claims) == 0

    def test_one_after_the_other_is_refused(self, claims):
        """Not deferred, the first of two statements that swap is refused."""
        self.insert(claims, 1)
        self.insert(claims, 2, shift=1)
        with pytest.raises(ConflictError), claims.guarded():
            self.move(claims, 1, 1)

    def test_deferred(self, claims):
        """Deferred they can. (C13)"""
        self.insert(claims, 1)
        self.insert(claims, 2, shift=1)
        with claims.guarded(deferred=True):
            self.move(claims, 1, 1)
            self.move(claims, 2, -1)
        claims.commit()

    def test_deferred_is_checked_at_the_end(self, claims):
        """What still overlaps at the end of the block is refused there."""
        self.insert(claims, 1)
        with pytest.raises(ConflictError), claims.guarded(deferred=True):
            self.insert(claims, 2)
        with pytest.raises(IntegrityError):
            self.insert(claims, 3)
        claims.rollback()


class TestIsolation:
    ODD = 'app."Odd" \\ Näme', "it's, (1]", '"Röom", \\ [1)'
    LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")

    @pytest.mark.parametrize("level", LEVELS)
    def test_names_whom_the_snapshot_does_not_show(self, claims, at_level, level):
        """The winner is named even if it came after the own snapshot was taken."""
        other = at_level(level)
        other.session.execute(text("SELECT 1"))
        first = claims.put(*self.ODD, hours(9, 10), span=(1, 2.5))
        claims.commit()
        source, _, resource = self.ODD
        error = refused(other.put, source, "2", resource, hours(8, 12))
        (winner,) = error.conflicts
        assert winner.identity == first.identity
        assert (winner.id, winner.resource) == (first.id, first.resource)
        assert (winner.blocked, winner.span) == (first.blocked, NumericSpan(1, 2.5))
        other.put("app.Other", 3, "free", hours(9, 10))
        other.commit()
        assert count(claims) == 2

    @pytest.mark.parametrize("level", LEVELS)
    def test_counted_places_with_an_old_snapshot(self, claims, at_level, level):
        """Who counts with an old snapshot is refused, at once or when tried again."""
        other = at_level(level)

        @other.context.transaction()
        def late():
            other.session.execute(text("SELECT 1"))
            if not claims.session.in_transaction():
                claims.context.transaction(
                    lambda: claims.put(*self.ODD, hours(9, 10), capacity=1)
                )
                claims.session.begin()
            other.claim(wish(8, 12, self.ODD[2], capacity=1))

        assert refused(late).conflicts[0].source == self.ODD[0]


class TestSameHash:
    """Resources whose names happen to have one hash are still two."""

    @pytest.fixture
    def one_hash(self, claims):
        """Let all resources have the same hash."""
        claims.session.execute(
            text(
                "ALTER TABLE conflict_claims ALTER hash DROP EXPRESSION, "
                "ALTER hash SET DEFAULT '[7,8)'"
            )
        )
        claims.session.execute(
            text(
                "CREATE OR REPLACE FUNCTION conflict_hash(context text, resource text) "
                "RETURNS int8range IMMUTABLE RETURN int8range(7, 7, '[]')"
            )
        )
        return claims

    def test_guard(self, one_hash):
        """They do not keep each other out; each of them is guarded as ever."""
        first = one_hash.claim(wish(resource="a"))
        one_hash.claim(wish(resource="b"))
        assert refused(one_hash.claim, wish(resource="a")).conflicts == [first]

    def test_check(self, one_hash):
        """A question about one of them finds no claims of the other."""
        one_hash.claim(wish(resource="a"))
        assert one_hash.check(wish(resource="b")) == []
        assert not one_hash.query().resource("b").exists()

    def test_capacity(self, one_hash):
        """Places of one of them are not counted with those of the other."""
        one_hash.claim(wish(resource="a", capacity=1))
        one_hash.claim(wish(resource="b", capacity=1))
        assert refused(one_hash.claim, wish(resource="a", capacity=1)).conflicts

    def test_expired(self, one_hash):
        """What has expired gives way to a claim of the same one only."""
        one_hash.put(SOURCE, 1, "a", hours(9, 10), expires=at(0))
        one_hash.put(SOURCE, 2, "b", hours(9, 10), expires=at(0))
        one_hash.claim(wish(resource="b"))
        assert stored(one_hash, ConflictClaim.resource) == [("a",), ("b",)]


class TestDatabase:
    def test_constraint(self, claims):
        """The guard has a name, can be deferred, and is not at first."""
        query = text(
            "SELECT condeferrable, condeferred, contype::text FROM pg_constraint "
            "WHERE conname = :name"
        )
        found = claims.session.execute(query, {"name": GUARD}).one()
        assert tuple(found) == (True, False, "x")

    def test_no_extension(self, claims):
        """Nothing but what every PostgreSQL has is needed."""
        query = text("SELECT extname FROM pg_extension")
        assert claims.session.scalars(query).all() == ["plpgsql"]

    def test_setup_again(self, claims):
        """Setting up is repeated without harm."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10))
        claims.setup()
        assert count(claims) == 1

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("during", "empty"),
            ("during", "[2025-01-01,2025-01-02]"),
            ("during", "[2025-01-01,infinity)"),
            ("span", "empty"),
            ("resource", ""),
            ("resource", "r" * 1100),
            ("source_id", "a\x1fb"),
            ("places", "2"),
            ("before", "-1 hour"),
        ],
    )
    def test_refuses_impossible_rows(self, claims, column, value):
        """What must never be there, PostgreSQL refuses."""
        made = claims.put(SOURCE, 1, TRUCK, hours(9, 10))
        written = cast(literal(value, Text), ConflictClaim.__table__.c[column].type)
        row = update(ConflictClaim).values({column: written})
        with pytest.raises(IntegrityError):
            claims.session.execute(row.where(ConflictClaim.id == made.id))
        claims.rollback()

    def test_naive_time(self, claims):
        """A time without a zone is refused, or read in the zone that is named."""
        naive = at(9).replace(tzinfo=None), at(10).replace(tzinfo=None)
        with pytest.raises(NotTimezoneAware):
            claims.put(SOURCE, 1, TRUCK, naive)
        made = claims.put(SOURCE, 1, TRUCK, naive, timezone="Europe/Zurich")
        assert made.during == Period(at(8), at(9))
