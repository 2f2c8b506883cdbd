"""`libres occupancy` from the outside."""

from __future__ import annotations

import json
from io import BytesIO
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from libres import occupancy
from libres.cli import main
from libres.cli.occupancy_loading import Lines, progress
from libres.db import new_scheduler
from tests.occupancy.conftest import SAMPLE, at, event, furnished

HEADER = "timestamp,direction,dpu_id\n"
GOOD = "2018-02-24T10:00:00.000Z,1,283\n"
HALF_PAST = "2018-02-24T09:30Z"
DAY = ("--from", "2018-02-24T00:00Z", "--to", "2018-02-25T00:00Z")


@pytest.fixture
def house(context):
    """The sample floor plan and its events."""
    made = furnished(occupancy.setup(context))
    made.record(SAMPLE)
    made.session.commit()
    return made


def invoked(dsn, *arguments, context="test", **options):
    """Run a command of the group."""
    name, *rest = arguments
    line = ["occupancy", name, "--dsn", dsn, "--context", context, *rest]
    result = CliRunner().invoke(main, line, env={"COLUMNS": "100"}, **options)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def run(dsn):
    """Give a function that runs a command of the group."""
    return lambda *arguments, **options: invoked(dsn, *arguments, **options)


@pytest.fixture
def file(tmp_path):
    """Give a function that writes a file and returns its name."""

    def write(content):
        path = tmp_path / "events.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def words(result):
    """What a command said, on one line."""
    return " ".join(result.output.split())


def count(run, space, moment=HALF_PAST):
    """The number that is printed."""
    return int(run("count", space, "--at", moment).stdout)


class TestInit:
    def test_sample(self, empty_dsn):
        """From nothing to a count; the second time changes nothing."""
        first = invoked(empty_dsn, "init")
        assert first.exit_code == 0
        assert [line.split()[:3] for line in first.stdout.splitlines()[3:6]] == [
            ["A", "2", "building"],
            ["B", "3", "building"],
            ["building", "1", "raw"],
        ]
        assert "X A outside 283" in words(first)
        assert "423 Z +1 2018-01-01 00:00Z never" in words(first)
        assert invoked(empty_dsn, "init").stdout == first.stdout
        stream = invoked(empty_dsn, "load", "-", input=HEADER + GOOD)
        assert stream.stdout.startswith("Read 1: inserted 1")
        counted = invoked(empty_dsn, "count", "A", "--at", "2018-02-24T10:00Z")
        assert counted.stdout == "1\n"

    def test_moved(self, house, run):
        """What was changed since is not changed back."""
        house.add_space("A", timezone="UTC", parent="building", capacity=7)
        house.unassign("423", at("09:00"))
        house.session.commit()
        assert run("init").exit_code == 0
        assert house.space("A").capacity == 7
        assert "423 never" not in words(run("sensors"))
        assert words(run("sensors")).endswith("423 2018-02-24 08:45Z")

    def test_empty(self, empty_dsn):
        """Only the tables."""
        assert invoked(empty_dsn, "init", "--empty").output == "Occupancy is set up.\n"
        assert "A" not in invoked(empty_dsn, "spaces").output

    def test_without(self, empty_dsn):
        """Before that, it is said what to do."""
        result = invoked(empty_dsn, "count", "A")
        assert result.exit_code == 1
        assert "tables of occupancy are missing" in words(result)
        assert "libres occupancy init" in words(result)

    def test_other_context(self, house, run):
        """Another context has spaces of its own."""
        assert run("count", "A", context="other").exit_code == 1


