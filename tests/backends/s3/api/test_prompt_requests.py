"""Small requests without a thread: what is sent, what counts as an answer, and what is left."""

import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from botocore.credentials import RefreshableCredentials

from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.api.prompt_requests import (
    MAX_PROMPT_BYTES,
    PROMPT_SECONDS,
    PromptRequests,
)
from ftpservice.backends.s3.api.signed_requests import BytesBody, S3Call, SignedRequests
from tests.backends.s3.api.test_signed_requests import server
from tests.support.buckets import BUCKET
from tests.support.certificates import Authority
from tests.support.reading_reactor import ReadingReactor
from tests.support.s3_servers import SETTINGS

FIXTURES = (server,)
STORED = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n'
CALL = S3Call("PUT", "a b", body=BytesBody(b"body"))


class Peer:
    """The server's end of the only connection of `PromptRequests`."""

    def __init__(self, listening: socket.socket) -> None:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.requests = SignedRequests(BucketOptions(BUCKET, endpoint=url))
        assert self.requests.place
        assert self.requests._chain.current()
        connections = self.requests._connections
        connections.keep(connections._connected())
        self.socket, _address = listening.accept()
        self.socket.settimeout(10)
        self.reactor = ReadingReactor()
        self.prompt = PromptRequests(self.requests, self.reactor)

    def sent(self):
        """Send the call; return what will be its answer, once all of it has arrived."""
        answered = self.prompt.send(CALL)
        data = b""
        while not data.endswith(b"\r\n\r\nbody"):
            data += self.socket.recv(1000)
        assert data.startswith(b"PUT /files/a%20b HTTP/1.1\r\nHost: 127.0.0.1:")
        assert b"\r\nContent-Length: 4\r\n" in data
        return answered

    def answer(self, data):
        """Answer the call; return what counts as its answer."""
        answered = self.sent()
        self.socket.sendall(data)
        self.reactor.read_until(answered)
        assert not self.reactor.readers
        return answered.result


@pytest.fixture
def peer():
    with (
        mock.patch.dict(os.environ, SETTINGS),
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        made = Peer(listening)
        yield made
        made.socket.close()
        made.requests.stop()


def test_a_success_is_an_answer_and_the_connection_is_used_again(peer):
    for _ in range(2):
        answer = peer.answer(STORED)
        assert (answer.status, answer.headers["etag"]) == (200, '"e"')


def test_an_answer_may_come_in_pieces(peer):
    answered = peer.sent()
    for byte in STORED[:-1]:
        peer.socket.sendall(bytes([byte]))
        (reader,) = peer.reactor.readers
        reader.doRead()
    assert not answered.called
    peer.socket.sendall(STORED[-1:])
    peer.reactor.read_until(answered)
    assert answered.result.status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n<Erro",
        b"nonsense\r\n\r\n",
    ],
)
def test_anything_else_is_left_to_a_thread(peer, data):
    assert peer.answer(data) is None


@pytest.mark.parametrize(
    "added", [b"Content-Length: 5\r\n\r\n", b"Connection: close\r\nContent-Length: 0\r\n\r\n"]
)
def test_a_connection_that_cannot_be_used_again_is_closed(peer, added):
    assert peer.answer(b"HTTP/1.1 200 OK\r\n" + added).status == 200
    assert peer.socket.recv(1) == b""


@pytest.mark.parametrize("data", [b"", STORED[:20]])
def test_a_connection_that_ends_is_left_to_a_thread(peer, data):
    answered = peer.sent()
    peer.socket.sendall(data)
    peer.socket.shutdown(socket.SHUT_WR)
    peer.reactor.read_until(answered)
    assert answered.result is None


def test_a_late_answer_is_given_up(peer):
    answered = peer.sent()
    for _ in range(PROMPT_SECONDS):
        peer.prompt.tick()
    assert not answered.called
    peer.prompt.tick()
    assert answered.result is None
    assert peer.socket.recv(1) == b""
    assert not peer.reactor.readers


def test_what_is_under_way_ends_with_the_service(peer):
    answered = peer.sent()
    peer.prompt.stop()
    assert answered.result is None
    assert peer.prompt.send(CALL) is None


def test_a_large_request_is_left_to_a_thread(peer):
    assert peer.prompt.send(S3Call("PUT", "a", body=BytesBody(b"x" * MAX_PROMPT_BYTES))) is None
    assert peer.answer(STORED) is not None


def test_nothing_waits_for_credentials(peer):
    soon = datetime.now(UTC) + timedelta(minutes=1)
    refresh = mock.Mock(side_effect=AssertionError)
    expiring = RefreshableCredentials("a", "b", "c", soon, refresh, "test")
    with mock.patch.object(peer.requests._chain, "_known", expiring):
        assert peer.prompt.send(CALL) is None
    assert SignedRequests(BucketOptions(BUCKET)).signed_bytes(CALL) is None  # not read yet


def test_a_server_with_tls_gets_it(server, tmp_path):
    authority = Authority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.certificate("s3.example.org"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = server.url.replace("http", "https")
    with mock.patch.dict(os.environ, SETTINGS | {"AWS_CA_BUNDLE": str(authority.path)}):
        requests = SignedRequests(BucketOptions(BUCKET, endpoint=url))
        server.answers = [(200, b"", {})] * 4
        requests.send(S3Call("GET"))
        reactor = ReadingReactor()
        prompt = PromptRequests(requests, reactor)
        for number in range(3):
            answered = prompt.send(S3Call("PUT", "a", body=BytesBody(b"%d" % number * 9000)))
            reactor.read_until(answered)
            assert answered.result.status == 200
        requests.stop()
    assert [one[2] for one in server.seen[1:]] == [b"%d" % number * 9000 for number in range(3)]
