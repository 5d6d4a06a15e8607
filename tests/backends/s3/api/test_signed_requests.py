"""Requests: what is repeated, what is not, and how failures are told."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from unittest import mock

import pytest
from botocore.exceptions import ClientError

from ftpservice.backends.s3.api import signed_requests
from ftpservice.backends.s3.api.bucket import Bucket, Condition
from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.api.failures import S3Failure, storage_error
from ftpservice.backends.s3.api.signed_requests import BytesBody, S3Call, SignedRequests
from ftpservice.storage.errors import Busy, Denied, NoSpace, PathNotFound, Unavailable
from ftpservice.wire.paths import ROOT
from tests.support.s3_servers import SETTINGS


class ScriptedServer(HTTPServer):
    """Answers with statuses and bodies in order, and keeps what was requested."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.answers: list[tuple[int, bytes, dict[str, str]]] = []
        self.seen: list[tuple[str, str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, body))
        status, text, headers = self.server.answers.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def requests(server: ScriptedServer) -> Iterator[SignedRequests]:
    with (
        mock.patch.dict(os.environ, SETTINGS),
        mock.patch.object(signed_requests, "FIRST_PAUSE_SECONDS", 0.001),
    ):
        made = SignedRequests(BucketOptions("files", endpoint=server.url, region="us-east-1"))
        yield made
        made.stop()


def failure_xml(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>because</Message></Error>".encode()


def test_what_passes_is_repeated(server, requests):
    server.answers = [(503, failure_xml("SlowDown"), {}), (500, b"", {}), (200, b"data", {})]
    assert requests.send(S3Call("GET", "a b/ü")).body == b"data"
    assert [one[:2] for one in server.seen] == [("GET", "/files/a%20b/%C3%BC")] * 3


def test_the_body_is_sent_again(server, requests):
    server.answers = [(503, b"", {}), (200, b"", {"ETag": '"e"'})]
    assert Bucket(requests).write("key", BytesBody(b"body")) == "e"
    assert [one[2] for one in server.seen] == [b"body", b"body"]


def test_a_failure_that_stays_is_told(server, requests):
    server.answers = [(503, failure_xml("SlowDown"), {})] * 5
    with pytest.raises(S3Failure, match="503 SlowDown because"):
        requests.send(S3Call("GET", "key"))
    assert not server.answers


def test_a_refusal_is_not_repeated(server, requests):
    server.answers = [(403, failure_xml("AccessDenied"), {})]
    with pytest.raises(S3Failure, match="403 AccessDenied because"):
        requests.send(S3Call("GET", "key"))


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (507, "XMinioStorageFull", "because"),
        (503, "QuotaExceeded", "because"),
        (500, "InternalError", "no space left on device"),
    ],
)
def test_a_full_server_is_not_asked_again(server, requests, status, code, text):
    answer = failure_xml(code).replace(b"because", text.encode())
    server.answers = [(status, answer, {})]
    with pytest.raises(S3Failure, match=f"{status} {code} {text}") as failed:
        requests.send(S3Call("PUT", "key"))
    assert isinstance(storage_error(failed.value, ROOT), NoSpace)


def test_a_conflict_of_conditional_writes_is_repeated(server, requests):
    server.answers = [(409, failure_xml("ConditionalRequestConflict"), {}), (200, b"", {})]
    requests.send(S3Call("PUT", "key", {}, {"If-None-Match": "*"}))


