"""Every way to interrupt an upload: the old file stays, what arrived can be resumed, no 226.

Half of the cases are large enough for splice.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ftpservice.events import Event, Outcome, TransferEnded
from ftpservice.session import active_uploads
from tests.support.raw_client import (
    RunningService,
    Wire,
    in_thread,
    receive_all,
    reset,
    started,
    starting,
)
from tests.support.restartable_service import hidden, noise, visible

FIXTURES = (started, starting)
OLD, NEW = noise(100_000, 1), noise(5_000_000, 2)
SIZES = (30_000, 2_500_000)
SENT = pytest.mark.parametrize("sent", SIZES)


@dataclass(frozen=True)
class Cut:
    """A way to interrupt an upload; ``codes`` are those of the replies after it."""

    end: Callable[[Wire, socket.socket], object]
    codes: tuple[int, ...] = (426,)
    announced: bool = False


CUTS = {
    "RST": Cut(lambda wire, data: reset(data)),
    "FIN too early": Cut(lambda wire, data: data.close(), announced=True),
    "half-close too early": Cut(lambda wire, data: data.shutdown(socket.SHUT_WR), announced=True),
    "stall": Cut(lambda wire, data: None),
    "ABOR": Cut(lambda wire, data: wire.send("ABOR\r\n"), (426, 226)),
    "ABOR, then FIN": Cut(
        lambda wire, data: (wire.send("ABOR\r\n"), wire.line(), data.close()), (226,)
    ),
    "QUIT, then RST": Cut(lambda wire, data: (wire.send("QUIT\r\n"), wire.line(), reset(data))),
    "QUIT, then ABOR": Cut(lambda wire, data: wire.send("ABOR\r\nQUIT\r\n"), (426, 226, 221)),
    "control RST": Cut(lambda wire, data: reset(wire.end), ()),
    "control FIN": Cut(lambda wire, data: wire.drop(), ()),
    "control FIN, then data FIN": Cut(lambda wire, data: (wire.drop(), data.close()), ()),
    "data FIN, then control FIN": Cut(lambda wire, data: (data.close(), wire.drop()), (), True),
}


def endings(served: RunningService) -> list[TransferEnded]:
    """Return a list that receives the ends of transfers."""
    seen: list[TransferEnded] = []

    def note(event: Event) -> None:
        if isinstance(event, TransferEnded):
            seen.append(event)

    served.factory.event_sink.events.subscribe(note)
    return seen


def arrived(served: RunningService, size: int) -> Callable[[], bool]:
    """Return a condition: the service has received a number of bytes."""

    def look() -> bool:
        runnings = [one.context.running for one in served.factory.instances]
        return any(running and running.moved == size for running in runnings)

    return look


def begun(served: RunningService, wire: Wire, command: str, content: bytes) -> socket.socket:
    """Start an upload; the service has received ``content`` when this returns."""
    data = wire.accepted()
    assert wire.codes("TYPE I", command) == [200, 150]
    data.sendall(content)
    served.wait_for(arrived(served, len(content)))
    return data


@in_thread
@SENT
@pytest.mark.parametrize("command", ["STOR a", "STOR b", "STOU a", "APPE a"])
@pytest.mark.parametrize("name", CUTS)
def test_an_interrupted_upload(
    server: Callable[..., RunningService], name: str, command: str, sent: int
) -> None:
    cut = CUTS[name]
    served = server(*(["--stall-timeout", "0.2"] if name == "stall" else []))
    (served.root / "a").write_bytes(OLD)
    ended = endings(served)
    wire = served.session()
    if cut.announced:
        assert wire.code(f"ALLO {len(NEW)}") == 200
    data = begun(served, wire, command, NEW[:sent])
    cut.end(wire, data)
    assert tuple(wire.replies(len(cut.codes))) == cut.codes
    served.wait_for(lambda: ended)
    assert ended[0].outcome is Outcome.ABORTED
    data.close()
    wire.drop()
    served.wait_for(served.settled())
    if command == "APPE a":
        content = (served.root / "a").read_bytes()
        assert content == (OLD + NEW[:sent])[: len(content)]
        assert len(content) >= len(OLD) and not hidden(served.root)
        return
    assert visible(served.root) == {"a": OLD}
    if command == "STOU a":
        served.wait_for(lambda: not hidden(served.root))
        return
    came = kept(served)
    assert came == NEW[: len(came)]
    if "ABOR" not in name:  # what has not got to the storage by then is not kept
        assert len(came) >= min(sent, 1_000_000)
    resume(served, command, len(came))


def kept(served: RunningService) -> bytes:
    """Return the partial upload once it is no longer written."""
    served.wait_for(lambda: hidden(served.root))
    (partial,) = hidden(served.root)
    with partial.open("rb") as file:
        number = file.fileno()
        served.wait_for(lambda: os.fstat(number).st_size and not is_locked(number))
        return file.read()


def is_locked(descriptor: int) -> bool:
    """Return whether a partial upload is being written."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def binary(served: RunningService) -> Wire:
    """Log in, for binary transfers."""
    wire = served.session()
    assert wire.code("TYPE I") == 200
    return wire