class TestLoad:
    def test_twice(self, house, run, file):
        """A file that is loaded again inserts nothing."""
        name = file(HEADER + GOOD)
        said = "Read 1: inserted {}, duplicates {}, unknown 0, invalid 0.\n"
        assert run("load", name).output == said.format(1, 0)
        assert run("load", name).output == said.format(0, 1)
        assert count(run, "A", "2018-02-24T10:00Z") == 3

    REFUSED = HEADER + GOOD + "then,1,283\n2018-02-24T10:01:00Z,1,999\n"

    def test_refused(self, house, run, file):
        """Wrong rows are named; the others are recorded."""
        result = run("load", file(self.REFUSED))
        assert result.exit_code == 1
        first, *others = result.stdout.splitlines()
        assert first == "Read 3: inserted 1, duplicates 0, unknown 1, invalid 1."
        assert others[0].startswith("line 3: The timestamp is a time")
        assert others[1] == "line 4: There is no sensor '999': add it first."

    @pytest.mark.parametrize("is_piped", [False, True])
    def test_atomic(self, house, run, file, is_piped):
        """All or nothing, from a file or a pipe."""

        def load(content):
            if is_piped:
                return run("load", "-", "--atomic", input=content)
            return run("load", file(content), "--atomic")

        result = load(self.REFUSED)
        assert result.exit_code == 1
        assert "inserted 0" in result.stdout
        assert "Nothing is recorded" in result.stdout
        assert count(run, "A", "2018-02-24T10:00Z") == 2
        assert load(HEADER + GOOD).exit_code == 0
        assert count(run, "A", "2018-02-24T10:00Z") == 3

    def test_many_refused(self, house, run, file):
        """Twenty are listed, the others counted."""
        lines = run("load", file(HEADER + "x,1,2\n" * 27)).stdout.splitlines()
        assert len(lines) == 22
        assert lines[-1] == "… and 7 more."

    def test_left_out(self, house, run, file):
        """What is stored but not counted is told."""
        rows = "2017-01-01T00:00:00Z,1,283\n2500-01-01T00:00:00Z,1,283\n"
        result = run("load", file(HEADER + rows))
        assert result.exit_code == 0
        assert "not counted: quarantined 1, unassigned 1." in result.stdout

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            pytest.param("", "no column timestamp", id="empty"),
            pytest.param("time,dir\n", "no column timestamp", id="header"),
            pytest.param(b"\xff\xfe\n", "not UTF-8", id="not text"),
        ],
    )
    def test_no_csv(self, house, run, file, content, says):
        """What is no file of events is refused."""
        result = run("load", file(content))
        assert result.exit_code == 1
        assert says in words(result)
        assert "records nothing twice" not in words(result)

    def test_interrupted(self, house, run, file):
        """It is said what became of the rows before a broken line."""
        rows = [f"2018-02-25T00:00:00.{n:04}Z,1,283\n" for n in range(5000)]
        content = (HEADER + "".join(rows)).encode() + b"\xff\n"
        result = run("load", file(content))
        assert "line: 5002" in words(result)
        assert "records nothing twice" in words(result)
        assert count(run, "A", "2018-02-25T01:00Z") == 5002

    def test_unreadable(self, house, run, tmp_path):
        """What is no file at all is refused before anything is done."""
        assert run("load", str(tmp_path / "none.csv")).exit_code == 2
        assert run("load", str(tmp_path)).exit_code == 2

    def test_again(self):
        """What is read again begins where it began before; size and length are told."""
        stream = BytesIO(b"skipped\none\ntwo\n")
        stream.readline()
        lines = Lines(stream)
        assert lines.size == 8
        assert list(lines) == list(lines) == [b"one\n", b"two\n"]
        assert lines.length == 8

    def test_progress(self, monkeypatch, capsys):
        """A terminal shows rows and bytes."""
        monkeypatch.setenv("FORCE_COLOR", "1")
        with progress(4096) as tell:
            tell(2000, 4096)
        said = capsys.readouterr()
        assert "2,000 rows" in said.err
        assert "4.1/4.1 kB" in said.err
        assert said.out == ""


class TestCount:
    def test_keys(self, house, run):
        """A space is given by name, number or id; a name comes first."""
        space = house.space("A")
        for key in ("A", str(space.number), str(space.id)):
            assert count(run, key) == 2
        house.add_space(str(space.number), timezone="UTC")
        house.session.commit()
        assert count(run, str(space.number)) == 0

    def test_policy(self, house, run):
        """As its policy says, or another one."""
        assert count(run, "B") == -1
        floor = run("count", "B", "--at", HALF_PAST, "--policy", "floor")
        assert floor.stdout == "0\n"

    def test_stale(self, house, run):
        """That nobody knows is told beside the number."""
        known = run("count", "A", "--at", "2018-02-24T09:00:10Z")
        assert (known.stdout, known.stderr) == ("2\n", "")
        unknown = run("count", "A", "--at", "2018-02-24T19:00Z")
        assert unknown.stdout == "2\n"
        assert unknown.stderr.startswith("Nobody knows: a sensor of A")

    def test_json(self, house, run):
        """For programs."""
        told = json.loads(run("count", "A", "--at", HALF_PAST, "--json").stdout)
        space = house.space("A")
        assert told == {
            "space_id": str(space.id),
            "number": space.number,
            "name": "A",
            "ts": "2018-02-24T09:30:00+00:00",
            "count": 2,
            "stale": True,
            "drift_hint": None,
        }

    def test_now(self, house, run):
        """By default now."""
        assert run("count", "A").stdout == "2\n"


