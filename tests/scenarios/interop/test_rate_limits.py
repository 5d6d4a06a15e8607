"""Rate limits of sessions and users over real sockets, measured at the client."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ftpservice.accounts.checkers import SHIPPED_HASH
from tests.support.raw_client import RunningService, Wire, in_thread, receive_all, started, starting

FIXTURES = (started, starting)
RATE = 200_000
CONTENT = os.urandom(RATE * 6 // 10)
"""What takes six tenths of a second."""
LATE = 10.0
"""Seconds that nothing here takes, however busy the machine is."""


def timed(work: Callable[[], object]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def binary(wire: Wire) -> Wire:
    assert wire.code("TYPE I") == 200
    return wire


def limit_user(served: RunningService, options: str) -> None:
    """Write account options of demo to passwd.db."""
    line = f"demo:{SHIPPED_HASH}:/:full:{options}\n"
    (served.root.parent / "passwd.db").write_text(line)


@in_thread
def test_download_rate_of_a_session(server: Callable[..., RunningService]) -> None:
    served = server("--rate-down", str(RATE))
    (served.root / "a").write_bytes(CONTENT)
    wire = binary(served.session())
    received: list[bytes] = []
    assert 0.55 <= timed(lambda: received.append(wire.download("RETR a"))) <= LATE
    assert received == [CONTENT]


@in_thread
@pytest.mark.parametrize("type_", ["I", "A"])
def test_upload_rate_of_a_session(server: Callable[..., RunningService], type_: str) -> None:
    served = server("--rate-up", str(RATE), "--stall-timeout", "0.3")
    wire = served.session()
    assert wire.code(f"TYPE {type_}") == 200
    content = CONTENT.replace(b"\r", b"")
    assert 0.55 <= timed(lambda: wire.upload("STOR b", content)) <= LATE
    assert (served.root / "b").read_bytes() == content


@in_thread
@pytest.mark.parametrize("way", ["down", "up"])
def test_rate_of_a_user_is_shared_by_its_sessions(served: RunningService, way: str) -> None:
    limit_user(served, f"rate-{way}={2 * RATE}")
    (served.root / "a").write_bytes(CONTENT)
    wires = [binary(served.session()) for _ in range(3)]

    def transfer(number: int) -> None:
        wire = wires[number]
        if way == "down":
            assert wire.download("RETR a") == CONTENT
        else:
            assert wire.upload(f"STOR b{number}", CONTENT).code == 226

    with ThreadPoolExecutor(3) as pool:
        assert 0.85 <= timed(lambda: list(pool.map(transfer, range(3)))) <= LATE
    for wire in wires:
        wire.drop()
    served.wait_for(served.settled())
    assert served.in_reactor(lambda: served.factory.services().rate_limiters.in_use) == 0


@in_thread
def test_a_rate_limited_transfer_is_aborted_at_once(
    server: Callable[..., RunningService],
) -> None:
    served = server("--rate-down", "10", "--rate-up", "10")
    (served.root / "a").write_bytes(CONTENT)
    wire = binary(served.session())
    for command in ("RETR a", "STOR b"):
        with wire.data() as data:
            assert wire.code(command) == 150
            if command == "STOR b":
                data.sendall(b"x" * 10_000)
            assert wire.code("NOOP") == 200
            assert timed(lambda: wire.send("ABOR\r\n") or wire.replies(2)) <= LATE
    assert wire.code("NOOP") == 200


@in_thread
def test_a_new_login_does_not_reset_the_rate_limit(served: RunningService) -> None:
    limit_user(served, f"rate-down={RATE}")
    (served.root / "a").write_bytes(CONTENT[: RATE // 10])

    def again() -> None:
        for _ in range(4):
            wire = binary(served.session())
            assert len(wire.download("RETR a")) == RATE // 10
            assert wire.code("QUIT") == 221
            assert receive_all(wire.end) == b""

    assert 0.38 <= timed(again) <= LATE