def resume(served: RunningService, command: str, sent: int) -> None:
    """Resume the upload; the complete file replaces the old one."""
    wire = served.session()
    assert wire.codes("TYPE I", f"REST {sent}") == [200, 350]
    assert wire.upload(command, NEW[sent:]).code == 226
    assert visible(served.root) == {"a": OLD} | {command[-1]: NEW}
    assert not hidden(served.root)


@in_thread
@SENT
def test_a_resumed_upload_that_is_interrupted_again(served: RunningService, sent: int) -> None:
    (served.root / "a").write_bytes(OLD)
    at = 0
    for size in (sent, sent // 2, sent // 3):
        wire = served.session()
        if at:
            assert wire.code("TYPE I") == 200 and wire.code(f"REST {at}") == 350
        reset(begun(served, wire, "STOR a", NEW[at : at + size]))
        assert wire.reply().code == 426
        at += size
        assert len(kept(served)) == at
    assert visible(served.root) == {"a": OLD}
    resume(served, "STOR a", at)


@in_thread
@SENT
def test_an_interrupted_upload_at_an_offset_of_the_old_file(
    served: RunningService, sent: int
) -> None:
    (served.root / "a").write_bytes(OLD)
    wire = served.session()
    assert wire.codes("TYPE I", "REST 50000") == [200, 350]
    reset(begun(served, wire, "STOR a", NEW[:sent]))
    assert wire.reply().code == 426
    assert visible(served.root) == {"a": OLD}
    (partial,) = hidden(served.root)
    assert partial.read_bytes() == OLD[:50_000] + NEW[:sent]
    assert wire.code(f"REST {50_000 + sent}") == 350
    assert wire.upload("STOR a", b"end").code == 226
    assert visible(served.root) == {"a": OLD[:50_000] + NEW[:sent] + b"end"}


@in_thread
@SENT
@pytest.mark.parametrize("ending", ["both whole", "first cut", "second cut", "both cut"])
def test_two_accounts_upload_to_one_name(served: RunningService, sent: int, ending: str) -> None:
    (served.root / "a").write_bytes(OLD)
    ones, others = noise(sent + 1000, 3), noise(sent + 2000, 4)
    one, other = served.session(), served.session("other")
    first = begun(served, one, "STOR a", ones[:sent])
    data = begun(served, other, "STOR a", others[: sent + 1])  # another number than the first's
    expected = OLD
    for wire, end, rest, cut, content in (
        (one, first, ones[sent:], ending in ("first cut", "both cut"), ones),
        (other, data, others[sent + 1 :], ending in ("second cut", "both cut"), others),
    ):
        if cut:
            reset(end)
            assert wire.reply().code == 426
        else:
            end.sendall(rest)
            end.close()
            assert wire.reply().code == 226
            expected = content
        assert visible(served.root) == {"a": expected}
    kept = {"both cut": 2, "first cut": 1, "second cut": 1, "both whole": 0}[ending]
    one.drop()
    other.drop()
    served.wait_for(served.settled())
    assert len(hidden(served.root)) == kept


@in_thread
@SENT
@pytest.mark.parametrize("commands", ["STOR a", "REST 100, STOR a", "APPE a"])
def test_a_running_upload_is_not_taken_over(
    served: RunningService, sent: int, commands: str
) -> None:
    (served.root / "a").write_bytes(OLD)
    one, other = served.session(), served.session()
    data = begun(served, one, "STOR a", NEW[:sent])
    assert other.code("TYPE I") == 200
    with other.data():
        assert other.codes(*commands.split(", "))[-1] == 450
    assert other.code("DELE a") == 250
    data.sendall(b"end")
    data.close()
    assert one.reply().code == 226
    assert visible(served.root) == {"a": NEW[:sent] + b"end"}
    assert not hidden(served.root)


@in_thread
@SENT
def test_a_stalled_upload_is_taken_over(
    served: RunningService, sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client reconnects after a network failure; its first session still seems alive."""
    monkeypatch.setattr(active_uploads, "TAKEOVER_SECONDS", 0.1)
    one, other = served.session(), binary(served)
    data = begun(served, one, "STOR a", NEW[:sent])
    assert other.ask("SIZE a").text in (str(sent), "No such file or directory.")

    code = 450
    while code == 450:
        with other.data() as end:
            code = other.code("STOR a")
            if code == 150:
                end.sendall(NEW)
    assert other.reply().code == 226
    assert one.reply().code == 426
    assert visible(served.root) == {"a": NEW}
    assert not hidden(served.root)
    data.close()


@in_thread
def test_an_append_to_a_file_renamed_meanwhile(served: RunningService) -> None:
    """After an error reply the client would append the same bytes again."""
    (served.root / "a").write_bytes(OLD)
    one, other = served.session(), served.session()
    data = begun(served, one, "APPE a", b"more")
    assert other.codes("RNFR a", "RNTO b") == [350, 250]
    data.close()
    answer = one.reply()
    assert (answer.code, "renamed" in answer.text) == (226, True)
    assert visible(served.root) == {"b": OLD + b"more"}
    data = begun(served, one, "APPE b", b"more")
    assert other.code("DELE b") == 250
    data.close()
    assert one.reply().code == 550
    assert visible(served.root) == {}


@in_thread
@SENT
def test_downloads_are_consistent(served: RunningService, sent: int) -> None:
    old = noise(sent + 3_000_000, 5)
    (served.root / "a").write_bytes(old)
    reader, writer = served.session(), served.session()
    data = served.connected(reader.passive_address(), window=4096)
    assert reader.codes("TYPE I", "NOOP", "RETR a") == [200, 200, 150]
    beginning = data.recv(1000)
    upload = begun(served, writer, "STOR a", NEW[:sent])
    assert binary(served).download("RETR a") == old
    upload.close()
    assert writer.reply().code == 226
    assert binary(served).download("RETR a") == NEW[:sent]
    assert beginning + receive_all(data) == old
    data.close()
    assert reader.reply().code == 226


@in_thread
@SENT
@pytest.mark.parametrize("how", ["by the client", "behind its back"])
def test_the_directory_is_removed_during_an_upload(
    served: RunningService, sent: int, how: str
) -> None:
    wire = served.session()
    assert wire.code("MKD d") == 257
    data = begun(served, wire, "STOR d/a", NEW[:sent])
    if how == "by the client":
        assert served.session().code("RMD d") == 550
        assert served.session("other").code("RMD d") == 550
        data.close()
        assert wire.reply().code == 226
        assert visible(served.root / "d") == {"a": NEW[:sent]}
        return
    for partial in hidden(served.root / "d"):
        partial.unlink()
    (served.root / "d").rmdir()
    data.close()
    assert wire.reply().code == 550
    assert list(served.root.iterdir()) == []
    assert wire.upload("STOR a", NEW[:sent]).code == 226


@in_thread
@SENT
def test_the_directory_is_moved_during_an_upload(served: RunningService, sent: int) -> None:
    wire = served.session()
    assert wire.code("MKD d") == 257
    data = begun(served, wire, "STOR d/a", NEW[:sent])
    assert served.session().codes("RNFR d", "RNTO e") == [350, 250]
    data.close()
    assert wire.reply().code == 226
    assert visible(served.root / "e") == {"a": NEW[:sent]}
