"""Hostile and killed clients of the simple protocol, and files that change during a transfer."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ftpservice.events import Event, HandshakeFailed
from ftpservice.session import active_uploads
from ftpservice.wire.paths import VirtualPath
from tests.support.certificates import Authority
from tests.support.raw_client import RunningService, in_thread, starting
from tests.support.restartable_service import hidden, noise, visible
from tests.support.simple_client import SimpleWire, connected, session, simple_served

FIXTURES = (starting, simple_served)
SIMPLE = ("--simple", "tcp:0:interface=127.0.0.1")


def slow_reader(served: RunningService) -> SimpleWire:
    """Log in with a small receive buffer."""
    wire = SimpleWire(served, served.connected(("127.0.0.1", served.ports[-1]), window=4096))
    assert wire.line() == "OK ftpservice simple/1"
    return wire.login()


@in_thread
@pytest.mark.parametrize("limits", [(), ("--rate-down", "1G")], ids=["free", "paced"])
def test_a_growing_file_is_sent_with_its_announced_size(
    server: Callable[..., RunningService], limits: tuple[str, ...]
) -> None:
    served = server(*SIMPLE, *limits)
    content = noise(10_000_000, 1)
    (served.root / "a").write_bytes(content)
    wire = slow_reader(served)
    wire.send("DWLD a\nHELP\n")
    assert wire.line() == "OK 10000000"
    with open(served.root / "a", "ab") as file:
        file.write(b"more")
    assert wire.raw(10_000_000) == content
    assert wire.line() == "OK 10"


@in_thread
def test_a_client_that_does_not_read_does_not_delay_others(served: RunningService) -> None:
    (served.root / "a").write_bytes(noise(60_000, 1))
    greedy = slow_reader(served)
    greedy.end.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            greedy.end.send(b"DWLD a\n" * 1000)
    greedy.end.settimeout(15)
    other = session(served)
    assert other.download("a") == noise(60_000, 1)
    assert greedy.line() == "OK 60000"
    assert greedy.raw(60_000) == noise(60_000, 1)
    greedy.reset()
    served.wait_for(lambda: len(served.factory.instances) == 1)


@in_thread
def test_an_interrupted_pipeline_keeps_its_complete_uploads(served: RunningService) -> None:
    (served.root / "f9").write_bytes(b"old")
    wire = session(served)
    wire.send(b"".join(b"UPLD 5+ f%d\nhello" % number for number in range(9)))
    wire.send(b"UPLD 5+ f9\nhel")
    for number in range(9):
        assert wire.line() == f"OK 5 f{number}"
    wire.reset()
    served.wait_for(served.settled())
    whole = {f"f{number}": b"hello" for number in range(9)}
    assert visible(served.root) == {**whole, "f9": b"old"}


BEING_UPLOADED = "ERR INTERNAL another session is uploading it"


@pytest.fixture
def no_takeover(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable the takeover of stalled uploads."""
    monkeypatch.setattr(active_uploads, "TAKEOVER_SECONDS", float("inf"))


@in_thread
def test_two_sessions_upload_to_one_name(served: RunningService, no_takeover: None) -> None:
    ends = [session(served), session(served)]
    contents = [noise(40_000, 1), noise(300_000, 2)]
    for _ in range(10):
        for end, content in zip(ends, contents, strict=True):
            end.send(b"UPLD %d+ a\n" % len(content) + content)
        stored = []
        for end, content in zip(ends, contents, strict=True):
            answer = end.line()
            if answer != BEING_UPLOADED:
                assert answer == f"OK {len(content)} a"
                stored.append(content)
        assert (served.root / "a").read_bytes() in stored
    assert not hidden(served.root)


@in_thread
def test_a_name_with_an_upload_in_another_session_is_refused(
    served: RunningService, no_takeover: None
) -> None:
    first, second = session(served), session(served)
    content = noise(300_000, 1)
    first.send(b"UPLD %d+ a\n" % len(content) + content[:100_000])
    uploads = served.factory.services().uploads
    served.wait_for(lambda: ("demo", VirtualPath.parse("/a")) in uploads.active)
    second.send(b"UPLD 200000+ a\n" + noise(200_000, 2) + b"UPLD 5+ b\nhello")
    assert second.line() == BEING_UPLOADED
    assert second.line() == "OK 5 b"
    first.send(content[100_000:])
    assert first.line() == f"OK {len(content)} a"
    assert visible(served.root) == {"a": content, "b": b"hello"}
    assert not hidden(served.root)


@in_thread
def test_sockets_of_a_test_are_closed_after_it(served: RunningService) -> None:
    wire = session(served)
    served.close()
    assert wire.end.fileno() == -1  # the file made of it does not keep it open


@in_thread
def test_lines_may_arrive_byte_by_byte(served: RunningService) -> None:
    wire = connected(served)
    wire.end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in b"user demo\r\npass demo\r\nupld 3+ a\r\nabcdwld a\r\nquit\r\n":
        wire.send(bytes([byte]))
    said = wire.rest().decode().splitlines()
    assert said[3:] == ["OK 3 a", "OK 3", "abcOK goodbye"]


@in_thread
@pytest.mark.parametrize("seed", range(20))
def test_garbage_is_refused_or_ends_the_session(served: RunningService, seed: int) -> None:
    chance = random.Random(seed)
    words = [b"UPLD", b"DWLD", b"LIST", b"@", b"9", b"+", b" ", b"/", b"..", b"\n", b"\r", b"\0"]
    junk = b"".join(
        chance.choice(words) if chance.random() < 0.9 else chance.randbytes(3) for _ in range(3000)
    )
    (served.root / "kept").write_bytes(b"kept")
    wire = session(served)
    with suppress(ConnectionError):
        wire.send(junk)
        wire.end.shutdown(socket.SHUT_WR)
        wire.rest()
    wire.end.close()
    served.wait_for(served.settled())
    assert visible(served.root)["kept"] == b"kept"
    assert session(served).download("kept") == b"kept"


@in_thread
def test_plaintext_on_an_implicit_port_is_logged(
    server: Callable[..., RunningService], tmp_path: Path
) -> None:
    papers = str(Authority(tmp_path).certificate("service"))
    served = server("--simple-tls", "tcp:0:interface=127.0.0.1", "--certificate", papers)
    seen: list[Event] = []
    served.factory.event_sink.events.subscribe(seen.append)
    wire = connected(served)
    wire.send("USER demo\nPASS demo\n")
    served.wait_for(lambda: [event for event in seen if isinstance(event, HandshakeFailed)])
    served.wait_for(served.settled())
