"""Frames between two processes: whole or not at all, and never a process that waits."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.testing import StringTransport

from ftpservice.workers.channel import LENGTH, MAX_FRAME_BYTES, Channel
from tests.support.loopback import until
from tests.support.open_resources import LoggedErrors


class End:
    """One end, and what it has got."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.losses = 0
        self.channel = Channel({"note": self.note, "fail": self.fail}, self.lost)
        self.transport = StringTransport()

    def note(self, *values: Any) -> None:
        self.got.append(values)

    def fail(self) -> None:
        raise RuntimeError("as it should")

    def lost(self) -> None:
        self.losses += 1

    def connect(self) -> End:
        self.transport.abortConnection = self.transport.loseConnection  # type: ignore[method-assign]
        self.channel.makeConnection(self.transport)
        return self


@pytest.fixture
def end() -> End:
    return End().connect()


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_message_arrives_whole_however_it_is_cut(end: End, size: int) -> None:
    sent = [("a", 1, None), ([1.5, b"x"], {"k": ("\udcff",)}), (), ("y" * 500,)]
    content = b"".join(end.channel.frame("note", *values) for values in sent)
    for start in range(0, len(content), size):
        end.channel.dataReceived(content[start : start + size])
    assert end.got == sent


@pytest.mark.parametrize(
    "content",
    [
        LENGTH.pack(MAX_FRAME_BYTES + 1),
        LENGTH.pack(2) + b"\xff\xff",
        LENGTH.pack(0),
    ],
)
def test_what_is_no_message_ends_the_connection(end: End, content: bytes) -> None:
    end.channel.dataReceived(content)
    assert end.transport.disconnecting
    assert end.got == []


def test_a_message_of_another_version_is_passed_over(end: End) -> None:
    with LoggedErrors():
        end.channel.dataReceived(end.channel.frame("other", 1) + end.channel.frame("note", 2))
    assert end.got == [(2,)]
    assert not end.transport.disconnecting


def test_what_was_read_after_the_end_of_reading_is_kept(end: End) -> None:
    rest = end.channel.frame("note", 2) + end.channel.frame("note", 3)[:7]
    end.transport.stopReading = lambda: None  # type: ignore[attr-defined]
    end.channel = Channel({"note": lambda *_values: end.channel.detach()}, end.lost)
    end.transport.unregisterProducer()
    end.channel.makeConnection(end.transport)
    end.channel.dataReceived(end.channel.frame("note", 1) + rest)
    assert end.channel.received == rest


def test_a_message_that_fails_does_not_keep_the_next_one(end: End) -> None:
    end.channel.dataReceived(end.channel.frame("fail") + end.channel.frame("note", 1))
    assert end.got == [(1,)]


def test_values_that_are_not_plain_are_refused(end: End) -> None:
    with pytest.raises(ValueError, match="unmarshallable"):
        end.channel.send("note", object())


def test_bytes_that_are_not_read_are_counted(end: End) -> None:
    resumed: list[bool] = []
    end.channel.resumed = lambda: resumed.append(end.channel.is_paused)
    end.channel.send("note", 1)
    assert end.channel.unread_bytes == 0
    end.channel.pauseProducing()
    end.channel.send("note", 1)
    assert end.channel.unread_bytes == len(end.channel.frame("note", 1))
    end.channel.resumeProducing()
    assert (end.channel.unread_bytes, resumed) == (0, [False])


def test_nothing_is_sent_when_the_other_end_is_gone(end: End) -> None:
    end.channel.connectionLost()
    end.channel.send("note", 1)
    end.channel.close()
    assert end.transport.value() == b""
    assert end.losses == 1


@ensureDeferred
async def test_two_ends_over_a_socket(reactor) -> None:
    one, other = End(), End()
    for end, own in zip((one, other), socket.socketpair(), strict=True):
        own.setblocking(False)
        end.channel.adopt(own, reactor)
    large = "x" * 1_000_000
    one.channel.send("note", large)
    other.channel.send("note", "y")
    one.channel.close()
    await until(reactor, lambda: other.losses == 1 and one.losses == 1)
    assert other.got == [(large,)]


def test_a_socket_that_cannot_be_used_is_closed(reactor, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_words: Any) -> None:
        raise OSError("no descriptor is left")

    own, other = socket.socketpair()
    monkeypatch.setattr(reactor, "adoptStreamConnection", refused)
    with other:
        with pytest.raises(OSError, match="no descriptor is left"):
            Channel({}, bool).adopt(own, reactor)
        assert other.recv(1) == b""


def test_nothing_is_carried_out_after_a_damaged_message(end: End) -> None:
    with LoggedErrors() as errors:
        end.channel.dataReceived(LENGTH.pack(2) + b"\xff\xff" + end.channel.frame("note", 1))
    assert end.got == []
    assert len(errors.lines) == 1
