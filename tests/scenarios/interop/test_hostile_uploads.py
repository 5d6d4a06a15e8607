"""Interrupted uploads: no 226, nothing published, the old file intact."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from threading import Event

import pytest

from ftpservice.backends.local.files.upload import LocalUpload
from ftpservice.events import TransferEnded
from tests.support.raw_client import RunningService, Wire, in_thread, reset, started, starting

FIXTURES = (started, starting)
ENDINGS: dict[str, Callable[[Wire, socket.socket], object]] = {
    "RST on data": lambda wire, data: reset(data),
    "RST on data, then control": lambda wire, data: (reset(data), wire.drop()),
    "RST on control": lambda wire, data: (reset(wire.end), data.close()),
    "FIN on control, then data": lambda wire, data: (wire.drop(), data.close()),
    "half a FIN on control, then data": lambda wire, data: (
        wire.end.shutdown(socket.SHUT_WR),
        data.close(),
    ),
}


def visible(served: RunningService) -> dict[str, bytes]:
    """Return the visible files."""
    return {
        path.name: path.read_bytes()
        for path in served.root.iterdir()
        if not path.name.startswith(".ftpservice.")
    }


@in_thread
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
@pytest.mark.parametrize("command", ["STOR a", "STOR b", "APPE a", "STOU a"])
def test_an_incomplete_upload_is_not_published(
    served: RunningService, command: str, size: int, ending: str
) -> None:
    (served.root / "a").write_bytes(b"old")
    ended = TransferEndings()
    served.factory.event_sink.events.subscribe(ended)
    wire = served.session()
    data = wire.accepted()
    assert wire.codes("TYPE I", command) == [200, 150]
    data.sendall(b"x" * size)
    ENDINGS[ending](wire, data)
    served.wait_for(lambda: ended.seen)
    assert ended.seen[0].outcome.value != "complete"
    files = visible(served)
    if command == "APPE a":  # what was appended so far stays, and so does all before it
        files["a"] = files["a"].removesuffix(b"x" * (len(files["a"]) - 3))
    assert files == {"a": b"old"}


class TransferEndings:
    """Records the ends of transfers."""

    def __init__(self) -> None:
        self.seen: list[TransferEnded] = []

    def __call__(self, event: object) -> None:
        """Receive an event."""
        if isinstance(event, TransferEnded):
            self.seen.append(event)


@in_thread
def test_a_killed_client_publishes_nothing(served: RunningService) -> None:
    (served.root / "a").write_bytes(b"old")
    for _ in range(5):
        ended = TransferEndings()
        served.factory.event_sink.events.subscribe(ended)
        wire = served.session()
        data = wire.accepted()
        assert wire.codes("TYPE I", "STOR a") == [200, 150]
        data.sendall(b"new")
        numbers = [os.dup(end.fileno()) for end in (data, wire.end)]
        with subprocess.Popen(["sleep", "60"], pass_fds=numbers) as client:
            for number in numbers:
                os.close(number)
            data.close()
            wire.drop()
            client.kill()
        served.wait_for(lambda ended=ended: ended.seen)
        assert ended.seen[0].outcome.value == "aborted"
    assert visible(served) == {"a": b"old"}


@in_thread
@pytest.mark.parametrize("before", ["TYPE I", "TYPE A"])
def test_a_reset_data_connection_is_426_and_the_session_continues(
    served: RunningService, before: str
) -> None:
    (served.root / "a").write_bytes(b"old")
    wire = served.session()
    for early in (False, True):
        data = wire.accepted()
        data.sendall(b"x" * 100)
        if early:
            reset(data)
        assert wire.codes(before, "STOR a") == [200, 150]
        if not early:
            reset(data)
        assert wire.reply().code == 426
    assert visible(served) == {"a": b"old"}
    assert wire.upload("STOR a", b"new").code == 226
    assert visible(served) == {"a": b"new"}


@in_thread
def test_data_before_the_command_is_published(
    served: RunningService,
) -> None:
    wire = served.session()
    with wire.accepted() as data:
        data.sendall(b"early")
    assert wire.code("STOR a") == 150
    assert wire.reply().code == 226
    assert visible(served) == {"a": b"early"}


@in_thread
def test_a_stop_during_an_upload(
    server: Callable[..., RunningService],
) -> None:
    served = server()
    (served.root / "a").write_bytes(b"old")
    wire = served.session()
    data = wire.accepted()
    assert wire.code("STOR a") == 150
    data.sendall(b"new")
    served.in_reactor(lambda: served.factory.disconnect_all("The service is stopping."))
    assert wire.reply().code == 421
    assert wire.over()
    wire.drop()
    served.wait_for(served.settled())
    assert visible(served) == {"a": b"old"}


@in_thread
@pytest.mark.parametrize("killed", [False, True])
def test_abor_during_the_publication(
    served: RunningService, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    began, may_end, commit = Event(), Event(), LocalUpload.commit

    def slowly(self: LocalUpload, is_new: bool) -> object:
        began.set()
        assert may_end.wait(15)
        return commit(self, is_new)

    monkeypatch.setattr(LocalUpload, "commit", slowly)
    ended = TransferEndings()
    served.factory.event_sink.events.subscribe(ended)
    wire = served.session()
    data = wire.accepted()
    assert wire.codes("TYPE I", "STOR a") == [200, 150]
    data.sendall(b"whole")
    data.close()
    assert began.wait(15)
    protocol = served.factory.instances[0]
    if killed:
        reset(wire.end)
        served.wait_for(lambda: protocol._input_ended)
    else:
        wire.send("ABOR\r\n")
        served.wait_for(lambda: len(protocol.interpreter.queue) == 1)
    may_end.set()
    if not killed:
        assert wire.replies(2) == [226, 226]
    served.wait_for(lambda: ended.seen)
    assert ended.seen[0].outcome.value == "complete"
    assert visible(served) == {"a": b"whole"}
