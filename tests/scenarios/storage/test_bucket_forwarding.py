"""Large files of a bucket, forwarded from one connection to the other: cut, held up, aborted."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from ftpservice.backends.s3 import forwarded_range, read_ahead
from ftpservice.backends.s3.api import signed_requests
from ftpservice.backends.s3.api.body_stream import BodyStream
from ftpservice.backends.s3.api.bucket import Bucket
from ftpservice.backends.s3.tree import reading_rates
from ftpservice.concurrency.thread_pool import pool_loads
from tests.support.buckets import BUCKET, InlineBucket
from tests.support.large_object import CONTENT, bucket
from tests.support.raw_client import (
    PATIENCE,
    RunningService,
    Wire,
    in_thread,
    receive_all,
    reset,
    starting,
)
from tests.support.server_relay import ServerRelay

FIXTURES = (bucket, starting)
WINDOW = 64 << 10


@pytest.fixture
def relay(bucket: InlineBucket) -> Iterator[ServerRelay]:
    with ServerRelay(bucket.options.endpoint) as made:
        yield made


@pytest.fixture
def served(
    bucket: InlineBucket,
    relay: ServerRelay,
    server: Callable[..., RunningService],
    monkeypatch: pytest.MonkeyPatch,
) -> RunningService:
    """A service that always forwards."""
    monkeypatch.setattr(reading_rates, "FAST_BYTES_PER_SECOND", 0)
    monkeypatch.setattr(forwarded_range, "RANGE_SIZE", 5 << 20)
    monkeypatch.setattr(read_ahead, "BLOCK_SIZE", 3 << 20)
    monkeypatch.setattr(read_ahead, "RANGE_AHEAD", 1 << 20)
    monkeypatch.setattr(signed_requests, "FIRST_PAUSE_SECONDS", 0.001)
    endpoint = relay.url.replace(":", "\\:")
    place = f"s3:{BUCKET}:prefix={bucket.options.prefix}:endpoint={endpoint}"
    return server("--stall-timeout", "60", root=place)


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where blocks begin that were read."""
    found: list[int] = []
    read_into = Bucket.read_into

    def note(self, file, key, start, facts):
        found.append(start)
        read_into(self, file, key, start, facts)

    monkeypatch.setattr(Bucket, "read_into", note)
    return found


def begun(served: RunningService) -> tuple[Wire, socket.socket]:
    """Begin a download, and receive its first bytes."""
    client = served.session()
    data = served.connected(client.passive_address(), window=WINDOW)
    assert client.codes("TYPE I", "RETR large") == [200, 150]
    assert data.recv(1000, socket.MSG_WAITALL) == CONTENT[:1000]
    return client, data


def bodies() -> list[BodyStream]:
    """Return what keeps connections open, to be forwarded."""
    found = [one for one in gc.get_objects() if isinstance(one, BodyStream)]
    return [one for one in found if one._connection is not None]


def waits_for_client() -> bool:
    """Return whether a range is under way, and the client takes nothing."""
    return any(one.forwarded for one in bodies()) and not pool_loads()["s3 storage"].running


@in_thread
def test_a_file_is_forwarded_whole_and_from_any_offset(served, blocks) -> None:
    client = served.session()
    assert client.code("TYPE I") == 200
    assert client.download("RETR large") == CONTENT
    for offset in (1, (1 << 20) - 1, 1 << 20, (5 << 20) + 777, len(CONTENT) - 70_000):
        assert client.code(f"REST {offset}") == 350
        assert client.download("RETR large") == CONTENT[offset:]
    assert client.code("RANG 2000000 9000000") == 350
    assert client.download("RETR large") == CONTENT[2_000_000:9_000_001]
    assert not blocks


@in_thread
def test_answers_that_are_cut_off_are_asked_for_again_from_there(served, relay, blocks) -> None:
    client = served.session()
    assert client.code("TYPE I") == 200
    relay.cuts += [2 << 20, 3 << 20, (1 << 20) + 9000, (3 << 20) + 1]
    assert client.download("RETR large") == CONTENT
    assert not blocks
    assert not relay.cuts


@in_thread
def test_after_many_short_answers_blocks_are_read(served, relay, blocks) -> None:
    client = served.session()
    assert client.code("TYPE I") == 200
    relay.cuts += [9000] * 4
    assert client.download("RETR large") == CONTENT
    assert blocks


@in_thread
def test_a_server_that_is_killed_ends_the_download_with_an_error(served, relay) -> None:
    client, data = begun(served)
    relay.kill()
    received = CONTENT[:1000]
    with suppress(ConnectionResetError):
        while piece := data.recv(1 << 20):
            received += piece
    assert CONTENT.startswith(received)
    assert len(received) < len(CONTENT)
    assert client.reply().code == 451
    assert client.code("NOOP") == 200


@in_thread
def test_a_server_that_falls_silent_is_asked_again(served, relay, monkeypatch) -> None:
    monkeypatch.setattr(signed_requests, "ANSWER_SECONDS", 0.5)
    client, data = begun(served)
    served.wait_for(waits_for_client)
    relay.flows.clear()
    first = relay.connections
    received = bytearray(CONTENT[:1000])
    while relay.connections == first:
        data.settimeout(0.1)
        with suppress(TimeoutError):
            received += data.recv(1 << 20)
    relay.flows.set()
    data.settimeout(PATIENCE)
    assert bytes(received) + receive_all(data) == CONTENT
    assert client.reply().code == 226


@in_thread
def test_a_client_that_takes_nothing_occupies_no_thread_and_may_go_on_later(served, relay) -> None:
    client, data = begun(served)
    served.wait_for(waits_for_client)
    relay.cut_all()
    assert CONTENT[:1000] + receive_all(data) == CONTENT
    assert client.reply().code == 226


@pytest.mark.parametrize("end_it", [reset, socket.socket.close, None])
@in_thread
def test_an_aborted_download_leaves_nothing_open(served, relay, end_it) -> None:
    client, data = begun(served)
    served.wait_for(waits_for_client)
    if end_it is None:
        assert client.codes("ABOR") == [426]
        assert client.reply().code == 226
        with pytest.raises(ConnectionResetError):
            receive_all(data)
    else:
        end_it(data)
        assert client.reply().code == 426
    del data
    served.wait_for(lambda: not bodies())
    assert client.download("RETR large") == CONTENT
