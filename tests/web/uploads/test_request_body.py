"""The body of a request as it arrives: order, bounds, cuts."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice.stream.errors import TransferAborted
from ftpservice.web.uploads.request_body import MAX_WAITING_BYTES, RequestBody


class Channel:
    """Records what is done with the connection."""

    transport = None

    def __init__(self) -> None:
        self.done: list[Any] = []

    def hold(self) -> None:
        self.done.append("hold")

    def proceed(self, seconds: float) -> None:
        self.done.append(("proceed", seconds))

    def expect(self, seconds: float) -> None:
        self.done.append(("expect", seconds))

    def abort(self) -> None:
        self.done.append("abort")


class Reader:
    """Reads a body once."""

    def __init__(self, body: RequestBody, most: int = 1 << 20) -> None:
        self.results: list[Any] = []
        Deferred.fromCoroutine(body.next(most)).addBoth(self.results.append)


@pytest.fixture
def channel() -> Channel:
    return Channel()


@pytest.fixture
def body(channel: Channel) -> RequestBody:
    body = RequestBody(channel)  # type: ignore[arg-type]  # the part of a channel that it uses
    body.stall_seconds = 7.0
    return body


def test_nothing_is_read_before_someone_wants_it(body: RequestBody, channel: Channel) -> None:
    assert channel.done == ["hold"]
    reader = Reader(body)
    assert (channel.done, reader.results) == (["hold", ("proceed", 7.0)], [])
    body.write(b"abc")
    assert reader.results == [b"abc"]
    assert channel.done[-1] == ("expect", 7.0)


def test_the_connection_is_held_while_too_much_waits(body: RequestBody, channel: Channel) -> None:
    Reader(body)
    body.write(b"x")
    body.write(b"y" * MAX_WAITING_BYTES)
    assert channel.done[-1] == "hold"
    assert Reader(body, 10).results == [b"y" * 10]
    assert channel.done[-1] == ("proceed", 7.0)
    assert Reader(body).results == [b"y" * (MAX_WAITING_BYTES - 10)]


def test_the_end_comes_after_all_bytes(body: RequestBody, channel: Channel) -> None:
    body.write(b"ab")
    body.write(b"cd")
    body.end()
    assert [Reader(body, 3).results for _ in range(3)] == [[b"abc"], [b"d"], [b""]]
    assert channel.done == ["hold"]


def test_a_cut_is_told_after_what_arrived(body: RequestBody, channel: Channel) -> None:
    body.write(b"abc")
    body.cut()
    assert Reader(body).results == [b"abc"]
    (failure,) = Reader(body).results
    assert isinstance(failure, Failure)
    assert failure.check(TransferAborted)
    assert not body.is_there()
    body.abort()
    assert "abort" not in channel.done


def test_a_cut_wakes_a_reader_and_cancels_what_waits(body: RequestBody) -> None:
    reader = Reader(body)
    cancelled: list[bool] = []
    waiting: Deferred[None] = Deferred(lambda _one: cancelled.append(True))
    results: list[Any] = []
    Deferred.fromCoroutine(body.unless_cut(waiting)).addBoth(results.append)
    body.cut()
    assert reader.results[0].check(TransferAborted)
    assert results[0].check(TransferAborted)
    assert cancelled == [True]
