"""A stop of the service: idle sessions end at once, transfers may finish, nothing is left."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet import reactor

from tests.support.raw_client import RunningService, in_thread, receive_all, started, starting
from tests.support.restartable_service import RestartableService, hidden, noise, visible, wait_until

FIXTURES = (started, starting)
OLD, NEW = noise(2_000_000, 1), noise(3_000_000, 2)
SIGNALS = [signal.SIGINT, signal.SIGTERM]
SMALL, BIG = NEW[:50_000], NEW[:2_500_000]


@pytest.fixture
def restartable(tmp_path: Path) -> RestartableService:
    restartable = RestartableService(tmp_path)
    (restartable.root / "a").write_bytes(OLD)
    return restartable


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("sent", [SMALL, BIG], ids=["small", "big"])
def test_a_stop_waits_for_an_upload(
    restartable: RestartableService, number: int, sent: bytes
) -> None:
    with restartable.open() as service:
        idle, wire = service.session(), service.session()
        data = service.begun(wire, "STOR a", sent)
        service.program.process.send_signal(number)
        assert idle.reply().code == 421
        assert idle.over()
        idle.drop()
        with pytest.raises(OSError):
            wait_until(lambda: service.connected(("127.0.0.1", service.port)).close())
        wire.send("NOOP\r\nPWD\r\n")
        data.sendall(NEW[len(sent) :])
        data.close()
        assert wire.replies(2) == [226, 421]
        assert wire.over()
        wire.drop()
        assert service.program.ended() == 0
        assert "stopping: waiting up to 30 s for 1 transfer" in service.program.output
        assert " aborted, " not in service.program.output
    assert visible(restartable.root) == {"a": NEW}
    assert not hidden(restartable.root)


def test_a_stop_waits_for_a_download(restartable: RestartableService) -> None:
    (restartable.root / "big").write_bytes(BIG * 10)
    with restartable.open() as service:
        wire = service.session()
        data = service.connected(wire.passive_address(), window=4096)
        assert wire.codes("NOOP", "RETR big") == [200, 150]
        service.program.process.send_signal(signal.SIGTERM)
        assert receive_all(data) == BIG * 10
        data.close()
        assert wire.replies(2) == [226, 421]
        wire.drop()
        assert service.program.ended() == 0


@pytest.mark.parametrize("sent", [SMALL, BIG], ids=["small", "big"])
@pytest.mark.parametrize("signals", [1, 2])
def test_transfers_are_aborted_after_grace_or_a_second_signal(
    restartable: RestartableService, sent: bytes, signals: int
) -> None:
    with restartable.open("--grace=0.3" if signals == 1 else "--grace=1000") as service:
        wire, other = service.session(), service.session()
        service.begun(wire, "STOR a", sent)
        service.program.process.send_signal(signal.SIGTERM)
        assert other.reply().code == 421
        if signals == 2:
            service.program.process.send_signal(signal.SIGTERM)
        assert wire.reply().code == 421
        wire.drop()
        other.drop()
        assert service.program.ended() == 0
        why = "not finished within 0.3 s" if signals == 1 else "grace period skipped"
        assert f"stopping: 1 transfer aborted, {why}" in service.program.output
    assert visible(restartable.root) == {"a": OLD}
    (partial,) = hidden(restartable.root)
    assert partial.read_bytes() == sent
    with restartable.open() as service:
        wire = service.session()
        assert wire.code(f"REST {len(sent)}") == 350
        assert wire.upload("STOR a", NEW[len(sent) :]).code == 226
    assert visible(restartable.root) == {"a": NEW}
    assert not hidden(restartable.root)


def test_two_signals_wait_for_a_publication(restartable: RestartableService) -> None:
    with restartable.open("--grace=1000", fault="held") as service:
        wire = service.session()
        data = service.begun(wire, "STOR a", NEW)
        data.close()
        service.program.line("renaming")
        for number in SIGNALS:  # two alike would be one to the kernel
            service.program.process.send_signal(number)
        assert wire.reply().code == 421
        assert visible(restartable.root) == {"a": OLD}
        assert service.program.process.poll() is None
        (restartable.folder / "go-on").touch()
        assert service.program.ended() == 0
    assert visible(restartable.root) == {"a": NEW}
    assert not hidden(restartable.root)


def test_a_stop_without_transfers_is_immediate(restartable: RestartableService) -> None:
    with restartable.open("--grace=1000") as service:
        assert service.program.stopped(signal.SIGTERM) == 0
        assert "stopping: " not in service.program.output


@in_thread
def test_an_embedding_program_can_wait_for_transfers(
    server: Callable[..., RunningService],
) -> None:
    served = server()
    (served.root / "a").write_bytes(OLD)
    wire = served.session()
    data = wire.accepted()
    assert wire.codes("TYPE I", "STOR a") == [200, 150]
    data.sendall(NEW[:1_500_000])
    stopping: list[object] = []
    reactor.callFromThread(lambda: stopping.append(served.service.stopService()))
    served.wait_for(lambda: stopping)
    data.sendall(NEW[1_500_000:])
    data.close()
    assert wire.replies(2) == [226, 421]
    wire.drop()
    served.wait_for(lambda: stopping[0].called)  # type: ignore[attr-defined]
    assert visible(served.root) == {"a": NEW}


@in_thread
def test_an_embedding_program_can_abort_transfers(server: Callable[..., RunningService]) -> None:
    served = server("--grace", "0")
    (served.root / "a").write_bytes(OLD)
    wire = served.session()
    data = wire.accepted()
    assert wire.codes("TYPE I", "STOR a") == [200, 150]
    data.sendall(NEW[:1_500_000])
    stopping: list[object] = []
    reactor.callFromThread(lambda: stopping.append(served.service.stopService()))
    assert wire.reply().code == 421
    wire.drop()
    served.wait_for(lambda: stopping[0].called)  # type: ignore[attr-defined]
    assert visible(served.root) == {"a": OLD}
