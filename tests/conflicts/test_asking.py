"""What is in the way, why, and what is free instead."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from libres.conflicts import (
    OPEN,
    EmptyQuery,
    IncompleteQuestion,
    InvalidClaim,
    NumericSpan,
    Period,
    Proposal,
)
from libres.db.models.timestamp import TimestampMixin
from libres.modules.errors import NotTimezoneAware
from tests.conflicts.times import SOURCE, TRUCK, at, booked, hours, wish
from tests.fixtures.statements import counted


@pytest.fixture
def base(claims):
    """The claims with the reservation 1 of a truck, 9 to 10."""
    claims.put(SOURCE, 1, TRUCK, hours(9, 10))
    return claims


@pytest.fixture
def air(base):
    """And with a flight between 10,000 and 15,000 feet."""
    base.put(SOURCE, 2, "AIR-1", hours(9, 10), span=(10000, 15000))
    return base


def ids(found):
    """The ids of the records of claims."""
    return [claim.source_id for claim in found]


def half_past(**more):
    """A proposal from half past nine to half past ten."""
    during = (at(9, 30), at(10, 30))
    return Proposal(**{"resource": TRUCK, "during": during, **more})


class TestCheck:
    def test_json(self, base):
        """One item, with just these keys. (C1)"""
        (found,) = base.check(half_past())
        assert found.as_json() == {
            "id": found.id,
            "resource_id": TRUCK,
            "temporal_range": {
                "lower": "2025-12-01T09:00:00+00:00",
                "upper": "2025-12-01T10:00:00+00:00",
                "bounds": {"lower_inclusive": True, "upper_inclusive": False},
            },
            "integer_range": None,
            "arbitrary_dims": None,
            "source_app": SOURCE,
            "source_object_id": "1",
        }

    def test_json_of_all_dimensions(self, claims):
        """Numbers are numbers, open ends are None. (section 1)"""
        claims.put(SOURCE, 1, TRUCK, (at(9), OPEN), span=(OPEN, 1.5), dims={"lane": 2})
        shown = claims.check(wish(20, 21))[0].as_json()
        assert shown["temporal_range"]["upper"] is None
        assert shown["integer_range"] == {
            "lower": None,
            "upper": 1.5,
            "bounds": {"lower_inclusive": False, "upper_inclusive": True},
        }
        assert shown["arbitrary_dims"] == {"lane": 2}

    @pytest.mark.parametrize(
        ("proposal", "found"),
        [
            pytest.param(wish(10, 11), [], id="C2 touching is free"),
            pytest.param(half_past(resource="Room 201"), [], id="C3 another one"),
            pytest.param(half_past(source=SOURCE, source_id=1), [], id="C4 itself"),
            pytest.param(
                half_past(source="app.Other", source_id=1), ["1"], id="other source"
            ),
            pytest.param(
                Proposal(
                    resource=TRUCK,
                    during=(
                        at(10, 30).replace(tzinfo=None),
                        at(11, 30).replace(tzinfo=None),
                    ),
                    timezone="Europe/Berlin",
                ),
                ["1"],
                id="C5 another zone",
            ),
            pytest.param(
                Proposal(
                    resource=TRUCK,
                    during=(
                        at(9, 30).replace(tzinfo=None),
                        at(10).replace(tzinfo=None),
                    ),
                    timezone="Europe/Berlin",
                ),
                [],
                id="C5 another zone, before",
            ),
            pytest.param(half_past(span=(500, 600)), ["1"], id="C8 no span is any"),
            pytest.param(half_past(dims={"lane": 1}), [], id="pairs it has not"),
            pytest.param(
                wish(10, 11, before=timedelta(minutes=1)), ["1"], id="own buffer"
            ),
        ],
    )
    def test_base(self, base, proposal, found):
        """What is in the way of a proposal, beside the reservation 1."""
        assert ids(base.check(proposal)) == found

    def test_missing_span_ignored(self, base):
        """A claim without a span can be passed over. (C8)"""
        assert base.check(half_past(span=(500, 600)), missing="ignore") == []

    @pytest.mark.parametrize(
        ("span", "bounds", "found"),
        [
            ((14000, 16000), "[]", ["2"]),
            ((16000, 17000), "[]", []),
            ((15000, 16000), "[]", ["2"]),
            ((15000, 16000), "[)", ["2"]),
            ((15000, 16000), "(]", []),
        ],
    )
    def test_spans(self, air, span, bounds, found):
        """Both ends of a span belong to it, unless the bounds say otherwise. (C7)"""
        asked = wish(9, 10, "AIR-1", span=span, bounds=bounds)
        assert ids(air.check(asked)) == found

    def test_stored_half_open(self, claims):
        """What was stored without its upper end does not meet it. (C7)"""
        claims.put(SOURCE, 2, "AIR", hours(9, 10), span=(1, 15000), bounds="[)")
        assert claims.check(wish(9, 10, "AIR", span=(15000, 16000))) == []

    @pytest.mark.parametrize(("lane", "found"), [(2, ["1"]), (3, [])])
    def test_dims(self, claims, lane, found):
        """A claim has the asked pairs, and may have more. (C18)"""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10), dims={"lane": 2, "dir": "N"})
        assert ids(claims.check(half_past(dims={"lane": lane}))) == found

    def test_contexts_are_apart(self, base, at_level):
        """The claims of another context are not told. (C15)"""
        base.commit()
        assert at_level("SERIALIZABLE", name="other").check(half_past()) == []

    def test_others_buffer(self, claims):
        """The time others need to clean is in the way, too."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10), after=timedelta(hours=1))
        assert ids(claims.check(wish(10, 11))) == ["1"]

    def test_expired(self, claims, monkeypatch):
        """What has expired is in nobody's way."""
        monkeypatch.setattr(TimestampMixin, "timestamp", lambda: at(0))
        claims.claim(wish(tentative=True, expires=at(1)))
        assert claims.check(wish())
        monkeypatch.setattr(TimestampMixin, "timestamp", lambda: at(1))
        assert claims.check(wish()) == []

    def test_not_exclusive(self, claims):
        """What keeps nobody out is told all the same."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10), exclusive=False, tentative=True)
        (found,) = claims.check(wish())
        assert (found.exclusive, found.tentative) == (False, True)

    def test_capacity(self, claims):
        """As long as there are places, nobody is in the way."""
        claims.claim(wish(9, 11, capacity=3))
        claims.claim(wish(10, 12, capacity=3))
        claims.claim(wish(12, 13, capacity=3))
        assert claims.check(wish(9, 13, capacity=3)) == []
        assert len(claims.check(wish(9, 13, capacity=3, places=2))) == 2
        assert len(claims.check(wish(9, 13))) == 3

    def test_order(self, claims):
        """By start, those without one first, then by id."""
        rows = [booked(1, 12, 13), booked(2, 9, 10), booked(3, 10, 11)]
        claims.put_many(rows)
        early = Proposal(
            source=SOURCE, source_id=4, resource=TRUCK, during=(OPEN, at(8))
        )
        claims.put_many([early])
        assert ids(claims.check(wish(0, 24))) == ["4", "2", "3", "1"]

    def test_tree(self, claims):
        """A whole meets claims of its parts once, and the reverse."""
        claims.arrange("A1", within="A")
        claims.arrange("A2", within="A")
        claims.put(SOURCE, 1, "A", hours(9, 10))
        claims.put(SOURCE, 2, "A2", hours(10, 11))
        assert ids(claims.check(wish(9, 11, "A"))) == ["1", "2"]
        assert ids(claims.check(wish(9, 11, "A1"))) == ["1"]
        assert claims.check(wish(9, 10, "A1"))[0].named == "A"

    def test_busy_only(self, base):
        """For those who may not know more."""
        shown = base.check(half_past())[0].as_busy()
        assert set(shown) == {"busy", "temporal_range"}


class TestCheckMany:
    def test_within(self, base):
        """Two collide with each other, one with reservation 1; in order. (C14)"""
        asked = [wish(12, 14), half_past(), wish(13, 15)]
        answers = base.check_many(asked)
        assert [each.index for each in answers] == [0, 1, 2]
        assert [ids(each.conflicts) for each in answers] == [[], ["1"], []]
        assert [each.within for each in answers] == [[2], [], [0]]
        assert not any(each.is_free for each in answers)

    def test_without_within(self, base):
        """The proposals among themselves are not compared if it is not asked."""
        answers = base.check_many([wish(12, 14), wish(12, 14)], within=False)
        assert all(each.is_free for each in answers)

    def test_within_capacity(self, claims):
        """Proposals with a capacity collide when there are not enough places."""
        asked = [wish(9, 11, capacity=2), wish(9, 11, capacity=2)]
        assert all(each.is_free for each in claims.check_many(asked))
        answers = claims.check_many([*asked, wish(10, 12, capacity=2)])
        assert answers[2].within == [0, 1]

    def test_within_trees(self, claims):
        """A whole collides with its part."""
        claims.arrange("A1", within="A")
        answers = claims.check_many([wish(resource="A"), wish(resource="A1")])
        assert [each.within for each in answers] == [[1], [0]]

    def test_within_spans(self, claims):
        """Spans that do not meet keep proposals apart."""
        asked = [wish(span=(1, 2)), wish(span=(3, 4)), wish(span=(2, 3))]
        met = [each.within for each in claims.check_many(asked)]
        assert met == [[2], [2], [0, 1]]

    def test_across_statements(self, base):
        """More than a thousand keep their order, and meet each other."""
        free = [wish(resource=f"truck {n}") for n in range(1000)]
        answers = base.check_many([wish(12, 13), *free, half_past(), wish(12, 13)])
        assert (answers[0].within, answers[1002].within) == ([1002], [0])
        assert ids(answers[1001].conflicts) == ["1"]
        assert sum(not each.is_free for each in answers) == 3

    @pytest.mark.parametrize("number", [1, 50])
    def test_statements(self, base, number):
        """One statement, whatever the number."""
        asked = [half_past() for _ in range(number)]
        with counted(base.session) as statements:
            base.check_many(asked)
        assert len(statements) == 1

    def test_empty(self, claims):
        """Nothing asked, nothing answered."""
        assert claims.check_many([]) == []

    def test_matrix(self, base):
        """Which of a draft collide; the diagonal is about what exists."""
        asked = [half_past(), wish(10, 11), wish(20, 21)]
        assert base.matrix(asked) == [
            [True, True, False],
            [True, False, False],
            [False, False, False],
        ]


class TestQuery:
    def test_conditions_add_up(self, air):
        """Each condition narrows the answer."""
        query = air.query().during(at(9, 30), at(10, 30))
        assert ids(query.all()) == ["1", "2"]
        assert ids(query.resource("AIR-1").all()) == ["2"]
        assert ids(query.span(9000, 9500).all()) == ["1"]
        assert query.span(9000, 9500, missing="ignore").all() == []
        assert ids(query.without(SOURCE, 1).all()) == ["2"]
        assert ids(query.source(SOURCE).all()) == ["1", "2"]
        assert query.source("app.Other").all() == []

    def test_queries_do_not_change(self, air):
        """A condition gives a new query and leaves the old one alone."""
        query = air.query().resource(TRUCK)
        query.during(at(20), at(21))
        assert query.count() == 1

    def test_several_resources(self, air):
        """One of several will do."""
        assert air.query().resource(TRUCK, "AIR-1", TRUCK).count() == 2

    def test_dims(self, claims):
        """Pairs alone may be asked for. (C18)"""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10), dims={"lane": 2, "dir": "N"})
        assert claims.query().dims(lane=2).count() == 1
        assert claims.query().dims(lane=3).exists() is False

    def test_answers(self, air):
        """First, exists and count agree with all."""
        query = air.query().during(at(0), at(24))
        assert query.first() == query.all()[0]
        assert query.exists() is True
        assert query.count() == 2
        assert air.query().resource("nothing").first() is None

    def test_open_ends(self, base):
        """A question may be open on purpose."""
        assert base.query().during(at(9, 59), OPEN).exists()
        assert not base.query().during(at(10), OPEN).exists()
        assert not base.query().during(OPEN, at(9)).exists()

    def test_pages(self, claims):
        """Pages hold all claims once, in order, also those without a start."""
        claims.put_many([booked(n, n, n + 1) for n in range(3, 10)])
        claims.put(SOURCE, 0, TRUCK, (OPEN, at(1)))
        query, after, seen = claims.query().resource(TRUCK), None, []
        while True:
            page = query.page(3, after)
            seen += ids(page.claims)
            after = page.next
            if after is None:
                break
        assert seen == ids(query.all())
        assert len(seen) == 8

    def test_last_page_knows(self, base):
        """A page that is just full says that it was the last."""
        assert base.query().resource(TRUCK).page(1).next is None

    @pytest.mark.parametrize("after", ["", "x", "ä", 5, "MTIz", "IC0x", "eCAx"])
    def test_bad_cursor(self, base, after):
        """Only what a page has said is a place to go on."""
        with pytest.raises(InvalidClaim, match="no place in a list"):
            base.query().resource(TRUCK).page(1, after)

    @pytest.mark.parametrize("limit", [0, -1, 1001, True, "5", None])
    def test_bad_limit(self, base, limit):
        """A page has 1 to 1,000 claims."""
        with pytest.raises(InvalidClaim):
            base.query().resource(TRUCK).page(limit)

    @pytest.mark.parametrize("answer", ["all", "first", "exists", "count", "page"])
    def test_no_condition(self, base, answer):
        """A question without a condition is none; leaving out is no condition. (C6)"""
        with pytest.raises(EmptyQuery):
            getattr(base.query().without(SOURCE, 1), answer)()

    @pytest.mark.parametrize(
        ("ask", "error"),
        [
            pytest.param(lambda q: q.during(at(9), None), IncompleteQuestion, id="end"),
            pytest.param(
                lambda q: q.during(None, at(9)), IncompleteQuestion, id="from"
            ),
            pytest.param(lambda q: q.during(at(9), at(9)), InvalidClaim, id="empty"),
            pytest.param(lambda q: q.during(at(9), at(8)), InvalidClaim, id="reversed"),
            pytest.param(
                lambda q: q.during(
                    at(9).replace(tzinfo=None), at(10).replace(tzinfo=None)
                ),
                NotTimezoneAware,
                id="naive",
            ),
            pytest.param(lambda q: q.resource(), IncompleteQuestion, id="no resource"),
            pytest.param(lambda q: q.resource(" "), IncompleteQuestion, id="blank"),
            pytest.param(lambda q: q.resource(None), IncompleteQuestion, id="none"),
            pytest.param(lambda q: q.resource(7), InvalidClaim, id="number"),
            pytest.param(lambda q: q.resource("a\0b"), InvalidClaim, id="nul"),
            pytest.param(lambda q: q.resource("\ud800"), InvalidClaim, id="surrogate"),
            pytest.param(lambda q: q.resource("r" * 300), InvalidClaim, id="long"),
            pytest.param(
                lambda q: q.resource(*map(str, range(101))), InvalidClaim, id="many"
            ),
            pytest.param(lambda q: q.span(1, None), IncompleteQuestion, id="one end"),
            pytest.param(lambda q: q.span(2, 1), InvalidClaim, id="span reversed"),
            pytest.param(
                lambda q: q.span(1, 1, bounds="[)"), InvalidClaim, id="span empty"
            ),
            pytest.param(lambda q: q.span("1", "2"), InvalidClaim, id="texts"),
            pytest.param(
                lambda q: q.span(1, float("nan")), InvalidClaim, id="not a number"
            ),
            pytest.param(lambda q: q.span(1, 10**200), InvalidClaim, id="huge"),
            pytest.param(
                lambda q: q.span(Decimal("1e-200"), 2), InvalidClaim, id="tiny"
            ),
            pytest.param(
                lambda q: q.span(1, 2, bounds="]["), InvalidClaim, id="bounds"
            ),
            pytest.param(
                lambda q: q.span(1, 2, missing="x"), InvalidClaim, id="missing"
            ),
            pytest.param(lambda q: q.dims(), IncompleteQuestion, id="no pair"),
            pytest.param(lambda q: q.dims(a={1}), InvalidClaim, id="no json"),
            pytest.param(lambda q: q.dims(a="\0"), InvalidClaim, id="nul in pair"),
            pytest.param(lambda q: q.dims(a=float("inf")), InvalidClaim, id="infinite"),
            pytest.param(
                lambda q: q.without(SOURCE, None), IncompleteQuestion, id="id"
            ),
            pytest.param(
                lambda q: q.resource("a").resource("b"), InvalidClaim, id="twice"
            ),
        ],
    )
    def test_bad_questions(self, base, ask, error):
        """A condition that makes no sense is an error, never a wider answer. (C6)"""
        with pytest.raises(error):
            ask(base.query())
        assert base.query().resource(TRUCK).exists()


class TestProposals:
    @pytest.mark.parametrize(
        ("values", "error", "says"),
        [
            ({"resource": None}, IncompleteQuestion, "resource is missing"),
            ({"resource": "  "}, IncompleteQuestion, "resource is empty"),
            ({"during": None}, IncompleteQuestion, "start and an end"),
            ({"during": (at(9),)}, IncompleteQuestion, "start and an end"),
            ({"during": (at(9), None)}, IncompleteQuestion, "One end"),
            ({"during": (at(9), at(9))}, InvalidClaim, "end after it starts"),
            ({"during": ("9", "10")}, InvalidClaim, "datetime"),
            (
                {"during": (at(9), at(9).replace(year=9999, month=12, day=31))},
                InvalidClaim,
                "years 1 to 9999",
            ),
            ({"source": SOURCE}, IncompleteQuestion, "belong together"),
            ({"source_id": 1}, IncompleteQuestion, "belong together"),
            ({"source": SOURCE, "source_id": "None"}, IncompleteQuestion, "flush"),
            ({"part": -1}, InvalidClaim, "part"),
            ({"part": 2**31}, InvalidClaim, "part"),
            ({"places": 2}, InvalidClaim, "capacity"),
            ({"places": 3, "capacity": 2}, InvalidClaim, "never"),
            ({"capacity": 0}, InvalidClaim, "capacity"),
            ({"before": timedelta(-1)}, InvalidClaim, "buffer"),
            ({"after": timedelta.max}, InvalidClaim, "too long"),
            ({"after": 15}, InvalidClaim, "timedelta"),
            ({"dims": ["a"]}, InvalidClaim, "pairs"),
            ({"dims": {"a": "x" * 20000}}, InvalidClaim, "characters"),
            ({"label": 1}, InvalidClaim, "label"),
            ({"url": "\ud800"}, InvalidClaim, "url"),
            ({"expires": at(9).replace(tzinfo=None)}, NotTimezoneAware, "timezone"),
        ],
    )
    def test_bad_values(self, values, error, says):
        """What makes no sense is refused in words, before any statement."""
        with pytest.raises(error, match=says):
            Proposal(**{"resource": TRUCK, "during": hours(9, 10), **values})

    def test_missing_values_are_no_answer(self, base):
        """A dict without a time is an error, never 'it is free'. (C6)"""
        with pytest.raises(InvalidClaim, match="during"):
            base.check_many([{"resource": TRUCK}])


class TestExplain:
    def test_time_and_numbers(self, air):
        """What both want of each dimension."""
        asked = half_past(resource="AIR-1", span=(14000, 16000), bounds="[)", dims=None)
        (hit,) = air.explain(asked)
        assert hit.during == Period(at(9, 30), at(10))
        assert hit.duration == timedelta(minutes=30)
        assert hit.numbers == NumericSpan(Decimal(14000), Decimal(15000), "[]")
        assert hit.dims == {}
        assert not hit.only_around
        assert "AIR-1" in str(hit)

    def test_pairs(self, claims):
        """The pairs both have."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10), dims={"lane": 2, "dir": "N"})
        (hit,) = claims.explain(half_past(dims={"lane": 2}))
        assert hit.dims == {"lane": 2}

    def test_only_buffers(self, base):
        """Whether just the time around it meets."""
        (hit,) = base.explain(wish(10, 11, before=timedelta(minutes=15)))
        assert hit.only_around
        assert hit.during == Period(at(9, 45), at(10))


