"""Counts the steps of one operation: ``python -m benchmarks.steps [--json] [--peers]``.

What is counted, inside the server's process and for one operation of one client:

- calls: 'call' events of `sys.setprofile` on all threads, so each time a Python function is
  entered. A coroutine that resumes after a wait is entered anew, and so are all that await it;
  a comprehension is a function in Python 3.11. Functions in C are not counted. The budget is on
  all of them, Twisted's included; "own" are those of the server's package alone (``ftpservice``,
  ``pyftpdlib``); what dataclasses generate counts where the class is written.
- files: source files that were entered, of the package and of all.
- crossings: calls into a function of the package from a function in another file; rooms: from a
  function in another folder of the package. The caller is the next Python frame.
- system calls, by ``strace`` on a second server without the recorder; ``futex`` stands apart, for
  how often threads meet at Python's lock is chance. Without strace both columns stay empty.

A measurement from outside, of an older tree, counted 452 calls with 273 crossings in 57 files for a
STOR and about 300 calls for a RETR. When this was written they were 479 (449 without what
dataclasses generate) with 289 crossings, and 302 (288), counting own calls; 728 and 421 counting
all. So "calls" there fits own calls of this service. For pyftpdlib it counted 192 calls, 79
crossings and 9 files; here they are 128, 65 and 9, and 246 calls in all: only the files agree; the
reason is unknown.

``client-download`` and ``client-upload`` are 2,048 bytes moved by ``ftpservice_client``, counted
inside the client's process; "own" is ``ftpservice_client`` there, "shared" what it uses of
``ftpservice``.

Each operation is done three times before it is counted, then five times: a number is the median,
and in ``--json`` the "least" stands beside it, and the range of those that vary.

The client of the servers is a blocking socket in this process. After each step it waits until all
threads of the server sleep, so that nothing depends on what arrives together. The server's clock
stands still; at the end it advances by a tenth of a second, and what is due by then belongs to the
operation. Other things that are fixed: the hash seed, no garbage collector, data and FIN of an
upload in one segment, TLS 1.3, sessions resumed.

``--trace OPERATION`` prints the calls in order, and the system calls; ``--by-file`` the calls of
each file.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from benchmarks.certificate import make_certificate
from benchmarks.jobs import Profile
from benchmarks.processes import family
from benchmarks.servers.in_python import ours, pyftpdlib
from benchmarks.servers.recipe import PASSWORD, USER, Place
from benchmarks.steps_counter import settle

__all__ = ["OPERATIONS", "Operation", "main", "measured"]

HERE = Path(__file__).parent
CHECKOUT = HERE.parent
COUNTER = HERE / "steps_counter.py"
MEMORY = Path("/dev/shm")
WARM, RUNS = 3, 5
PATIENCE = 30.0
MOMENT = 0.002
CONTENT = bytes(range(256)) * 16
STANDARD = sysconfig.get_paths()["stdlib"]
LISTENING = "0A"
SERVERS = {"ours": ours, "pyftpdlib": pyftpdlib}
CLIENT = "client"
STARTED = re.compile(r"^(\d+) +(\d+\.\d+) (\w+)\(")


class Server:
    """A server in a process of its own, with the recorder or under strace; use it in ``with``."""

    def __init__(self, name: str, work: Path, secured: bool, traced: bool) -> None:
        self.secured = secured
        self.spins = secured and name == "pyftpdlib"
        """Whether it never sleeps between a 150 and the handshake: its event loop turns then."""
        self._orders, self._answers = os.pipe(), os.pipe()
        self._heard = os.fdopen(self._answers[0], encoding="utf-8")
        self._strace = work / "strace" if traced else None
        self._log = work / "log"
        before = self._before()
        start = _recipe(name, work, secured)
        program, *words = map(str, start.command)
        if program == sys.executable:
            program, *words = words
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*before, program, *words],
                cwd=work,
                env=_environment() | dict(start.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(self._orders[0], self._answers[1]),
            )

    def _before(self) -> list[str]:
        pipes = str(self._orders[0]), str(self._answers[1])
        if self._strace is None:
            return [sys.executable, str(COUNTER), "calls", *pipes]
        strace = ("strace", "-f", "-ttt", "-o", str(self._strace))
        return [*strace, sys.executable, str(COUNTER), "silent", *pipes]

    def __enter__(self) -> Server:
        try:
            self._listening()
            self.settle()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        for number in reversed(family(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self._process.wait()
        self._heard.close()
        for number in (*self._orders, self._answers[1]):
            os.close(number)

    def _listening(self) -> None:
        """Wait for the one port; the process that has it is the server."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            for number in family(self._process.pid):
                if port := _port(number):
                    self.pid, self.port = number, port
                    return
            time.sleep(MOMENT * 10)
        raise RuntimeError(f"it does not start: {self._log.read_text(errors='replace')}")

    def settle(self) -> None:
        """Wait until all its threads sleep, twice in a row and none ran in between."""
        settle(self.pid)

    def recorded(self, act: Callable[[], object]) -> Run:
        """Do something, and return what the server did meanwhile and shortly after."""
        self.settle()
        self._order("rest")
        obeying = self._order("go")
        began = time.time()
        act()
        self.settle()
        ended = time.time()
        self._order("tail")
        if self._strace is None:
            return Run(self._order("stop"), [])
        until = time.time()
        has_run = self._order("stop")
        lines = _system_calls(self._strace, obeying, began, until if has_run else ended)
        woken = [line for line in lines if float(line.split()[1]) > ended and " read(" in line]
        return Run([], [line for line in lines if line not in woken[:1]])

    def _order(self, order: str) -> Any:
        """Send an order to the recorder, wait until all threads sleep, and return its answer."""
        os.write(self._orders[1], order.encode() + b"\n")
        answer = json.loads(self._heard.readline())
        self.settle()
        return answer


