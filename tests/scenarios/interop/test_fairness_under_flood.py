"""Other sessions are served while one account floods the service, over real sockets."""

from __future__ import annotations

import threading
import time
from statistics import median

import pytest

from ftpservice.commands.table import VERB_TABLE
from tests.support.raw_client import RunningService, Wire, in_thread, started, starting

FIXTURES = (started, starting)

LARGEST_WAIT = 0.3
"""Seconds; a quiet machine needs a tenth of it at most."""
ENDS_SESSIONS = ("QUIT", "EXIT", "REIN", "USER", "PASS", "AUTH", "CCC")


def waits(bystander: Wire, count: int = 15) -> list[float]:
    """Return the durations of some NOOPs."""
    taken = []
    for _ in range(count):
        began = time.monotonic()
        assert bystander.code("NOOP") == 200
        taken.append(time.monotonic() - began)
    return taken


class Flood:
    """Sessions that send commands and read replies, until the end of the block."""

    def __init__(self, served: RunningService, lines: list[bytes]) -> None:
        self._wires = [served.session() for _ in lines]
        for wire in self._wires:
            assert wire.code("TYPE A") == 200
        self._threads = []
        for wire, line in zip(self._wires, lines, strict=True):
            data = (line + b"\r\n") * (60_000 // (len(line) + 2))
            for work in (self._send, self._read):
                self._threads.append(threading.Thread(target=work, args=(wire, data)))

    def _send(self, wire: Wire, data: bytes) -> None:
        try:
            while True:
                wire.end.sendall(data)
        except OSError:
            pass

    def _read(self, wire: Wire, _data: bytes) -> None:
        try:
            while wire.end.recv(1 << 20):
                pass
        except OSError:
            pass

    def __enter__(self) -> Flood:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        for wire in self._wires:
            wire.end.shutdown(2)
        for thread in self._threads:
            thread.join(30)


@pytest.mark.parametrize("line", ["SIZE big", "DSIZ", "STAT d", "STAT d/*a*b*c*", "HELP", "EPSV"])
@in_thread
def test_a_flood_of_one_command(served: RunningService, line: str) -> None:
    (served.root / "big").write_bytes(b"some text of a log\n" * 3_000_000)
    (served.root / "d").mkdir()
    for number in range(1900):
        (served.root / "d" / f"{number:04}abc").touch()
    bystander = served.session("other")
    with Flood(served, [line.encode()] * 6):
        assert median(waits(bystander)) < LARGEST_WAIT


@in_thread
def test_a_flood_of_all_commands(served: RunningService) -> None:
    (served.root / "big").write_bytes(b"some text of a log\n" * 1_000_000)
    lines = [
        f"{row.name}{argument}".encode()
        for row in VERB_TABLE
        for argument in ("", " big")
        if row.name not in ENDS_SESSIONS and not row.alias_of
    ]
    bystander = served.session("other")
    with Flood(served, lines[::3]):
        assert median(waits(bystander)) < 3 * LARGEST_WAIT
