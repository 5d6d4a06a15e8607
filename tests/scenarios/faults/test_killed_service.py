"""The service is killed in the midst of an overwrite: the old file or the whole new one."""

from __future__ import annotations

import random
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.raw_client import Wire
from tests.support.restartable_service import RestartableService, hidden, noise, visible

OLD = noise(1_500_000, 1)
POINTS = 20
SEED = 20
STEPS = (
    "splice:1:before",
    "splice:1:after",
    "splice:2:before",
    "splice:4:before",
    "fchmod:1:before",
    "fchmod:1:after",
    "fsync:1:before",
    "fsync:1:after",
    "rename:1:before",
    "rename:1:after",
    "fsync:2:before",
    "fsync:2:after",
)


@pytest.fixture
def restartable(tmp_path: Path) -> RestartableService:
    restartable = RestartableService(tmp_path)
    (restartable.root / "a").write_bytes(OLD)
    return restartable


def resume(service: RestartableService, new: bytes) -> None:
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


@dataclass
class Tries:
    """What the killed services left, and what the next ones make of it."""

    restartable: RestartableService
    new: bytes = b""
    whole: int = 0
    partly: int = 0

    def go_on(self, service: RestartableService) -> None:
        """Resume the last upload, or see that it was over."""
        if visible(service.root) == {"a": self.new}:
            self.whole += 1
            assert not hidden(service.root)
        elif self.new:
            self.partly += bool(hidden(service.root))
            resume(service, self.new)

    def kill(self, service: RestartableService, share: float) -> None:
        """Overwrite the file and kill the service when this share of the upload is sent."""
        old = (service.root / "a").read_bytes()
        wire = service.session()
        if share < 1:
            service.begun(wire, "STOR a", self.new[: int(share * len(self.new))])
        else:
            data = wire.data()
            assert wire.code("STOR a") == 150
            data.sendall(self.new)
            data.close()
        service.program.process.send_signal(signal.SIGKILL)
        assert service.program.ended() == -signal.SIGKILL
        assert visible(service.root) in ({"a": old}, {"a": self.new})


def test_a_service_killed_at_any_point_leaves_the_old_file_or_the_new(
    restartable: RestartableService,
) -> None:
    """Each service goes on from what the one before it left, then is killed in its turn."""
    chance = random.Random(SEED)
    tries = Tries(restartable)
    for number in range(1, POINTS + 1):
        with restartable.open() as service:
            tries.go_on(service)
            tries.new = noise(chance.choice([60_000, 3_000_000]) + number, number + 2)
            tries.kill(service, chance.random() if number % 3 else 1)
    with restartable.open() as service:
        tries.go_on(service)
    assert tries.partly >= POINTS / 4, "uploads had begun"
    assert tries.whole < POINTS / 2, "not all were over"


@pytest.mark.parametrize("step", STEPS)
def test_a_service_killed_at_this_step_of_an_upload(
    restartable: RestartableService, step: str
) -> None:
    new = noise(3_000_000, 2)
    with restartable.open("--durable", fault=f"dies:{step}") as service:
        wire = service.session()
        data = wire.data()
        wire.send("STOR a\r\n")
        with suppress(ConnectionError):
            data.sendall(new)
        data.close()
        assert service.program.ended() == -signal.SIGKILL
        assert b"226" not in said(wire)
    after = step.startswith("fsync:2") or step == "rename:1:after"
    assert visible(restartable.root) == {"a": new if after else OLD}
    with restartable.open() as service:
        if not after:
            resume(service, new)
        assert not hidden(restartable.root)


def said(wire: Wire) -> bytes:
    """Return what was said last."""
    received = b""
    with suppress(ConnectionError):
        while piece := wire.end.recv(4096):
            received += piece
    return received
