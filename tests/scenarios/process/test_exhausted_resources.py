"""Without descriptors or threads new work is refused at once, and nothing is lost."""

from __future__ import annotations

import ftplib
import io
import os
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ftpservice.accounts.checkers import SHIPPED_HASH
from tests.support.limited_process import (
    as_unprivileged,
    cpu_seconds,
    descriptor_count,
    limit_descriptors,
    limit_threads,
    open_sockets,
    thread_count,
)
from tests.support.restartable_service import wait_until
from tests.support.service_process import PATIENCE, Program
from tests.support.tls_client import client_context
from tests.support.unprivileged import needs_root

LOCAL = "127.0.0.1"
PORTS = [f"--{kind}=tcp:0:interface={LOCAL}" for kind in ("listen", "simple", "implicit")]
COMMAND = [sys.executable, "-m", "tests.support.injected_faults", "none"]
REASON = "Out of resources (Too many open files); try again later."
USER = 20_000 + os.getpid() % 40_000
"""A user that runs nothing else: threads are limited for each user."""
CONTENT = bytes(range(256)) * 4000
REFUSED_WHEN_FULL = 50
"""Refused connections in a row: what the service had open for a moment is closed by then."""


class Exhausted:
    """A service, the ports of its protocols, and the connections that fill it."""

    def __init__(self, place: Path, program: Program) -> None:
        self.place, self.program = place, program
        self.process = program.process.pid
        self.port = program.port()
        self.simple = int(program.line(r"simple://\S+?:(\d+)/")[1])
        self.idle: list[socket.socket] = []
        self._clients: list[ftplib.FTP] = []

    def close(self) -> None:
        """Close all connections."""
        for end in (*self.idle, *self._clients):
            end.close()

    @property
    def implicit(self) -> int:
        """The port with TLS from the first byte."""
        return int(self.program.line(r"ftps://\S+?:(\d+)/")[1])

    @property
    def log(self) -> str:
        return (self.place / "log").read_text()

    @property
    def files(self) -> dict[str, bytes]:
        """The files, without those that are hidden."""
        found = (self.place / "var/files").iterdir()
        return {one.name: one.read_bytes() for one in found if not one.name.startswith(".")}

    def client(self, name: str = "demo", tls: bool = False) -> ftplib.FTP:
        """Log in."""
        client = ftplib.FTP_TLS(context=client_context()) if tls else ftplib.FTP()
        self._clients.append(client)
        client.connect(LOCAL, self.port, PATIENCE)
        client.login(name, "demo")
        if isinstance(client, ftplib.FTP_TLS):
            client.prot_p()
        return client

    def fill(self) -> None:
        """Use all descriptors for idle sessions."""
        limit_descriptors(self.process, descriptor_count(self.process) + 6)
        refused = 0
        while refused < REFUSED_WHEN_FULL:
            end = socket.create_connection((LOCAL, self.port), PATIENCE)
            if end.recv(3) == b"220":
                self.idle.append(end)
                refused = 0
            else:
                end.close()
                refused += 1

    def free(self) -> None:
        """End the idle sessions."""
        before = len(open_sockets(self.process))
        for end in self.idle:
            end.close()
        wait_until(lambda: len(open_sockets(self.process)) <= before - len(self.idle))


