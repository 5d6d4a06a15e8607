"""Connections that come at once, behind a balancer: each worker has its part of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median

import pytest

from tests.support.service_process import PATIENCE, Program
from tests.support.worker_service import (
    ACCOUNTS,
    SERVE,
    ask,
    children,
    wait_for,
    write_accounts,
)

CONNECTIONS, ROUNDS = 10, 7
MOST = 8
"""Of one worker; on a busy machine the other one does not always run within milliseconds."""
PROXIED = "haproxy:tcp:0:interface=127.0.0.1"
HEADER = b"PROXY TCP4 192.0.2.%d 192.0.2.99 40000 21\r\n"


@pytest.fixture(params=["listen", "simple"])
def running(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Program]:
    write_accounts(tmp_path)
    words = [*SERVE, ACCOUNTS, f"--{request.param}={PROXIED}", "--login-timeout=600"]
    with Program(words, tmp_path) as served:
        served.line("accept connections")
        yield served


def port_of(running: Program) -> int:
    return int(running.line(r"at +\w+://127\.0\.0\.1:(\d+)/")[1])


def connections_of(process: int) -> int:
    """Return the number of TCP connections that a process has accepted."""
    rows = Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]
    established = {words[9] for words in map(str.split, rows) if words[3] == "01"}
    found = 0
    for name in os.listdir(f"/proc/{process}/fd"):
        with suppress(FileNotFoundError):
            target = os.readlink(f"/proc/{process}/fd/{name}")
            found += target.removeprefix("socket:[").removesuffix("]") in established
    return found


def fuller_worker(running: Program, port: int) -> int:
    """Make connections as a balancer does; return how many the worker has that has more."""
    with ExitStack() as stack:
        for number in range(CONNECTIONS):
            end = socket.create_connection(("127.0.0.1", port), PATIENCE)
            stack.enter_context(end).sendall(HEADER % number)
        wait_for(lambda: len(ask(running.directory, "who")) == CONNECTIONS)
        found = max(map(connections_of, children(running.process.pid)))
    wait_for(lambda: ask(running.directory, "who") == [])
    return found


def test_each_worker_has_a_part_of_a_few_connections_at_once(running: Program) -> None:
    """Those count whose header has not been read yet, and whose session has not begun."""
    port = port_of(running)
    assert median(fuller_worker(running, port) for _ in range(ROUNDS)) <= MOST
    assert running.stopped() == 0
    assert "Traceback" not in running.output