class TestChanging:
    def test_calibrate(self, house, run):
        """O7: from then on it is what was told, and the drift is printed."""
        asked = ("calibrate", "A", "5", "--at", "2018-02-24T09:07Z", "--note", "seen")
        result = run(*asked)
        assert result.output.splitlines() == [
            "A is 5 since 2018-02-24T09:07:00+00:00.",
            "The count was 2 too few, after about 4 passages.",
        ]
        assert count(run, "A") == 4
        right = run("calibrate", "A", "4", "--at", HALF_PAST).output
        assert right.endswith("That is what had been counted.\n")
        many = run("calibrate", "A", "1", "--at", "2018-02-24T09:31Z").output
        assert "3 too many" in many

    def test_assign(self, house, run):
        """O10: a sensor is moved, and what it told since is counted elsewhere."""
        house.add_doorway("Y", "B", None)
        house.session.commit()
        asked = ("283", "Y", "--sign", "+1", "--since", "2018-02-24T09:06Z")
        said = "283 hangs above Y since 2018-02-24T09:06:00+00:00, sign +1.\n"
        assert run("assign", *asked).output == said
        assert (count(run, "A"), count(run, "B")) == (3, -2)
        assert "Y B outside 283" in words(run("doorways"))

    def test_sign(self, house, run):
        """The other way round; until it is known to hang elsewhere."""
        asked = ("283", "X", "--sign", "-1", "--since", "2017-12-01T00:00Z")
        until = "until 2018-01-01T00:00:00+00:00, sign -1."
        assert words(run("assign", *asked)).endswith(until)

    def test_unassign(self, house, run):
        """It is taken down once."""
        asked = ("unassign", "283", "--at", "2018-02-24T09:06Z")
        assert run(*asked).output.startswith("283 hangs nowhere since 2018-02-24T09:06")
        assert count(run, "A") == 3
        again = run(*asked)
        assert again.exit_code == 0
        assert again.output.startswith("Nothing to do")

    def test_resets(self, house, run):
        """What is empty by its schedule is set to zero, once."""
        house.schedule_reset("A", at("00:00").time())
        house.session.commit()
        assert run("resets").output == "Reset 1.\n"
        assert run("resets").output == "Reset 0.\n"
        assert run("count", "A").stdout == "0\n"


class TestProving:
    def test_verify(self, house, run):
        """A difference is told, and mended by counting anew."""
        assert run("verify").output == "All is well.\n"
        house.session.execute(
            text("DELETE FROM occ_tallies WHERE level = 'hour' AND ins = 2")
        )
        house.session.commit()
        found = run("verify")
        assert found.exit_code == 1
        assert "missing: A, hour of 2018-02-24T09:00:00+00:00" in found.stdout
        assert "libres occupancy rebuild" in found.stderr
        assert run("verify", "B").exit_code == 0
        assert run("rebuild", "A").output == "Counted 2 hours anew.\n"
        assert run("verify", "A").exit_code == 0
        assert run("verify").exit_code == 1
        assert run("rebuild").output == "Counted 4 hours anew.\n"
        assert run("verify").exit_code == 0

    def test_health(self, house, run):
        """What is wrong is told; the exit status says so."""
        house.add_space("A", timezone="UTC", parent="building", capacity=1)
        house.record([event("283", "09:00", 1) | {"timestamp": "2500-01-01T00:00Z"}])
        house.session.commit()
        result = run("health")
        assert result.exit_code == 1
        assert "silent: sensor 283 has not been heard since 2018" in result.stdout
        assert "impossible: A counts 2, above 1" in result.stdout
        assert "impossible: B counts -1, below zero" in result.stdout
        assert "1 are quarantined and 0 unassigned" in words(result)

    def test_well(self, run):
        """A context without sensors is well."""
        assert run("init", "--empty").exit_code == 0
        assert run("health").output == "All is well.\n"


@pytest.fixture
def reserved(house, context):
    """A is reserved from 9 to 10, approved, and pending later; two places at 12."""
    room = new_scheduler(context, "room", "UTC")
    room.allocate([(at("08:00"), at("20:00"))], quota=3, partly_available=True)
    allocated = [(at("08:00", 25), at("09:00", 25)), (at("10:00", 25), at("11:00", 25))]
    room.allocate(allocated, grouped=True)
    room.book("ada@example.org", (at("09:00"), at("10:00")))
    room.book("bob@example.org", (at("12:00"), at("13:00")), quota=2)
    room.reserve("eve@example.org", (at("15:00"), at("16:00")))
    group = room.managed_allocations().filter_by(partly_available=False).first().group
    room.approve_reservations(room.reserve("group@example.org", group=group))
    house.add_space("A", timezone="UTC", parent="building", resource="room", capacity=2)
    house.session.commit()
    return room