@dataclass(frozen=True)
class Run:
    """What happened in one run: calls as the recorder tells them, lines of strace."""

    calls: list[list[Any]]
    system: list[str]


def _recipe(name: str, work: Path, secured: bool) -> Any:
    root, certificate = work / "root", work / "certificate.pem"
    (root / "ten").mkdir(parents=True)
    for path in (root / "small", *(root / "ten" / f"name{number}" for number in range(10))):
        path.write_bytes(CONTENT)
    (root / "two").write_bytes(CONTENT[:2048])
    if secured:
        make_certificate(certificate)
    password = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    place = Place(0, root, work, password, work, None, certificate if secured else None)
    peer = SERVERS[name](name)
    start = peer.recipe(Profile.TLS if secured else Profile.PLAIN, place) if peer else None
    if start is None:
        raise RuntimeError(f"{name} is not installed")
    accounts = work / "passwd.db"
    if accounts.exists():  # one that has just changed is read again at each login
        os.utime(accounts, (0, 0))
    return start


def _environment() -> dict[str, str]:
    paths = os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "client")])
    return os.environ | {"PYTHONPATH": paths, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def _port(pid: int) -> int:
    """Return the port on which a process listens; 0 for none."""
    held = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                held.add(str(descriptor.readlink()))
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == LISTENING and f"socket:[{fields[9]}]" in held:
            return int(fields[1].rpartition(":")[2], 16)
    return 0


def _system_calls(path: Path, without: int, began: float, ended: float) -> list[str]:
    """Return the lines that begin a system call in a stretch of time, but for one thread's."""
    lines = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        match = STARTED.match(line)
        if match and int(match[1]) != without and began <= float(match[2]) <= ended:
            lines.append(line)
    return lines


class Session:
    """A blocking client over one control connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._control: socket.socket | None = None
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._read = b""

    def open(self) -> None:
        """Connect and hear the greeting."""
        self._control = self._connected(self._server.port)
        self._reply(220)
        self._server.settle()

    def close(self) -> None:
        """Leave, without a word."""
        if self._control is not None:
            self._control.close()

    def secure(self) -> None:
        """AUTH TLS, PBSZ and PROT."""
        self.say("AUTH TLS", 234)
        self._control = self._secured(self.control, None)
        self.say("PBSZ 0", 200)
        self.say("PROT P", 200)

    def login(self) -> None:
        """USER and PASS."""
        self.say(f"USER {USER}", 331)
        self.say(f"PASS {PASSWORD}", 230)

    @property
    def control(self) -> socket.socket:
        """The connection."""
        if self._control is None:
            raise RuntimeError("not connected")
        return self._control

    def say(self, line: str, *codes: int) -> str:
        """Send a command; return the reply once the threads of the server sleep."""
        self.control.sendall(line.encode() + b"\r\n")
        reply = self._reply(*codes)
        self._server.settle()
        return reply

    def _reply(self, *codes: int) -> str:
        while not (match := re.search(rb"^(\d{3}) .*\r\n", self._read, re.MULTILINE)):
            data = self.control.recv(4096)
            if not data:
                raise RuntimeError("the server closed the connection")
            self._read += data
        text, self._read = self._read[: match.end()], self._read[match.end() :]
        if int(match[1]) not in codes:
            raise RuntimeError(f"unexpected reply {text!r}")
        return text.decode()

    def _connected(self, port: int) -> socket.socket:
        end = socket.create_connection(("127.0.0.1", port), PATIENCE)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server.settle()
        return end

    def transfer(self, command: str, content: bytes | None) -> bytes:
        """Do one over a passive port, up with ``content``; return what came down."""
        numbers = re.findall(r"\d+", self.say("PASV", 227))
        data = self._connected(int(numbers[-2]) * 256 + int(numbers[-1]))
        with data:
            self.control.sendall(command.encode() + b"\r\n")
            self._reply(125, 150)
            if not self._server.spins:
                self._server.settle()
            if self._server.secured:
                data = self._resumed(data)
            received = b""
            if content is None:
                while piece := data.recv(65536):
                    received += piece
                self._server.settle()
            else:
                _send(data, content)
            _leave(data)
        self._reply(226)
        self._server.settle()
        return received

    def _resumed(self, data: socket.socket) -> ssl.SSLSocket:
        control = self.control
        session = control.session if isinstance(control, ssl.SSLSocket) else None
        end = self._secured(data, session)
        if not end.session_reused:
            raise RuntimeError("the TLS session was not resumed")
        return end

    def _secured(self, plain: socket.socket, session: ssl.SSLSession | None) -> ssl.SSLSocket:
        """Shake hands; wait before each answer until the threads of the server sleep."""
        end = self._context.wrap_socket(plain, session=session, do_handshake_on_connect=False)
        end.setblocking(False)
        while True:
            try:
                end.do_handshake()
                break
            except ssl.SSLWantReadError:
                if not self._server.spins:
                    self._server.settle()
                select.select([end], [], [], PATIENCE)
        end.settimeout(PATIENCE)
        self._server.settle()
        return end


def _send(data: socket.socket, content: bytes) -> None:
    """Send all, close_notify and FIN in one segment, and wait for the server's FIN."""
    data.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    data.sendall(content)
    if isinstance(data, ssl.SSLSocket):
        data.setblocking(False)
        with contextlib.suppress(ssl.SSLWantReadError):
            data.unwrap()
        data.settimeout(PATIENCE)
    data.shutdown(socket.SHUT_WR)
    while data.recv(65536):
        continue


def _leave(data: socket.socket) -> None:
    """Close, with a close_notify where the server said its own."""
    if isinstance(data, ssl.SSLSocket):
        data.setblocking(False)
        with contextlib.suppress(OSError, ValueError):
            data.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # FIN comes along
            data.unwrap()
    data.close()


@dataclass(frozen=True)
class Operation:
    """What is counted: ``act`` with a session and the number of the run."""

    name: str
    act: Callable[[Session, int], object]
    before: tuple[Callable[[Session], None], ...] | None = None
    """What comes first with a session of its own for each run; None: one logged in, for all."""
    secured: bool = False


def _connect(session: Session, _: int) -> None:
    session.open()


def _secure(session: Session, _: int) -> None:
    session.secure()


def _login(session: Session, _: int) -> None:
    session.login()


def _retrieve(session: Session, _: int) -> None:
    if session.transfer("RETR small", None) != CONTENT:
        raise RuntimeError("something else was received")


def _store(session: Session, run: int) -> None:
    session.transfer(f"STOR new-{run:02d}", CONTENT)


def _store_over(session: Session, _: int) -> None:
    session.transfer("STOR there", CONTENT)


def _list(session: Session, _: int) -> None:
    if session.transfer("MLSD ten", None).count(b"name") != 10:
        raise RuntimeError("not ten names")


def _nothing(session: Session, _: int) -> None:
    session.say("NOOP", 200)


COMMON = {
    "retr": _retrieve,
    "stor": _store,
    "stor-over": _store_over,
    "mlsd": _list,
    "noop": _nothing,
}
OPERATIONS = (
    Operation("connect", _connect, ()),
    Operation("login", _login, (Session.open,)),
    *(Operation(name, act) for name, act in COMMON.items()),
    Operation("tls-auth", _secure, (Session.open,), True),
    Operation("tls-login", _login, (Session.open, Session.secure), True),
    *(Operation(f"tls-{name}", act, secured=True) for name, act in COMMON.items()),
)
CLIENT_OPERATIONS = ("client-download", "client-upload")


def runs_of(server: Server, operation: Operation) -> list[Run]:
    """Do an operation until it is warm, and then so often as it counts."""
    before = operation.before
    steps = (*_opening(server), Session.login, _binary) if before is None else before
    runs: list[Run] = []
    with contextlib.ExitStack() as ended:
        session = _begun(server, steps, ended)
        for number in range(WARM + RUNS):
            runs.append(server.recorded(functools.partial(operation.act, session, number)))
            if before is not None:
                session = _begun(server, steps, ended)
    return runs[WARM:]


def _begun(
    server: Server, steps: tuple[Callable[[Session], None], ...], ended: contextlib.ExitStack
) -> Session:
    session = Session(server)
    ended.callback(session.close)
    for step in steps:
        step(session)
    return session


def _opening(server: Server) -> tuple[Callable[[Session], None], ...]:
    return (Session.open, Session.secure) if server.secured else (Session.open,)


def _binary(session: Session) -> None:
    session.say("TYPE I", 200)


@dataclass
class Steps:
    """The numbers of one operation of one server."""

    runs: list[Run] = field(default_factory=list)
    system: list[Run] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    least: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)

    def typical(self) -> list[list[Any]]:
        """Return the calls of a run with the median number of them."""
        return sorted((run.calls for run in self.runs), key=len)[len(self.runs) // 2]

    def typical_system(self) -> list[str]:
        """Return the system calls of a run with the median number of them."""
        return sorted((run.system for run in self.system), key=len)[len(self.system) // 2]

    def count(self, name: str) -> None:
        """Compute the numbers from the runs; ``name`` is the server's."""
        counted = [_counted(run.calls, name) for run in self.runs]
        for key in counted[0] if counted else ():
            self._keep(key, [numbers[key] for numbers in counted])
        if self.system:
            futex = [sum(_system_name(it) == "futex" for it in run.system) for run in self.system]
            every = [len(run.system) for run in self.system]
            self._keep("system", [a - b for a, b in zip(every, futex, strict=True)])
            self._keep("futex", futex)

    def _keep(self, key: str, values: list[int]) -> None:
        self.numbers[key] = int(statistics.median(values))
        self.least[key], self.most[key] = min(values), max(values)

    def as_json(self) -> dict[str, Any]:
        """Return it as values of JSON."""
        varying = {
            key: [self.least[key], self.most[key]]
            for key in self.numbers
            if self.least[key] != self.most[key]
        }
        system = Counter(map(_system_name, self.typical_system())) if self.system else {}
        return {
            "median": self.numbers,
            "least": self.least,
            "varying": varying,
            "system_calls": dict(system),
        }


def _system_name(line: str) -> str:
    match = STARTED.match(line)
    return match[3] if match else line


def _roots(name: str) -> dict[str, str]:
    """Return the directories that are counted separately, the package itself first."""
    packages = sysconfig.get_paths()["purelib"]
    return {
        "own": {
            "ours": f"{CHECKOUT}/ftpservice/",
            "pyftpdlib": f"{packages}/pyftpdlib/",
            CLIENT: f"{CHECKOUT}/client/ftpservice_client/",
        }[name],
        "shared": f"{CHECKOUT}/ftpservice/",
        "twisted": f"{packages}/twisted/",
        "other": f"{packages}/",
        "stdlib": f"{STANDARD}/",
        "frozen": "<frozen",
    }


def _kind(file: str, roots: dict[str, str]) -> str:
    for kind, root in roots.items():
        if file.startswith(root):
            return "stdlib" if kind == "frozen" else kind
    return "other"


def _counted(calls: list[list[Any]], name: str) -> dict[str, int]:
    roots = _roots(name)
    kinds = Counter(_kind(call[3], roots) for call in calls)
    mine = [call for call in calls if _kind(call[3], roots) in ("own", "shared")]
    files = {call[3] for call in mine if call[3].startswith(roots["own"])}
    return {
        "calls": len(calls),
        **{kind: kinds[kind] for kind in ("own", "shared", "twisted", "stdlib", "other")},
        "files": len(files),
        "all_files": len({call[3] for call in calls}),
        "crossings": sum(call[3] != call[4] for call in mine),
        "rooms": sum(_changes_room(call[3], call[4], roots) for call in mine),
    }


def _changes_room(file: str, caller: str, roots: dict[str, str]) -> bool:
    inside = _kind(caller, roots) in ("own", "shared")
    return inside and os.path.dirname(file) != os.path.dirname(caller)


Table = dict[str, dict[str, Steps]]
"""By operation, then by server."""


def measured(
    servers: tuple[str, ...], wanted: tuple[str, ...], with_system_calls: bool = True
) -> Table:
    """Count these operations, of these servers; nothing is left when it returns."""
    found: Table = {name: {} for name in wanted}
    modes = (False, True) if with_system_calls and shutil.which("strace") else (False,)
    for server, secured, traced in itertools.product(servers, (False, True), modes):
        chosen = [it for it in OPERATIONS if it.name in wanted and it.secured == secured]
        if chosen:
            _measure(found, server, chosen, traced)
    asked = [name for name in wanted if name in CLIENT_OPERATIONS]
    clients = _client_runs() if asked else {}
    for name in asked:
        found[name]["ours"] = Steps(clients[name])
    for name, row in found.items():
        for server, steps in row.items():
            steps.count(CLIENT if name in CLIENT_OPERATIONS else server)
    return found


def _measure(found: Table, name: str, chosen: list[Operation], traced: bool) -> None:
    with _place() as work, Server(name, work, chosen[0].secured, traced) as server:
        for operation in chosen:
            steps = found[operation.name].setdefault(name, Steps())
            runs = runs_of(server, operation)
            if traced:
                steps.system = runs
            else:
                steps.runs = runs


@contextlib.contextmanager
def _place() -> Iterator[Path]:
    directory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="steps-", dir=directory) as name:
        yield Path(name)


def _client_runs() -> dict[str, list[Run]]:
    """Return the runs of the client library, without the calls of the program that drives it."""
    with _place() as work, Server("ours", work, False, False) as server:
        server.recorded(lambda: None)  # from here on its clock stands still
        url = f"ftp://{USER}:{PASSWORD}@127.0.0.1:{server.port}/"
        done = subprocess.run(
            [
                sys.executable,
                str(COUNTER),
                "calls",
                "0",
                "1",
                CLIENT,
                url,
                str(WARM + RUNS),
                str(server.pid),
            ],
            cwd=work / "root",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"the client failed: {done.stderr[-2000:]}")
    runs: dict[str, list[Run]] = {}
    for line in done.stdout.splitlines():
        told = json.loads(line)
        calls = [call for call in told["calls"] if call[3] != str(COUNTER)]
        runs.setdefault(told["operation"], []).append(Run(calls, []))
    return {name: every[WARM:] for name, every in runs.items()}


COLUMNS = (
    "calls", "own", "shared", "twisted", "stdlib", "other", "files", "all_files", "crossings",
    "rooms", "system", "futex",
)  # fmt: skip


def table(found: Table, servers: tuple[str, ...]) -> str:
    """Return one line for each operation and server, with the ratio beneath where there are two."""
    lines = [("operation", "server", *COLUMNS)]
    for name, row in found.items():
        for server in servers:
            if server in row:
                numbers = row[server].numbers
                lines.append((name, server, *(str(numbers.get(key, "")) for key in COLUMNS)))
        if len(row) == 2:
            lines.append(("", "ratio", *_ratios(row["ours"].numbers, row["pyftpdlib"].numbers)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number < 2 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _ratios(ours: dict[str, int], theirs: dict[str, int]) -> Iterator[str]:
    for key in COLUMNS:
        both = ours.get(key, 0), theirs.get(key, 0)
        yield f"{both[0] / both[1]:.2f}" if all(both) else "-"


def varying(found: Table) -> str:
    """Return which numbers were not the same in all runs."""
    lines = []
    for name, row in found.items():
        for server, steps in row.items():
            told = steps.as_json()["varying"]
            if told:
                ranges = ", ".join(f"{key} {low}-{high}" for key, (low, high) in told.items())
                lines.append(f"varies: {name}, {server}: {ranges}")
    return "\n".join(lines)


def short(file: str) -> str:
    """Return a file's name as it is read: without where packages and the library are."""
    for root in (f"{CHECKOUT}/client/", sysconfig.get_paths()["purelib"] + "/", f"{CHECKOUT}/"):
        if file.startswith(root):
            return file.removeprefix(root)
    return file.replace(STANDARD + "/", "lib/")


def trace(steps: Steps) -> str:
    """Return the calls in order, threads apart, and the system calls."""
    calls = steps.typical()
    least: dict[int, int] = {}
    for thread, depth, *_ in calls:
        least[thread] = min(least.get(thread, depth), depth)
    lines = []
    for thread, depth, function, file, _ in calls:
        lines.append(f"{thread} {'  ' * (depth - least[thread])}{short(file)}:{function}")
    if steps.system:
        lines += ["", "system calls:"]
        lines += [re.sub(r"^(\d+) +\d+\.\d+ ", r"\1 ", line) for line in steps.typical_system()]
    return "\n".join(lines)


def by_file(steps: Steps) -> str:
    """Return the calls of each file, most first."""
    counts = Counter(short(call[3]) for call in steps.typical())
    return "\n".join(f"{number:5d}  {file}" for file, number in counts.most_common())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.steps", description="Counts the steps of one operation."
    )
    names = (*(it.name for it in OPERATIONS), *CLIENT_OPERATIONS)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--peers", action="store_true", help="pyftpdlib beside it, with ratios")
    parser.add_argument(
        "--operations", default=",".join(names), metavar="NAMES", help="with commas: %(default)s"
    )
    parser.add_argument("--trace", choices=names, metavar="OPERATION", help="its calls in order")
    parser.add_argument("--no-system-calls", action="store_true", help="do without strace")
    parser.add_argument("--by-file", action="store_true", help="the calls of each file")
    return parser


def main() -> None:
    """Do what the command line says."""
    parser = _parser()
    given = parser.parse_args()
    wanted = (given.trace,) if given.trace else tuple(given.operations.split(","))
    if unknown := set(wanted) - {*(it.name for it in OPERATIONS), *CLIENT_OPERATIONS}:
        parser.error(f"no operation {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    servers = ("ours", "pyftpdlib") if given.peers else ("ours",)
    found = measured(servers, wanted, not given.no_system_calls)
    if given.json:
        rows = {
            name: {server: steps.as_json() for server, steps in row.items()}
            for name, row in found.items()
        }
        print(json.dumps(rows, indent=1))
        return
    for asked, shown in ((given.trace, trace), (given.by_file, by_file)):
        for name, row in found.items() if asked else ():
            for server, steps in row.items():
                print(f"{name}, {server}:\n{shown(steps)}\n")
    print(table(found, servers))
    if not shutil.which("strace"):
        print("no strace: system calls are not counted")
    print(varying(found))


if __name__ == "__main__":
    main()
