"""What sensors send is read, and of what is wrong it is said what and where."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libres.modules.errors import LibresError, Misuse
from libres.occupancy.errors import UnreadableFile
from libres.occupancy.readings import Reading, Unreadable, read_csv, reading_of

FIRST = "2018-02-24T08:45:21.893Z"
MOMENT = datetime(2018, 2, 24, 8, 45, 21, 893000, tzinfo=UTC)
EVENT = {"timestamp": FIRST, "direction": 1, "dpu_id": "423"}
HEADER = "timestamp,direction,dpu_id\n"

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Nothing depends on how fast the machine is."""


class NoOffset(tzinfo):
    """A zone that does not know its offset."""

    def utcoffset(self, _moment):
        """Know nothing."""


def changed(**values):
    """Read the event of the sample with other values; MISSING takes a key away."""
    event = {**EVENT, **values}
    return reading_of({k: v for k, v in event.items() if v is not MISSING}, 7)


MISSING = object()


class TestEvents:
    def test_sample(self):
        """The time is in UTC, the direction a number, the position is kept."""
        assert reading_of(EVENT, 7) == Reading("423", MOMENT, 1, None, 7)

    @pytest.mark.parametrize(
        ("values", "expected", "why"),
        [
            ({"timestamp": MOMENT}, {}, "an aware datetime"),
            ({"timestamp": "2018-02-24T09:45:21.893+01:00"}, {}, "another offset"),
            ({"timestamp": "20180224T084521.893Z"}, {}, "the basic format"),
            ({"timestamp": f" {FIRST}\n"}, {}, "with space around it"),
            (
                {"timestamp": MOMENT.astimezone(ZoneInfo("Asia/Tokyo"))},
                {},
                "a datetime of another zone",
            ),
            (
                {"timestamp": "1970-01-01T00:00:00Z"},
                {"moment": datetime(1970, 1, 1, tzinfo=UTC)},
                "the first moment",
            ),
            (
                {"timestamp": "9998-12-31T23:59:59.999999Z"},
                {"moment": datetime(9998, 12, 31, 23, 59, 59, 999999, UTC)},
                "the last moment",
            ),
            ({"direction": "1"}, {}, "a direction as text"),
            ({"direction": "+1"}, {}, "with its sign"),
            ({"direction": " -1 "}, {"direction": -1}, "the other direction"),
            ({"direction": -1}, {"direction": -1}, "as a number"),
            ({"dpu_id": MISSING, "sensor": "423"}, {}, "sensor instead of dpu_id"),
            ({"sensor": "423"}, {}, "both, and they agree"),
            ({"sensor": None}, {}, "one of them null"),
            ({"dpu_id": " 423 "}, {}, "a code with space around it"),
            ({"dpu_id": "Tür 3"}, {"sensor": "Tür 3"}, "a code is any text"),
            ({"dpu_id": "x" * 128}, {"sensor": "x" * 128}, "the longest code"),
            ({"seq": None}, {}, "no number"),
            ({"seq": " "}, {}, "no number, as CSV has it"),
            ({"seq": 0}, {"seq": 0}, "the first number"),
            ({"seq": "007"}, {"seq": 7}, "digits"),
            ({"seq": 2**63 - 1}, {"seq": 2**63 - 1}, "the last number"),
            ({"seq": str(2**63 - 1)}, {"seq": 2**63 - 1}, "the last one as text"),
            ({"battery": 3}, {}, "what else there is does not matter"),
        ],
    )
    def test_right(self, values, expected, why):
        """Forms that mean the same are the same."""
        usual = {"sensor": "423", "moment": MOMENT, "direction": 1, "line": 7}
        found = changed(**values)
        assert found == Reading(**{**usual, **expected}), why
        assert found.moment.tzinfo is UTC, why

    @pytest.mark.parametrize(
        ("values", "said", "why"),
        [
            ({"timestamp": MISSING}, "it is missing", "no timestamp"),
            ({"timestamp": None}, "it is missing", "null"),
            ({"timestamp": ""}, "it is missing", "empty"),
            ({"timestamp": "yesterday"}, "not 'yesterday'", "words"),
            ({"timestamp": FIRST[:-1]}, "with its zone", "no zone"),
            ({"timestamp": "2018-02-24"}, "with its zone", "a day"),
            ({"timestamp": "2018-02-30T08:00:00Z"}, "that exists", "no such day"),
            ({"timestamp": "2018-02-24T25:00:00Z"}, "that exists", "no such hour"),
            ({"timestamp": "2018-02-24T08:00:00+25:00"}, "that exists", "or offset"),
            ({"timestamp": "\ud800"}, r"not '\ud800'", "half a surrogate pair"),
            ({"timestamp": 1519461921}, "not 1519461921", "seconds since 1970"),
            ({"timestamp": True}, "not True", "a truth"),
            ({"timestamp": date(2018, 2, 24)}, "type date", "a date"),
            ({"timestamp": datetime(2018, 2, 24)}, "with its zone", "a naive one"),  # noqa: DTZ001
            (
                {"timestamp": datetime(2018, 2, 24, tzinfo=NoOffset())},
                "with its zone",
                "a zone without offset",
            ),
            ({"timestamp": "1969-12-31T23:59:59.999Z"}, "1970 to 9998", "too early"),
            ({"timestamp": "1970-01-01T00:59:59+01:00"}, "1970 to 9998", "in UTC"),
            ({"timestamp": "9999-01-01T00:00:00Z"}, "1970 to 9998", "too late"),
            ({"timestamp": "9998-12-31T23:00:00-01:00"}, "1970 to 9998", "in UTC"),
            ({"timestamp": "0001-01-01T00:00:00+01:00"}, "1970 to 9998", "year 0"),
            ({"timestamp": "9999-12-31T23:00:00-02:00"}, "1970 to 9998", "10000"),
            ({"direction": MISSING}, "it is missing", "no direction"),
            ({"direction": 0}, "1 or -1, not 0", "neither"),
            ({"direction": 2}, "not 2", "two at once"),
            ({"direction": "in"}, "not 'in'", "a word"),
            ({"direction": True}, "not True", "equal to 1, and not 1"),
            ({"direction": 1.0}, "not 1.0", "as well"),
            ({"direction": "1.0"}, "not '1.0'", "as text"),
            ({"direction": float("nan")}, "not nan", "no number"),
            ({"direction": 10**5000}, "a value of type int", "too long to be shown"),
            ({"direction": [1]}, "a value of type list", "a list"),
            ({"dpu_id": MISSING}, "it is missing", "no sensor"),
            ({"dpu_id": ""}, "it is missing", "empty"),
            ({"dpu_id": " \t"}, "it is missing", "blank"),
            ({"dpu_id": 423}, "is a text", "a number"),
            ({"dpu_id": False}, "is a text", "a truth"),
            ({"dpu_id": "x" * 129}, "(129 characters)", "too long"),
            ({"dpu_id": "4\x0023"}, "without NUL", "PostgreSQL takes no NUL"),
            ({"dpu_id": "4\ud80023"}, "surrogates", "nor half a surrogate pair"),
            ({"sensor": "283"}, "'423', as dpu_id says, not '283'", "two names"),
            ({"seq": -1}, "not -1", "negative"),
            ({"seq": 2**63}, f"to {2**63 - 1}", "too large"),
            ({"seq": str(2**63)}, f"to {2**63 - 1}", "too large as text"),
            ({"seq": "9" * 5000}, "(5000 characters)", "too long to be a number"),
            ({"seq": True}, "not True", "a truth"),
            ({"seq": 1.0}, "not 1.0", "a float"),
            ({"seq": "1_000"}, "not '1_000'", "Python's own notation"),
            ({"seq": "٣"}, "not '٣'", "digits of another script"),
            ({"seq": "+3"}, "not '+3'", "a sign"),
        ],
    )
    def test_wrong(self, values, said, why):
        """Each mistake is told at its place, with what is expected."""
        found = changed(**values)
        assert isinstance(found, Unreadable), why
        assert found.line == 7
        assert said in found.reason, why
        assert found.reason.startswith("The "), why

    @pytest.mark.parametrize("event", [None, 3, "423", [], [EVENT], b"{}"])
    def test_no_event(self, event):
        """What is no mapping is unreadable, not an error."""
        found = reading_of(event, 1)
        assert isinstance(found, Unreadable)
        assert "object with timestamp" in found.reason

    def test_reading(self):
        """A reading made elsewhere is checked, and put into UTC."""
        elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5)))
        assert reading_of(Reading("423", elsewhere, -1, 5), 7) == Reading(
            "423", MOMENT, -1, 5, 7
        )
        assert isinstance(reading_of(Reading("423", MOMENT, 0), 7), Unreadable)

    def test_line_of_a_reading(self):
        """One that knows where it was keeps that."""
        read = Reading("423", MOMENT, 1, line=12)
        assert reading_of(read, 7) == read
        assert reading_of(Reading("", MOMENT, 1, line=12), 7).line == 12

    @steady
    @given(
        st.dictionaries(
            st.sampled_from(["timestamp", "direction", "dpu_id", "sensor", "seq"]),
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        )
    )
    def test_anything(self, event):
        """Whatever is sent, there is an answer, and it can be written."""
        found = reading_of(event, 1)
        assert isinstance(found, Unreadable)
        assert found.reason.encode()
        assert found.reason.isprintable()