class TestReport:
    def test_terminal(self, house, run):
        """Counts are drawn here."""
        drawn = run("report", "A", *DAY).output
        assert "A, Sat 24 Feb 2018 (UTC)" in drawn
        assert "Highest count: 3, 09:00 to 09:15." in drawn
        assert "Unknown, no sensor heard: " in drawn

    def test_reservations(self, reserved, run):
        """What is reserved is named by its token, and only what is approved."""
        drawn = run("report", "A", *DAY).output
        assert "Capacity: 2" in drawn
        assert "▐" in drawn
        assert "example.org" not in drawn

    @pytest.mark.parametrize("emails", [False, True])
    def test_labels(self, reserved, run, tmp_path, emails):
        """Persons are named only if that is asked for; the members of a group, too."""
        file = tmp_path / "day.svg"
        time = ("--from", "2018-02-24T00:00Z", "--to", "2018-02-26T00:00Z")
        options = ("--svg", str(file), *(["--emails"] if emails else []))
        assert run("report", "A", *time, *options).output == f"Drawn: {file}\n"
        told = ET.parse(file).getroot().find("{*}desc").text  # noqa: S314 - our own
        labels = {
            each.email: each.email if emails else str(each.token)[:8]
            for each in reserved.managed_reservations()
        }
        ada, bob, eve, group = (
            labels[f"{name}@example.org"] for name in ("ada", "bob", "eve", "group")
        )
        assert f"{ada} Sat 24 09:00 to Sat 24 10:00;" in told
        assert f"{bob}, 2 places Sat 24 12:00 to Sat 24 13:00;" in told
        assert f"{group} Sun 25 08:00 to Sun 25 09:00;" in told
        assert f"{group} Sun 25 10:00 to Sun 25 11:00." in told
        assert eve not in told
        assert ("example.org" in told) is emails

    def test_step(self, house, run):
        """Steps may be longer, and have to be for a long time."""
        month = ("--from", "2018-02-01T00:00Z", "--to", "2018-03-01T00:00Z")
        assert "make --step 21 or more" in words(run("report", "A", *month))
        assert run("report", "A", *month, "--step", "21").exit_code == 0

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            pytest.param(
                ("A", "--from", HALF_PAST, "--to", HALF_PAST),
                "does not lie after the start",
                id="no time",
            ),
            pytest.param(
                (*("A", "--step", "1440"), *DAY[:2], "--to", "2018-05-01T00:00Z"),
                "A month is the longest",
                id="too long",
            ),
            pytest.param(
                ("A", *DAY, "--svg", "/nowhere/day.svg"),
                "cannot be written",
                id="no folder",
            ),
            pytest.param(("A", *DAY, "--step", "0"), "--step", id="no step"),
        ],
    )
    def test_bad(self, house, run, arguments, says):
        """What cannot be drawn is refused in words."""
        result = run("report", *arguments)
        assert result.exit_code != 0
        assert says in words(result)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("count", "C"), "no space 'C'", id="space"),
        pytest.param(("count", "9" * 30), "no space '999", id="large number"),
        pytest.param(("count", "A", "--at", "noon"), "not a time", id="moment"),
        pytest.param(
            ("count", "A", "--at", "2018-02-24T09:30"), "with an offset", id="naive"
        ),
        pytest.param(
            ("count", "A", "--at", "1950-02-24T09:30Z"), "1970 to 9998", id="too early"
        ),
        pytest.param(("count", "A", "--policy", "x"), "'saturate'", id="policy"),
        pytest.param(("calibrate", "A", "few"), "not a valid integer", id="value"),
        pytest.param(
            ("calibrate", "A", "9999999999"), "a whole number from 0 to", id="many"
        ),
        pytest.param(
            ("assign", "283", "Y", "--sign", "1", "--since", HALF_PAST),
            "no doorway 'Y' in the context 'test': libres occupancy doorways",
            id="doorway",
        ),
        pytest.param(
            ("assign", "5", "X", "--sign", "1", "--since", HALF_PAST),
            "no sensor '5' in the context 'test': libres occupancy sensors",
            id="sensor",
        ),
        pytest.param(
            ("assign", "283", "X", "--sign", "0", "--since", HALF_PAST),
            "is not one of",
            id="sign",
        ),
        pytest.param(
            ("assign", "423", "X", "--sign", "1", "--since", HALF_PAST),
            "unassign it first",
            id="two sensors",
        ),
        pytest.param(("unassign", "5"), "no sensor '5'", id="unassigned"),
        pytest.param(("verify", "C"), "no space 'C'", id="verify"),
        pytest.param(("rebuild", "C"), "no space 'C'", id="rebuild"),
    ],
)
@pytest.mark.usefixtures("house")
def test_bad_input(run, arguments, says):
    """What makes no sense is refused in words that say what to do."""
    result = run(*arguments)
    assert result.exit_code != 0
    assert says in words(result)
