"""A service with several worker processes, and which of them serves a session."""

from __future__ import annotations

import ftplib
import json
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from argon2.low_level import Type, hash_secret
from coverage import Coverage

from tests.support.service_process import CHECKOUT, PATIENCE, Program, checkout_environment

__all__ = [
    "ACCOUNTS",
    "CONTENT",
    "FAST_HASH",
    "LOOPBACK",
    "SERVE",
    "TWISTD",
    "ask",
    "can_log_in",
    "children",
    "is_alive",
    "kill_worker",
    "login",
    "process_of",
    "processes_in",
    "serving",
    "spread_sessions",
    "wait_for",
    "write_accounts",
]

TWISTD = str(Path(sys.executable).parent / "twistd")
SERVE = (TWISTD, "--nodaemon", "--pidfile=", "ftpservice", "--allow-root", "--workers=2")
LOOPBACK = "--listen=tcp:0:interface=127.0.0.1"
ACCOUNTS = "--auth=passwd:accounts"
FAST_HASH, OTHER_HASH, SMALL_HASH, LEAVER_HASH = (
    hash_secret(name, b"salt" * 4, 1, 8, 1, 32, Type.ID).decode()
    for name in (b"demo", b"other", b"small", b"leaver")
)
CONTENT = random.Random(1).randbytes(300_000)


def wait_for(condition: Callable[[], object], what: str = "", seconds: float = PATIENCE) -> None:
    """Wait until a condition holds, ``seconds`` at most."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, what or "it never became true"
        time.sleep(0.02)


def children(number: int) -> list[int]:
    """Return the child processes of a process, whichever of its threads has started them."""
    found: list[int] = []
    for path in Path(f"/proc/{number}/task").glob("*/children"):
        with suppress(FileNotFoundError):
            found += map(int, path.read_text().split())
    return found


def processes_in(directory: Path) -> list[int]:
    """Return the processes whose working directory this is: all of a service that runs there."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(path / "cwd") == str(directory) and is_alive(int(path.name)):
                found.append(int(path.name))
    return found


def is_alive(number: int) -> bool:
    """Return whether a process runs."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except FileNotFoundError:
        return False


def login(port: int, name: str = "demo") -> ftplib.FTP:
    """Return a session that is logged in."""
    client = ftplib.FTP()
    try:
        client.connect("127.0.0.1", port, timeout=PATIENCE)
        client.login(name, name)
    except BaseException:
        client.close()
        raise
    return client


def can_log_in(port: int) -> bool:
    """Return whether a login succeeds now."""
    try:
        login(port).close()
    except ftplib.error_temp:
        return False
    return True


def process_of(client: ftplib.FTP, running: Program) -> int:
    """Return the worker that serves a session."""
    ours = client.sock.getsockname()[1]  # type: ignore[union-attr]
    for number in children(running.process.pid):
        for line in Path(f"/proc/{number}/net/tcp").read_text().splitlines()[1:]:
            words = line.split()
            if int(words[2].rpartition(":")[2], 16) == ours and has_socket(number, words[9]):
                return number
    raise AssertionError("no worker has the session")


def has_socket(process: int, inode: str) -> bool:
    for name in os.listdir(f"/proc/{process}/fd"):
        with suppress(FileNotFoundError):
            if os.readlink(f"/proc/{process}/fd/{name}") == f"socket:[{inode}]":
                return True
    return False


def write_accounts(directory: Path) -> None:
    """Write the accounts; their passwords are their names. ``small`` has a quota of 1 MB."""
    lines = [
        f"demo:{FAST_HASH}:/:full,admin",
        f"other:{OTHER_HASH}:/:full",
        f"small:{SMALL_HASH}:/small:full:quota=1000000",
        f"leaver:{LEAVER_HASH}:/:full",
    ]
    (directory / "accounts").write_text("\n".join(lines) + "\n")


def ask(directory: Path, command: str, **words: Any) -> Any:
    """Return the answer of the control socket; raises `RuntimeError` with its error."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(PATIENCE)
        control.connect(str(directory / "var" / "control.sock"))
        control.sendall(json.dumps({"command": command, **words}).encode() + b"\n")
        with control.makefile() as lines:
            answer = json.loads(lines.readline())
    if not answer["ok"]:
        raise RuntimeError(answer["error"])
    return answer["result"]


def spread_sessions(
    running: Program, stack: ExitStack, name: str = "demo"
) -> dict[int, ftplib.FTP]:
    """Log in until each worker has a session; return one of each."""
    found: dict[int, ftplib.FTP] = {}
    for _ in range(40):
        client = stack.enter_context(closing(login(running.port(), name)))
        found.setdefault(process_of(client, running), client)
        if len(found) == 2:
            return found
    raise AssertionError(f"all sessions are in one worker: {found}")


def kill_worker(running: Program, victim: int = 0) -> None:
    """Kill a worker (any of them by default), and wait until the next one accepts connections."""
    before = set(children(running.process.pid))
    victim = victim or min(before)
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: set(children(running.process.pid)) - before)
    (new,) = set(children(running.process.pid)) - before
    running.line(rf"worker {new} accepts connections")


def measured_environment() -> dict[str, str]:
    """Return an environment in which the coverage of all processes is measured, if ours is."""
    environment = checkout_environment()
    if Coverage.current() is None:
        return environment
    here = str(CHECKOUT / "tests" / "support" / "measured")
    return environment | {
        "COVERAGE_FILE": str(CHECKOUT / ".coverage"),
        "COVERAGE_PROCESS_START": str(CHECKOUT / "pyproject.toml"),
        "PYTHONPATH": os.pathsep.join((here, environment["PYTHONPATH"])),
    }


@contextmanager
def serving(directory: Path, *options: str) -> Iterator[Program]:
    """Run a service with workers for several tests; it must end without an error."""
    command = [*SERVE, LOOPBACK, ACCOUNTS, *options]
    with Program(command, directory, measured_environment()) as running:
        running.port()
        yield running
        assert running.stopped(signal.SIGTERM) == 0
        assert "Traceback" not in running.output