def answer(address: tuple[str, int] | str, request: bytes = b"") -> bytes:
    """Connect; return all that arrives before the service closes the connection."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as end:
        end.settimeout(PATIENCE)
        end.connect(address)
        if request:
            end.sendall(request)
        received = b""
        while piece := end.recv(4096):
            received += piece
    return received


@contextmanager
def serving(place: Path, *words: str, before: list[str] | None = None) -> Iterator[Exhausted]:
    """Run a service whose log may have no traceback."""
    accounts = "".join(f"{name}:{SHIPPED_HASH}:/:full:\n" for name in ("demo", "late"))
    (place / "passwd.db").write_text(accounts)
    os.utime(place / "passwd.db", (0, 0))  # the service reads a new file several times
    ports = PORTS[:2] if "--tls=off" in words else PORTS
    with Program([*(before or []), *COMMAND, *ports, *words], place) as program:
        exhausted = Exhausted(place, program)
        try:
            yield exhausted
        finally:
            exhausted.close()
        assert program.stopped() == 0
    assert "Traceback" not in exhausted.log


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Exhausted]:
    with serving(tmp_path) as exhausted:
        yield exhausted


def test_without_descriptors_connections_are_refused_in_their_protocol(served: Exhausted) -> None:
    session = served.client()
    served.fill()
    used = cpu_seconds(served.process)
    for _ in range(100):
        assert answer((LOCAL, served.port)) == f"421 {REASON}\r\n".encode()
    assert answer((LOCAL, served.simple)) == f"ERR BUSY {REASON}\n".encode()
    assert answer((LOCAL, served.implicit)) == b"\x15\x03\x03\x00\x02\x02\x50"
    control = str(served.place / "var/control.sock")
    assert answer(control) == f'{{"ok": false, "error": "{REASON}"}}\n'.encode()
    # Nothing spins, and the sessions that run go on.
    second = time.monotonic() + 1
    wait_until(lambda: time.monotonic() > second)
    assert cpu_seconds(served.process) - used < 0.5
    assert session.pwd() == "/"
    served.free()
    assert served.client("late").pwd() == "/"
    assert served.idle and answer((LOCAL, served.port), b"QUIT\r\n").startswith(b"220")


def test_refused_connections_are_logged_at_a_bounded_rate(served: Exhausted) -> None:
    served.client()  # opens what the service keeps open
    served.fill()
    for _ in range(300):
        answer((LOCAL, served.port))
    served.free()
    served.client()
    wait_until(lambda: "more refusals" in served.log)
    lines = re.findall(rf"#warn\] - -@{LOCAL} \[0\] was refused: {re.escape(REASON)}", served.log)
    seconds = {line.split()[0] for line in served.log.splitlines() if "was refused" in line}
    assert 0 < len(lines) <= 20 * (len(seconds) + 1)
    assert served.log.count("connections are refused: Too many open files; raise LimitNOFILE") == 1


def test_a_session_without_descriptors_keeps_its_files(served: Exhausted) -> None:
    session = served.client()
    session.storbinary("STOR kept", io.BytesIO(CONTENT))
    served.fill()
    for code, command in (
        ("425", lambda: session.retrlines("LIST", bool)),
        ("425", lambda: session.retrbinary("RETR kept", bool)),
        ("425", lambda: session.storbinary("STOR kept", io.BytesIO(b"new"))),
        ("451", lambda: session.mkd("d")),
        ("451", lambda: session.rename("kept", "lost")),
    ):
        with pytest.raises(ftplib.error_temp, match=f"^{code} "):
            command()
    served.idle.pop().close()  # enough for a passive port, and too little for a connection to it
    wait_until(lambda: session.sendcmd("NOOP"))
    served.free()
    assert served.files == {"kept": CONTENT}
    session.storbinary("STOR kept", io.BytesIO(b"new"))
    assert served.files == {"kept": b"new"}


@pytest.mark.parametrize("command", ["RETR kept", "STOR kept"])
def test_a_passive_port_that_cannot_accept_gives_425_at_once(
    served: Exhausted, command: str
) -> None:
    session = served.client()
    session.storbinary("STOR kept", io.BytesIO(CONTENT))
    served.fill()
    served.idle.pop().close()
    wait_until(lambda: session.sendcmd("EPSV"))
    port = int(re.search(r"\|(\d+)\|", session.sendcmd("EPSV"))[1])  # type: ignore[index]
    with (
        socket.create_connection((LOCAL, port), PATIENCE),
        pytest.raises(ftplib.error_temp, match=r"^4(25|51) "),
    ):
        assert session.sendcmd(command).startswith("150 ")
        session.voidresp()
    assert session.pwd() == "/"
    served.free()
    assert served.files == {"kept": CONTENT}


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory of `USER`: those of pytest are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        shutil.chown(name, USER, USER)
        yield Path(name)


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_without_threads_logins_and_files_are_refused(place: Path, tls: bool) -> None:
    with serving(place, before=as_unprivileged(USER, reads_all=True)) as served:
        limit_threads(served.process, USER, thread_count(served.process))
        with pytest.raises(ftplib.error_temp, match=r"^421 Too many logins at once"):
            served.client(tls=tls)
        # One for logins, and one for the watch of accounts if it has none yet.
        limit_threads(served.process, USER, thread_count(served.process) + 2)
        session = served.client(tls=tls)
        limit_threads(served.process, USER, thread_count(served.process))
        with pytest.raises((ftplib.error_temp, OSError), match=r"451|reset|Broken"):
            session.storbinary("STOR new", io.BytesIO(CONTENT))
        assert served.files == {}
        limit_threads(served.process, USER, thread_count(served.process) + 50)
        again = served.client("late", tls=tls)
        again.storbinary("STOR new", io.BytesIO(CONTENT))
        assert served.files == {"new": CONTENT}
    assert re.search("no thread can be started for (local )?storage", served.log)
