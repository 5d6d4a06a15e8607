"""Bodies of answers in files: complete, in pieces, broken off, late; and those that do not fit."""

import os
import socket
import threading
from contextlib import contextmanager

import pytest

from ftpservice.backends.s3.api import memory_file
from ftpservice.backends.s3.api.bucket import Bucket, ObjectFacts
from ftpservice.backends.s3.api.failures import CHANGED, S3Failure
from ftpservice.backends.s3.api.http_connections import HTTPConnections, HTTPRequest
from ftpservice.backends.s3.api.memory_file import ObjectFile
from ftpservice.backends.s3.api.signed_requests import BytesBody
from tests.backends.s3.api.test_signed_requests import requests, server
from tests.support.restartable_service import noise

FIXTURES = (server, requests)
SIZE = 300_000
CONTENT = noise(SIZE)
FACTS = ObjectFacts(SIZE + 10, "abc", 0.0, {})


@contextmanager
def answering(*pieces):
    """Yield connections to a server that sends pieces, when each is asked for, and ends."""
    goes_on = threading.Semaphore(0)

    def serve():
        peer, _address = listening.accept()
        with peer:
            peer.recv(65536)
            for piece in pieces:
                peer.sendall(piece)
                goes_on.acquire(timeout=10)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        connections = HTTPConnections(f"http://127.0.0.1:{listening.getsockname()[1]}")
        yield connections, goes_on
        goes_on.release(len(pieces))
        thread.join()
        connections.close()


def head(size=SIZE, more=""):
    return f"HTTP/1.1 206 Partial Content\r\nContent-Length: {size}\r\n{more}\r\n".encode()


def request(file):
    return HTTPRequest("GET", "/a", {}, BytesBody(b""), file)


def content_of(file):
    return os.pread(file.descriptor, file.size + 1, 0)


def test_a_body_that_comes_with_the_headers_and_after_them_is_whole(server):
    connections = HTTPConnections(server.url)
    for content in (b"x", CONTENT[:100], CONTENT[:9000], CONTENT):
        file = ObjectFile(len(content))
        server.answers = [(206, content, {"ETag": '"abc"'}), (200, b"next", {})]
        answer = connections.request(request(file), 5)
        assert (answer.is_in_file, answer.body, answer.status) == (True, b"", 206)
        assert content_of(file) == content
        assert connections.request(request(file), 5).body == b"next"
    connections.close()


def test_a_body_in_pieces_is_waited_for():
    file = ObjectFile(SIZE)
    with answering(head() + CONTENT[:10], CONTENT[10:70_000], CONTENT[70_000:]) as (made, goes_on):
        threading.Timer(0.01, goes_on.release, [3]).start()
        assert made.request(request(file), 5).is_in_file
    assert content_of(file) == CONTENT


def test_a_body_that_breaks_off_is_an_error():
    with answering(head() + CONTENT[:5000]) as (made, goes_on):
        goes_on.release()
        with pytest.raises(ConnectionError, match="not complete"):
            made.request(request(ObjectFile(SIZE)), 5)


def test_a_body_that_does_not_come_in_time_is_an_error():
    with (
        answering(head() + CONTENT[:5000], b"") as (made, _goes_on),
        pytest.raises(TimeoutError),
    ):
        made.request(request(ObjectFile(SIZE)), 0.05)


def test_a_body_of_another_size_or_without_one_is_returned(server):
    with answering(head(3) + b"abc") as (made, _goes_on):
        answer = made.request(request(ObjectFile(SIZE)), 5)
        assert (answer.is_in_file, answer.body) == (False, b"abc")
    chunked = b"HTTP/1.1 206 Partial\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with answering(chunked) as (made, _goes_on):
        answer = made.request(request(ObjectFile(3)), 5)
        assert (answer.is_in_file, answer.body) == (False, b"abc")


def test_a_part_of_the_version_is_read_whatever_the_server_makes_of_the_range(server, requests):
    bucket, whole = Bucket(requests), b"12345" + CONTENT + b"12345"
    for answer in (
        (206, CONTENT, {"ETag": '"abc"'}),
        (200, whole, {"ETag": '"abc"'}),
        (206, CONTENT, {}),
    ):
        file = ObjectFile(SIZE)
        server.answers = [answer]
        bucket.read_into(file, "key", 5, FACTS)
        assert content_of(file) == CONTENT


def test_another_version_or_another_number_of_bytes_is_an_error(server, requests):
    bucket = Bucket(requests)
    for answer, status in (
        ((206, CONTENT, {"ETag": '"other"'}), CHANGED),
        ((206, CONTENT[1:], {"ETag": '"abc"'}), 0),
        ((200, CONTENT[1:], {"ETag": '"abc"'}), 0),
    ):
        server.answers = [answer]
        with pytest.raises(S3Failure) as caught:
            bucket.read_into(ObjectFile(SIZE), "key", 5, FACTS)
        assert caught.value.status == status


def test_an_answer_that_breaks_off_is_asked_for_again(server, requests, monkeypatch):
    calls = []
    receive = memory_file.splice_turn

    def cut_once(*args, **more):
        calls.append(args)
        if len(calls) == 1:
            raise ConnectionResetError
        return receive(*args, **more)

    monkeypatch.setattr(memory_file, "splice_turn", cut_once)
    server.answers = [(206, CONTENT, {"ETag": '"abc"'})] * 2
    file = ObjectFile(SIZE)
    Bucket(requests).read_into(file, "key", 5, FACTS)
    assert content_of(file) == CONTENT


def test_a_file_is_closed_after_its_last_use():
    file = ObjectFile(10)
    file.write(b"abc", 7)
    assert (file.read(5, 100), file.read(11, 1)) == (b"\0\0abc", b"")
    descriptor = file.descriptor
    del file
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
