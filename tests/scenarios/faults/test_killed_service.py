"""The service is killed while a file is overwritten: the old or the complete new file remains."""

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
POINTS = 12
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
    """Resume the partial upload, if there is one; the complete file replaces the old one."""
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
    """Services that are killed one after the other, and what they leave."""

    restartable: RestartableService
    new: bytes = b""
    whole: int = 0
    partly: int = 0

    def go_on(self, service: RestartableService) -> None:
        """Resume the last upload, or assert that it was complete."""
        if visible(service.root) == {"a": self.new}:
            self.whole += 1
            assert not hidden(service.root)
        elif self.new:
            self.partly += bool(hidden(service.root))
            resume(service, self.new)

    def kill(self, service: RestartableService, share: float) -> None:
        """Overwrite the file; kill the service after this share of the upload."""
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


def test_a_kill_at_any_point_leaves_the_old_or_the_new_file(
    restartable: RestartableService,
) -> None:
    """Each service resumes what the previous one left, and is killed too."""
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
def test_a_kill_at_a_system_call_of_an_upload(restartable: RestartableService, step: str) -> None:
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


@pytest.mark.parametrize("step", ["fchmod:1:before", "rename:1:before", "rename:1:after"])
def test_a_kill_while_a_small_upload_is_published(
    restartable: RestartableService, step: str
) -> None:
    """It is written and published in one call; the next upload leaves nothing of it behind."""
    new = noise(4_000, 2)
    with restartable.open(fault=f"dies:{step}") as service:
        wire = service.session()
        data = wire.data()
        data.sendall(new)
        data.close()
        wire.send("STOR a\r\n")
        assert service.program.ended() == -signal.SIGKILL
    after = step == "rename:1:after"
    assert visible(restartable.root) == {"a": new if after else OLD}
    assert len(hidden(restartable.root)) == (0 if after else 1)
    with restartable.open() as service:
        if not after:
            resume(service, new)
        assert not hidden(restartable.root)


def said(wire: Wire) -> bytes:
    """Return the last reply."""
    received = b""
    with suppress(ConnectionError):
        while piece := wire.end.recv(4096):
            received += piece
    return received
