"""A range of passive ports is one for the sessions of all workers."""

from __future__ import annotations

import ftplib
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from benchmarks.ports import free_range
from tests.support.service_process import PATIENCE, Program
from tests.support.worker_service import process_of, serving, write_accounts

PORTS = 6
BUSY, QUIET = "127.0.0.2", "127.0.0.3"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Program]:
    write_accounts(tmp_path)
    ports = free_range(PORTS)
    with serving(tmp_path, f"--passive-ports={ports[0]}-{ports[-1]}") as program:
        yield program


@pytest.fixture
def sessions(running: Program) -> Iterator[dict[int, list[ftplib.FTP]]]:
    """Sessions of both addresses in both workers, by worker: those of `BUSY` come last."""
    found: dict[int, list[ftplib.FTP]] = {}
    with ExitStack() as stack:
        for host in [QUIET] * 6 + [BUSY] * 16:
            client = stack.enter_context(closing(ftplib.FTP()))
            client.connect("127.0.0.1", running.port(), PATIENCE, (host, 0))
            client.login("demo", "demo")
            found.setdefault(process_of(client, running), []).append(client)
        assert len(found) == 2
        yield found


def announced(client: ftplib.FTP) -> int:
    """Ask for a passive port."""
    found = re.search(r"\|\|\|(\d+)\|", client.sendcmd("EPSV"))
    assert found is not None
    return int(found[1])


def test_ports_that_wait_in_a_worker_do_not_block_sessions_of_another(
    sessions: dict[int, list[ftplib.FTP]],
) -> None:
    """The address that holds most gives them up, and others keep theirs."""
    one, other = sessions.values()
    quiet, rest = other[0], other[1:3]
    waiting = announced(quiet)
    hogs = one[-PORTS + 1 :]
    assert all(str(hog.sock.getsockname()[0]) == BUSY for hog in hogs)  # type: ignore[union-attr]
    taken = [announced(hog) for hog in hogs]
    assert len({waiting, *taken}) == PORTS
    for client, port in zip(rest, taken, strict=False):
        assert announced(client) == port, "the oldest one of the address with most"
    with socket.create_connection(("127.0.0.1", waiting), PATIENCE, (QUIET, 0)) as data:
        assert quiet.sendcmd("NLST").startswith("150")
        assert data.recv(100) == b""
    assert quiet.voidresp().startswith("226")
