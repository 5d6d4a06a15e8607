"""An upgrade finds sessions in whatever state: none without a transfer keeps an old worker."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.scenarios.process.test_upgrade import assert_upgraded
from tests.support.service_process import PATIENCE, Program
from tests.support.tls_client import client_context
from tests.support.worker_service import (
    ACCOUNTS,
    CONTENT,
    SERVE,
    ask,
    children,
    is_alive,
    login,
    wait_for,
    write_accounts,
)

KINDS = ("listen", "implicit", "simple", "simple-tls")
PORTS = [f"--{kind}=tcp:0:interface=127.0.0.1" for kind in KINDS]
PROXIED = "--listen=haproxy:tcp:0:interface=127.0.0.1"
UNHURRIED = ("--login-timeout=600", "--tls-handshake-timeout=600", "--data-timeout=600")
"""Nothing but the upgrade ends the sessions."""
ENTRIES = 3000


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Program]:
    write_accounts(tmp_path)
    words = [*SERVE, ACCOUNTS, *PORTS, PROXIED, *UNHURRIED, "--stall-timeout=600"]
    with Program(words, tmp_path) as served:
        served.line("  try ")
        yield served


def ports(running: Program) -> dict[str, int]:
    """Return the ports by the schemes of their URLs; ``haproxy`` is that behind a balancer."""
    urls = [word for line in running.lines for word in line.split() if "://127" in word]
    found: dict[str, int] = {}
    for url in urls:
        scheme, port = url.partition(":")[0], int(url.rstrip("/").rpartition(":")[2])
        found.setdefault(scheme, port)
    return found


class States:
    """Connections, each in a state before or without a transfer."""

    def __init__(self, running: Program, stack: ExitStack) -> None:
        self._ports = ports(running)
        self._stack = stack
        self.ends: list[socket.socket] = []

    def connect(self, scheme: str = "ftp") -> socket.socket:
        address = ("127.0.0.1", self._ports[scheme])
        end = self._stack.enter_context(socket.create_connection(address, PATIENCE))
        self.ends.append(end)
        return end

    def said(self, *lines: str, scheme: str = "ftp") -> socket.socket:
        """Send lines, after the reply to the one before."""
        end = self.connect(scheme)
        end.recv(1000)
        for line in lines:
            end.sendall(line.encode() + b"\r\n")
            assert end.recv(1000)
        return end

    def begin(self) -> None:
        """Make all of them."""
        self.said()
        self.said("USER demo")
        self.said("USER demo", "PASS demo")
        self.said("AUTH TLS")
        self.said("AUTH TLS").sendall(b"\x16\x03\x01\x02\x00\x01")  # half a first message
        self.connect("ftps")
        self.connect("ftps").sendall(b"\x16\x03\x01\x02\x00\x01")
        secured = self._secured(self.said("AUTH TLS"))
        secured.sendall(b"PBSZ 0\r\n")
        assert secured.recv(100).startswith(b"200")
        self.said("USER demo", "PASS demo", "RNFR none")
        self.said("USER demo", "PASS demo", "EPSV")
        self.said("USER demo", "PASS demo").sendall(b"NOO")
        self.connect("simple").sendall(b"USER demo\nPASS demo\n")
        self.connect("simple").sendall(b"US")

    def _secured(self, end: socket.socket) -> ssl.SSLSocket:
        return self._stack.enter_context(client_context().wrap_socket(end))

    def are_closed(self) -> bool:
        """Read what there is; return whether the service has closed all of them."""
        return all(map(is_closed, self.ends))


def is_closed(end: socket.socket) -> bool:
    """Read what there is."""
    if end.fileno() < 0:  # of TLS
        return True
    end.setblocking(False)
    try:
        while end.recv(4096):
            continue
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def test_old_workers_end_soon_whatever_state_their_sessions_are_in(
    running: Program, tmp_path: Path
) -> None:
    before = children(running.process.pid)
    with ExitStack() as stack:
        states = States(running, stack)
        states.begin()
        assert_upgraded(tmp_path, running)
        wait_for(lambda: not any(map(is_alive, before)), "an old worker goes on")
        wait_for(states.are_closed)
    assert running.stopped() == 0
    assert "Traceback" not in running.output


def test_what_is_in_progress_ends_as_at_any_time(running: Program, tmp_path: Path) -> None:
    """A listing, an aborted transfer and a login that waits for its turn."""
    before = children(running.process.pid)
    directory = tmp_path / "var" / "files" / "many"
    directory.mkdir(parents=True)
    for number in range(ENTRIES):
        (directory / f"a-name-that-is-rather-long-{number}").touch()
    with ExitStack() as stack:
        listing, aborted = (stack.enter_context(closing(login(running.port()))) for _ in range(2))
        entries = stack.enter_context(listing.transfercmd("MLSD many"))
        aborted.voidcmd("TYPE I")
        data = stack.enter_context(aborted.transfercmd("STOR late"))
        data.sendall(CONTENT)
        assert_upgraded(tmp_path, running)
        assert any(map(is_alive, before))
        wait_for(lambda: len(ask(tmp_path, "who")) == 2)
        aborted.putcmd("ABOR")
        assert aborted.getmultiline().startswith("426")
        received = b"".join(iter(lambda: entries.recv(65536), b""))
        assert received.count(b"\r\n") >= ENTRIES
        assert listing.voidresp().startswith("226")
        wait_for(lambda: not any(map(is_alive, before)), "an old worker goes on")
    assert running.stopped() == 0
    assert "Traceback" not in running.output