class TestFree:
    def test_gaps(self, claims):
        """What is left between claims, by start."""
        claims.put_many([booked(1, 9, 10), booked(2, 12, 13), booked(3, 10, 11)])
        found = claims.free_between(TRUCK, at(8), at(14))
        assert found == [
            Period(*hours(8, 9)),
            Period(*hours(11, 12)),
            Period(*hours(13, 14)),
        ]

    def test_min_length(self, base):
        """Gaps that are too short are left out."""
        found = base.free_between(
            TRUCK, at(8, 30), at(12), min_length=timedelta(hours=1)
        )
        assert found == [Period(*hours(10, 12))]

    def test_open(self, base):
        """Without end, the last gap has none."""
        found = base.free_between(TRUCK, at(9), OPEN)
        assert found == [Period(at(10), None)]

    def test_not_exclusive_is_free(self, claims):
        """What keeps nobody out leaves it free."""
        claims.put(SOURCE, 1, TRUCK, hours(9, 10), exclusive=False)
        assert claims.free_between(TRUCK, *hours(9, 10)) == [Period(*hours(9, 10))]

    @pytest.mark.parametrize("length", [timedelta(), timedelta(-1), 5])
    def test_bad_length(self, base, length):
        """A length is a timedelta above zero."""
        with pytest.raises(InvalidClaim, match="min_length"):
            base.free_between(TRUCK, at(8), at(9), min_length=length)


