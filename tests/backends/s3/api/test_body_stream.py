"""Bodies that are left in their connections, and what becomes of the connections."""

import os
import select
import threading

import pytest

from ftpservice.backends.s3.api.bucket import Bucket, ObjectFacts
from ftpservice.backends.s3.api.failures import CHANGED, S3Failure
from ftpservice.backends.s3.api.http_connections import HTTPConnections, HTTPRequest
from ftpservice.backends.s3.api.signed_requests import BytesBody
from tests.backends.s3.api.test_memory_file import answering, head
from tests.backends.s3.api.test_signed_requests import requests, server
from tests.support.restartable_service import noise

FIXTURES = (server, requests)
SIZE = 300_000
CONTENT = noise(SIZE)
FACTS = ObjectFacts(SIZE + 10, "abc", 0.0, {})
SPAN = (5, 5 + SIZE)
GET = HTTPRequest("GET", "/a", {}, BytesBody(b""), streams=True)


def all_of(stream):
    """Take what comes, as a turn does."""
    data, stream.held = stream.held, b""
    while stream.left:
        select.select([stream], [], [], 5)
        piece = os.read(stream.fileno(), min(stream.left, 10_000))
        if not piece:
            stream.cut()
            break
        stream.received(len(piece))
        data += piece
    return data


@pytest.mark.parametrize("size", [1, 100, 9000, SIZE])
def test_a_body_is_left_and_its_connection_used_again_when_all_came(server, requests, size):
    accepted = []
    get_request = server.get_request
    server.get_request = lambda: accepted.append(1) or get_request()
    bucket = Bucket(requests)
    for _ in range(2):
        server.answers = [(206, CONTENT[:size], {"ETag": '"abc"'})]
        stream = bucket.stream("key", (5, 5 + size), FACTS)
        assert stream.remaining == size
        assert all_of(stream) == CONTENT[:size]
        assert (stream.remaining, stream.lost, stream.forwarded) == (0, 0, size)
        stream.close()
    assert len(accepted) == 1


def test_a_body_that_is_not_wanted_closes_its_connection(server, requests):
    bucket = Bucket(requests)
    server.answers = [(206, CONTENT, {"ETag": '"abc"'})]
    stream = bucket.stream("key", SPAN, FACTS)
    connection = stream._connection
    assert stream.use(lambda one: one.held) == CONTENT[: len(stream.held)]
    stream.close()
    assert (stream.remaining, stream.use(all_of)) == (0, b"")
    assert connection.sock is None


def test_another_version_is_an_error_and_another_size_no_stream(server, requests):
    bucket = Bucket(requests)
    server.answers = [(206, CONTENT, {"ETag": '"other"'})]
    with pytest.raises(S3Failure) as caught:
        bucket.stream("key", SPAN, FACTS)
    assert caught.value.status == CHANGED
    for answer in (
        (206, CONTENT[1:], {"ETag": '"abc"'}),
        (200, CONTENT, {"ETag": '"abc"'}),
        (206, b"", {}),
    ):
        server.answers = [answer]
        assert bucket.stream("key", SPAN, FACTS) is None
    assert bucket.can_stream


def test_a_failure_has_its_text_and_what_passes_is_repeated(server, requests):
    text = b"<Error><Code>NoSuchKey</Code><Message>because</Message></Error>"
    server.answers = [(503, b"", {}), (404, text, {})]
    with pytest.raises(S3Failure, match="404 NoSuchKey because"):
        Bucket(requests).stream("key", SPAN, FACTS)


def test_a_body_without_a_size_is_no_stream():
    chunked = b"HTTP/1.1 206 Partial\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with answering(chunked) as (made, _goes_on):
        answer = made.request(GET, 5)
        assert (answer.stream, answer.body, answer.status) == (None, b"", 206)


def test_an_answer_that_ends_before_its_body_is_an_error():
    with answering(head()) as (made, goes_on):
        goes_on.release()
        with pytest.raises(ConnectionError, match="not complete"):
            made.request(GET, 5)


def test_a_server_that_closes_gets_another_connection():
    with answering(head(3, "Connection: close\r\n") + b"abc") as (made, _goes_on):
        stream = made.request(GET, 5).stream
        assert all_of(stream) == b"abc"
        assert not made._idle


def test_closing_wakes_a_turn_that_waits_for_the_server():
    with answering(head() + CONTENT[:5000]) as (made, _goes_on):
        stream = made.request(GET, 5).stream
        found, begun = [], threading.Event()
        thread = threading.Thread(
            target=stream.use, args=(lambda one: begun.set() or found.append(all_of(one)),)
        )
        thread.start()
        begun.wait()
        stream.close()
        thread.join()
        assert found == [CONTENT[:5000]]
        assert stream._connection is None


def test_with_tls_nothing_is_streamed():
    assert not HTTPConnections("https://127.0.0.1:1").can_stream
    assert HTTPConnections("http://127.0.0.1:1").can_stream
