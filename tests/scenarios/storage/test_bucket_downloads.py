"""Large files of a bucket, sent block by block: plaintext and TLS, from an offset, aborted."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

import pytest

from ftpservice.backends.s3 import forwarded_range, read_ahead
from tests.support.buckets import BUCKET
from tests.support.large_object import CONTENT, bucket
from tests.support.raw_client import LOCAL, RunningService, in_thread, starting
from tests.support.tcp_wire import Wire, receive_all, reset
from tests.support.tls_client import TLSWire, client_context

FIXTURES = (bucket, starting)


@pytest.fixture
def served(bucket, server, monkeypatch) -> RunningService:
    """A service with room for some blocks."""
    monkeypatch.setattr(read_ahead, "BLOCK_SIZE", 3 << 20)
    monkeypatch.setattr(read_ahead, "RANGE_AHEAD", 1 << 20)
    monkeypatch.setattr(forwarded_range, "FIRST_RANGE_SIZE", 3 << 20)
    monkeypatch.setattr(forwarded_range, "RANGE_SIZE", 3 << 20)
    endpoint = bucket.options.endpoint.replace(":", "\\:")
    place = f"s3:{BUCKET}:prefix={bucket.options.prefix}:endpoint={endpoint}:memory=16M"
    started: RunningService = server(root=place)
    return started


def plain(served: RunningService) -> Wire:
    return served.session()


def private(served: RunningService) -> Wire:
    client = TLSWire(served, served.connected((LOCAL, served.port)), client_context())
    client.auth().login()
    return client.protect()


def descriptors() -> set[str]:
    """Return the files in memory of this process; other tests may have left some."""
    found = {_target(number) for number in os.listdir("/proc/self/fd")}
    return {one for one in found if "memfd:ftpservice" in one}


def _target(number: str) -> str:
    try:
        place = f"/proc/self/fd/{number}"
        return f"{os.readlink(place)} {os.stat(place).st_ino}"
    except OSError:
        return ""


@pytest.mark.parametrize("session", [plain, private])
@in_thread
def test_a_large_file_is_sent_whole_and_from_any_offset(served, session) -> None:
    before = descriptors()
    client = session(served)
    assert client.code("TYPE I") == 200
    assert client.download("RETR large") == CONTENT
    for offset in (1, (1 << 20) - 1, 1 << 20, (5 << 20) + 777, len(CONTENT) - 5, len(CONTENT)):
        assert client.code(f"REST {offset}") == 350
        assert client.download("RETR large") == CONTENT[offset:]
    assert client.code("TYPE A") == 200
    assert client.download("RETR large") == CONTENT.replace(b"\n", b"\r\n")
    served.wait_for(lambda: descriptors() <= before)


@pytest.mark.parametrize("session", [plain, private])
@in_thread
def test_an_aborted_download_leaves_no_file_in_memory(served, session) -> None:
    before = descriptors()
    client = session(served)
    assert client.code("TYPE I") == 200
    for end_it in (reset, socket.socket.close):
        data = client.data()
        assert client.code("RETR large") == 150
        assert data.recv(1000) == CONTENT[:1000]
        end_it(data)
        assert client.reply().code == 426
        served.wait_for(lambda: descriptors() <= before)
    data = client.data()
    assert client.code("RETR large") == 150
    assert client.codes("ABOR") == [426]
    assert client.reply().code == 226
    data.close()
    served.wait_for(lambda: descriptors() <= before)
    assert client.download("RETR large") == CONTENT


@in_thread
def test_many_downloads_share_the_memory(served) -> None:
    before = descriptors()
    clients = [plain(served) for _ in range(5)]
    ends = [client.data() for client in clients]
    for client in clients:
        assert client.codes("TYPE I", "RETR large") == [200, 150]
    for client, end in zip(clients, ends, strict=True):
        assert receive_all(end) == CONTENT
        assert client.reply().code == 226
    served.wait_for(lambda: descriptors() <= before)


@in_thread
def test_a_file_that_is_replaced_while_it_is_sent_ends_with_an_error(served, bucket) -> None:
    bucket.write("changing", CONTENT)
    client = plain(served)
    data = client.data()
    data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    assert client.codes("TYPE I", "RETR changing") == [200, 150]
    received = data.recv(1000)
    bucket.write("changing", b"x" * len(CONTENT))
    with suppress(ConnectionResetError):
        while piece := data.recv(1 << 20):
            received += piece
    assert CONTENT.startswith(received)
    assert len(received) < len(CONTENT)
    assert client.reply().code == 451