class TestSuggest:
    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch):
        """It is midnight."""
        monkeypatch.setattr(TimestampMixin, "timestamp", lambda: at(0))

    def times(self, suggestions):
        """Resource and hours of suggestions."""
        return [
            (each.resource, each.during.start.hour, each.during.end.hour)
            for each in suggestions
        ]

    def test_nearest_first(self, claims):
        """The gaps of the resource, by how near they are."""
        claims.put_many([booked(1, 9, 11), booked(2, 12, 20)])
        found = claims.suggest(wish(9, 10), 2)
        assert self.times(found) == [(TRUCK, 8, 9), (TRUCK, 11, 12)]

    def test_other_resources_at_the_same_time(self, base):
        """First those others that are free then."""
        base.put(SOURCE, 9, "B", hours(9, 10))
        found = base.suggest(wish(9, 10), 2, resources=["B", "C"])
        assert self.times(found) == [("C", 9, 10), (TRUCK, 8, 9)]

    def test_not_in_the_past(self, base):
        """What is over is not suggested."""
        base.put(SOURCE, 2, TRUCK, hours(0, 9))
        assert self.times(base.suggest(wish(9, 10), 1)) == [(TRUCK, 10, 11)]

    def test_buffers_fit(self, base):
        """The time to clean fits as well."""
        base.put(SOURCE, 2, TRUCK, hours(11, 12))
        found = base.suggest(wish(9, 10, after=timedelta(minutes=30)), 1)
        assert found[0].during == Period(at(7, 30), at(8, 30))

    def test_can_be_claimed(self, base):
        """Each of them is free indeed."""
        for each in base.suggest(wish(9, 10), 2, resources=["B"]):
            assert base.claim(each)

    def test_none(self, claims):
        """Nothing is suggested where nothing is free."""
        claims.put(SOURCE, 1, TRUCK, (OPEN, OPEN))
        assert claims.suggest(wish(9, 10)) == []

    @pytest.mark.parametrize(
        ("asked", "number"),
        [
            (Proposal(resource=TRUCK, during=(at(9), OPEN)), 1),
            (wish(), 0),
            (wish(), 101),
            (wish(), "3"),
        ],
    )
    def test_bad(self, base, asked, number):
        """What cannot be moved, or counted, is refused."""
        with pytest.raises(InvalidClaim):
            base.suggest(asked, number)

    def test_statements(self, base):
        """One statement, whatever the number of resources."""
        with counted(base.session) as statements:
            base.suggest(wish(), resources=[f"truck {n}" for n in range(50)])
        assert len(statements) == 1


class TestMetrics:
    def test_counts(self, base):
        """The claims of each source, by kind."""
        base.claim(wish(12, 13, tentative=True, expires=at(0), capacity=2))
        own, host = base.metrics()
        assert (host.source, host.claims, host.exclusive) == (SOURCE, 1, 1)
        assert (own.claims, own.tentative, own.expired, own.counted) == (1, 1, 1, 1)