def test_a_refusal_before_the_body_is_sent_is_told(requests):
    """The server closes the connection while it is written to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        refused = threading.Thread(target=refuse, args=(listening,))
        refused.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        made = SignedRequests(BucketOptions("files", endpoint=url))
        with pytest.raises(S3Failure, match="403 AccessDenied because"):
            made.send(S3Call("PUT", "key", body=BytesBody(bytes(32 << 20))))
        refused.join()
        made.stop()


def refuse(listening: socket.socket) -> None:
    """Answer a request when its head has come."""
    peer, _address = listening.accept()
    data = b""
    while b"\r\n\r\n" not in data:
        data += peer.recv(1000)
    text = failure_xml("AccessDenied")
    peer.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
    peer.close()


def test_the_clock_of_the_server_is_compared_with_that_of_the_machine(server, requests):
    for seconds in (0, 600, -600):
        date = formatdate(time.time() + seconds, usegmt=True)
        server.answers = [(200, b"", {"Date": date})]
        requests._compared_at = float("-inf")
        requests.send(S3Call("GET", "key"))
        assert requests.server_ahead == pytest.approx(seconds, abs=signed_requests.ANSWER_SECONDS)


def test_a_page_without_keys_may_not_be_the_last_one(server, requests):
    empty = (
        b"<R><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></R>"
    )
    last = b"<R><Contents><Key>a/b</Key></Contents></R>"
    for answers, found in (([empty, last], True), ([empty, empty], False), ([b"<R></R>"], False)):
        server.answers = [(200, one, {}) for one in answers]
        assert Bucket(requests).has_any("a/") is found
        assert not server.answers
    server.answers = [(200, b"<R><Contents><Key>a/</Key></Contents></R>", {})]
    assert not Bucket(requests).has_more("a/")


def test_credentials_that_cannot_be_renewed_are_told(server, requests):
    assert requests.place == f"{server.url}/files"
    failure = ClientError({"Error": {"Code": "ExpiredToken"}}, "AssumeRole")
    refusing = mock.Mock(**{"get_credentials.side_effect": failure})
    with (
        mock.patch.object(requests._chain, "_session", refusing),
        pytest.raises(S3Failure, match="ExpiredToken"),
    ):
        requests.send(S3Call("GET", "key"))
    assert not server.seen


def test_an_error_after_the_status_is_an_error(server, requests):
    server.answers = [(200, failure_xml("AccessDenied"), {})]
    with pytest.raises(S3Failure, match="AccessDenied"):
        requests.send(S3Call("PUT", "copy"))


def test_an_object_that_a_lost_attempt_has_created_is_no_conflict(server, requests):
    """The repeated call finds what the first one, whose answer was lost, has stored."""
    server.answers = [(500, b"", {}), (412, failure_xml("PreconditionFailed"), {})]
    with mock.patch("ftpservice.backends.s3.api.bucket.uuid4") as token:
        token.return_value.hex = "mine"
        server.answers.append((200, b"", {"ETag": '"e"', "x-amz-meta-ftpservice-upload": "mine"}))
        assert Bucket(requests).write("key", BytesBody(b"x"), None, Condition(True)) == "e"
        server.answers = [(412, b"", {}), (200, b"", {"x-amz-meta-ftpservice-upload": "other"})]
        with pytest.raises(S3Failure, match="412"):
            Bucket(requests).write("key", BytesBody(b"x"), None, Condition(True))


def test_nobody_there_is_told_in_time(requests, server):
    server.answers = []
    away = SignedRequests(BucketOptions("files", endpoint="http://127.0.0.1:1"), lambda: 0.0)
    with pytest.raises(S3Failure, match="refused"):
        away.send(S3Call("GET", "key"))


def test_a_silent_server_is_waited_for_once_until_it_answers(requests, server):
    now, waited = [0.0], []

    def silent(_request, seconds):
        waited.append(seconds)
        now[0] += seconds
        raise TimeoutError("timed out")

    made = SignedRequests(BucketOptions("files", endpoint=server.url), lambda: now[0])
    call = S3Call("GET", "key")
    assert made.place
    for _ in range(2):
        waited.clear()
        for calls in (2, 3, 4):
            silenced = mock.patch.object(made._connections, "request", silent)
            with silenced, pytest.raises(S3Failure, match="timed out"):
                made.send(call)
            assert waited == [15.0, 4.0, 4.0, 4.0][:calls]
            assert made.signed_bytes(call) is None
        server.answers = [(404, b"", {})]
        with pytest.raises(S3Failure, match="404"):
            made.send(call)
        assert made.signed_bytes(call) is not None
    made.stop()


def test_missing_credentials_are_told(requests, server, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    made = SignedRequests(BucketOptions("files", endpoint=server.url))
    with pytest.raises(S3Failure, match="no credentials: set AWS_ACCESS_KEY_ID"):
        made.send(S3Call("GET", "key"))
    missing = SignedRequests(BucketOptions("files", profile="none"))
    with pytest.raises(S3Failure, match="none"):
        missing.send(S3Call("GET", "key"))


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (S3Failure(404, "NoSuchKey"), PathNotFound),
        (S3Failure(404, "NoSuchBucket"), Unavailable),
        (S3Failure(403, "AccessDenied"), Denied),
        (S3Failure(403, "InvalidAccessKeyId"), Unavailable),
        (S3Failure(403, "QuotaExceeded"), NoSpace),
        (S3Failure(400, "XMinioAdminBucketQuotaExceeded"), NoSpace),
        (S3Failure(507, "XMinioStorageFull"), NoSpace),
        (S3Failure(507, "ErrNoSpaceLeftOnDevice"), NoSpace),
        (S3Failure(507), NoSpace),
        (S3Failure(500, "InternalError", "cause(write: no space left on device)"), NoSpace),
        (S3Failure(503, "ServiceUnavailable", "[Errno 122] Disk quota exceeded"), NoSpace),
        (S3Failure(200, "InternalError", "No space left on device"), NoSpace),
        (S3Failure(500, "InternalError", "We encountered an internal error"), Unavailable),
        (S3Failure(503, "ServiceUnavailable", "Please try again"), Unavailable),
        (S3Failure(503, "SlowDown", "no space left on device"), Busy),
        (S3Failure(403, "AccessDenied", "key: no space left on device"), Denied),
        (S3Failure(400, "InvalidRequest", "no space left on device"), Unavailable),
        (S3Failure(0, "OSError", "[Errno 28] No space left on device"), Unavailable),
        (S3Failure(412), Busy),
        (S3Failure(0, "ReadTimeoutError"), Unavailable),
    ],
)
def test_failures_are_storage_errors(failure, kind):
    assert type(storage_error(failure, ROOT)) is kind


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("NoSuchBucket", "create the bucket"),
        ("SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        ("gaierror", "option endpoint"),
        ("ExpiredToken", "AWS_SESSION_TOKEN"),
        ("RequestTimeTooSkewed", "set the clock"),
        ("PermanentRedirect", "option region"),
        ("SSLError", "ca-file"),
    ],
)
def test_a_failure_names_its_remedy(code, advice):
    assert advice in storage_error(S3Failure(0, code, "what the server says"), ROOT).detail
