"""The service is killed in the midst of an overwrite: the old file or the whole new one."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from tests.faults.house import House, hidden, noise, visible
from tests.interop.raw import Wire

OLD = noise(1_500_000, 1)
POINTS = 20
SEED = 20
STEPS = (
    "ftruncate:1:before",
    "fchmod:1:after",
    "splice:1:after",
    "splice:2:before",
    "splice:9:after",
    "fchmod:2:before",
    "fsync:1:before",
    "fsync:1:after",
    "rename:1:before",
    "rename:1:after",
    "fsync:2:before",
    "fsync:2:after",
)


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    (house.root / "a").write_bytes(OLD)
    return house


def resume(service: House, new: bytes) -> None:
    """Go on from what came before, if anything did; the whole file takes its place."""
    wire = service.session()
    came = b"".join(path.read_bytes() for path in hidden(service.root))
    assert came == new[: len(came)]
    if came:
        assert wire.code(f"REST {len(came)}") == 350
    assert wire.upload("STOR a", new[len(came) :]).code == 226
    wire.drop()
    assert visible(service.root) == {"a": new}
    assert not hidden(service.root)


def test_a_service_killed_at_any_point_leaves_the_old_file_or_the_new(house: House) -> None:
    """Each service goes on from what the one before it left, then is killed in its turn."""
    chance = random.Random(SEED)
    whole, partly = 0, 0
    new = b""
    for number in range(POINTS + 1):
        with house.open() as service:
            if number:
                if not (number % 3) and visible(house.root) == {"a": new}:
                    assert not hidden(house.root)
                else:
                    partly += bool(hidden(house.root))
                    resume(service, new)
            old = (house.root / "a").read_bytes()
            new = noise(chance.choice([60_000, 3_000_000]) + number, number + 2)
            sent = chance.randrange(len(new)) if number % 3 else len(new)
            wire = service.session()
            data = wire.data()
            assert wire.code("STOR a") in (125, 150)
            data.sendall(new[:sent])
            if sent == len(new):
                data.close()
            if number == POINTS:
                return check(whole, partly)
            service.program.process.send_signal(signal.SIGKILL)
            assert service.program.ended() == -signal.SIGKILL
        left = visible(house.root)
        assert left in ({"a": old}, {"a": new})
        whole += left == {"a": new}
    return None


def check(whole: int, partly: int) -> None:
    """See that the points were spread: some uploads had begun, and not all were over."""
    assert partly >= 5
    assert whole < POINTS / 2


@pytest.mark.parametrize("step", STEPS)
def test_a_service_killed_at_this_step_of_an_upload(house: House, step: str) -> None:
    new = noise(3_000_000, 2)
    with house.open("--durable", fault=f"dies:{step}") as service:
        wire = service.session()
        data = wire.data()
        wire.send("STOR a\r\n")
        try:
            data.sendall(new)
        except ConnectionError:
            pass
        data.close()
        assert service.program.ended() == -signal.SIGKILL
        assert b"226" not in said(wire)
    after = step.startswith("fsync:2") or step == "rename:1:after"
    assert visible(house.root) == {"a": new if after else OLD}
    with house.open() as service:
        if not after:
            resume(service, new)
        assert not hidden(house.root)


def said(wire: Wire) -> bytes:
    """Return what was said last."""
    received = b""
    try:
        while piece := wire.end.recv(4096):
            received += piece
    except ConnectionError:
        pass
    return received