def read(text, **options):
    """Read a text as a file."""
    return list(read_csv(io.StringIO(text, **options)))


class TestFiles:
    @pytest.mark.parametrize(
        ("text", "why"),
        [
            (f"{HEADER}{FIRST},1,423\n", "plain"),
            (f'{HEADER}{FIRST},"1",423\n', "the direction is quoted"),
            (f'"timestamp","direction","dpu_id"\n"{FIRST}","1","423"\n', "all quoted"),
            (f"\ufeff{HEADER}{FIRST},1,423\n", "a byte order mark"),
            (f'\ufeff"timestamp",direction,dpu_id\n{FIRST},1,423\n', "and a quote"),
            (f"{HEADER}{FIRST},1,423", "no end of the last line"),
            (f"{HEADER}{FIRST},1,423\r\n\r\n", "a blank line at the end"),
            (f"Timestamp, Direction, DPU_ID\n{FIRST}, 1, 423\n", "spaces, capitals"),
            (f'{HEADER}{FIRST}, "1", "423"\n', "spaces before quotes"),
            (f"timestamp,direction,sensor\n{FIRST},1,423\n", "sensor, as in JSON"),
            (f"a,timestamp,b,direction,dpu_id\n,{FIRST},x,1,423\n", "more columns"),
            (f"timestamp,direction,dpu_id,seq\n{FIRST},1,423,\n", "a seq that is none"),
        ],
    )
    def test_forms(self, text, why):
        """All of these are the same file."""
        assert read(text) == [Reading("423", MOMENT, 1, None, 2)], why

    @pytest.mark.parametrize(
        "names", list(permutations(("timestamp", "direction", "dpu_id", "seq")))
    )
    def test_order(self, names):
        """Columns may be in any order."""
        values = {**EVENT, "seq": 9}
        line = ",".join(str(values[name]) for name in names)
        assert read(f"{','.join(names)}\n{line}\n") == [Reading("423", MOMENT, 1, 9, 2)]

    @pytest.mark.parametrize(
        "ending", ["\n", "\r\n", "\r"], ids=["Unix", "Windows", "old Mac"]
    )
    def test_endings(self, ending):
        """A text file may end its lines in any way."""
        text = f"{HEADER}{FIRST},1,423\n{FIRST},-1,423\n".replace("\n", ending)
        assert [each.line for each in read(text, newline=None)] == [2, 3]

    def test_bytes(self):
        """A binary file is read as UTF-8."""
        file = io.BytesIO(f"\ufeff{HEADER}{FIRST},1,Tür\r\n".encode())
        assert list(read_csv(file)) == [Reading("Tür", MOMENT, 1, None, 2)]

    def test_lines(self):
        """Any lines will do."""
        assert list(read_csv(iter([HEADER.strip(), f"{FIRST},1,423"]))) == [
            Reading("423", MOMENT, 1, None, 2)
        ]

    @pytest.mark.parametrize(
        ("line", "said", "why"),
        [
            (f"{FIRST},1", "3 values, as the header, not 2", "too short"),
            (f"{FIRST},1,423,", "3 values, as the header, not 4", "too long"),
            ("2018-02-24T08:45:21,893Z,1,423", "not 4", "a decimal comma"),
            (f"{FIRST};1;423", "not 1", "semicolons"),
            (",,", "it is missing", "no values"),
            (f"{FIRST},0,423", "not '0'", "no direction"),
            (f"{FIRST},1,4\x0023", "NUL", "NUL"),
            (f'{FIRST},1,"423', "not CSV", "a quote that is not closed"),
            (f'"{FIRST}"x,1,423', "not CSV", "what follows a quote"),
            (f"{FIRST},1,423\r{FIRST},1,423", "not CSV", "a line end within"),
            (f"{FIRST},1,{'x' * 200_000}", "not CSV", "a value without end"),
            (f"{FIRST},1,{'x' * 129}", "(129 characters)", "a long code"),
        ],
    )
    def test_wrong_row(self, line, said, why):
        """It is told with its line, and costs no other row."""
        good = f"{FIRST},1,423\n"
        lines = [HEADER, good, "\n", f"{line}\n", good]
        before, wrong, after = read_csv(lines)
        assert isinstance(wrong, Unreadable), why
        assert said in wrong.reason, why
        assert [before.line, wrong.line, after.line] == [2, 4, 5]

    @pytest.mark.parametrize(
        ("data", "line", "said"),
        [
            pytest.param("", 1, "no column timestamp", id="empty"),
            pytest.param("\n \n", 1, "no column timestamp", id="blank"),
            pytest.param("\ufeff", 1, "timestamp", id="byte order mark"),
            pytest.param(f"{FIRST},1,423", 1, "column timestamp", id="no header"),
            pytest.param("timestamp,dpu_id", 1, "column direction", id="missing"),
            pytest.param("timestamp;direction", 1, "timestamp;dir", id="semicolons"),
            pytest.param(
                f"seq,seq,{HEADER}", 1, "more than one column seq", id="seq twice"
            ),
            pytest.param(f"sensor,{HEADER}", 1, "column dpu_id", id="two sensors"),
            pytest.param(f"\n{HEADER[:-1]},direction", 2, "direction", id="line 2"),
            pytest.param(f'"{HEADER}', 1, "unexpected end", id="open quote"),
            pytest.param(f"{HEADER}".encode("utf-16"), 1, "UTF-8", id="UTF-16"),
            pytest.param(b"timestamp,\xe4", 1, "UTF-8", id="Latin-1"),
        ],
    )
    def test_wrong_header(self, data, line, said):
        """It is told at once, before a row is read."""
        file = io.BytesIO(data) if isinstance(data, bytes) else io.StringIO(data)
        with pytest.raises(UnreadableFile, match=said) as caught:
            read_csv(file)
        assert caught.value.line == line
        assert str(caught.value).startswith("This is no file of readings: ")
        assert isinstance(caught.value, LibresError)

    @pytest.mark.parametrize("wrapped", [False, True], ids=["binary", "text"])
    def test_wrong_encoding(self, wrapped):
        """Bytes that are not UTF-8 end the reading: what follows would be a guess."""
        file = io.BytesIO(f"{HEADER}{FIRST},1,423\n".encode() + b"\xff\n")
        stream = io.TextIOWrapper(file, "utf-8") if wrapped else file
        with pytest.raises(UnreadableFile, match="not UTF-8") as caught:
            list(read_csv(stream))
        assert caught.value.line == (1 if wrapped else 3)

    @pytest.mark.parametrize("text", [HEADER, HEADER.encode()])
    def test_text_itself(self, text):
        """The text of a file is none: its letters are no lines."""
        with pytest.raises(Misuse, match="its lines"):
            read_csv(text)

    def test_streaming(self):
        """No line is read before it is needed."""
        asked = []

        def lines():
            for number in range(1_000_000_000):
                asked.append(number)
                yield f"{FIRST},1,{number}\n" if number else HEADER

        rows = read_csv(lines())
        assert asked == [0]
        assert next(rows).sensor == "1"
        assert asked == [0, 1]

    @steady
    @given(
        st.lists(
            st.tuples(
                st.datetimes(
                    datetime(1970, 1, 2),  # noqa: DTZ001 - the zone comes from below
                    datetime(9998, 12, 30),  # noqa: DTZ001
                    timezones=st.timezones(),
                ),
                st.sampled_from([1, -1]),
                st.text(
                    st.characters(exclude_categories=["C", "Z"]),
                    min_size=1,
                    max_size=20,
                ),
                st.none() | st.integers(0, 2**63 - 1),
            )
        ),
        st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    )
    def test_what_is_written_is_read(self, rows, quoting):
        """What csv writes comes back, in its order."""
        file = io.StringIO(newline="")
        writer = csv.writer(file, quoting=quoting)
        writer.writerow(("timestamp", "direction", "dpu_id", "seq"))
        for moment, *values in rows:
            writer.writerow((moment.isoformat(), *values))
        file.seek(0)
        assert list(read_csv(file)) == [
            Reading(sensor, moment.astimezone(UTC), direction, seq, line)
            for line, (moment, direction, sensor, seq) in enumerate(rows, 2)
        ]

    @steady
    @given(st.text())
    def test_any_text(self, text):
        """Whatever follows the header, each row has an answer or is blank."""
        lines = [HEADER, *text.splitlines(keepends=True)]
        assert all(isinstance(each, Unreadable) for each in read_csv(lines))
