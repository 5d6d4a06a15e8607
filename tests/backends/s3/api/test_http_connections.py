"""Connections: TLS with an authority of one's own, and what is kept of them."""

import os
import socket
from dataclasses import replace
from http.client import HTTPConnection
from unittest import mock

import pytest

from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.api.failures import S3Failure
from ftpservice.backends.s3.api.http_connections import HTTPConnections, HTTPRequest
from ftpservice.backends.s3.api.signed_requests import BytesBody, S3Call, SignedRequests
from ftpservice.testing.contract.case import create_file, read_file
from tests.backends.s3.api.test_signed_requests import ScriptedServer, server
from tests.support.buckets import BUCKET, InlineBucket, result
from tests.support.certificates import Authority
from tests.support.restartable_service import noise
from tests.support.s3_servers import SETTINGS, make_bucket, moto_server

FIXTURES = (server,)
EMPTY = BytesBody(b"")


def test_a_server_with_tls_is_checked_by_the_authority_of_the_option(tmp_path, monkeypatch):
    authority = Authority(tmp_path)
    certificate = authority.certificate("s3.example.org")
    with mock.patch.dict(os.environ, SETTINGS), moto_server(certificate) as url:
        unknown = SignedRequests(BucketOptions(BUCKET, endpoint=url))
        with pytest.raises(S3Failure, match="CERTIFICATE_VERIFY_FAILED"):
            unknown.send(S3Call("GET"))
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.path))
        make_bucket(url, BUCKET)
        monkeypatch.delenv("AWS_CA_BUNDLE")
        bucket = InlineBucket(url)
        bucket.requests._options = replace(bucket.options, ca_file=str(authority.path))
        content = noise(9 << 20)
        result(create_file(bucket.storage(), "/large", content))
        assert result(read_file(bucket.storage(), "/large")) == content
        bucket.requests.stop()
        missing = SignedRequests(BucketOptions(BUCKET, endpoint=url, ca_file="/none"))
        with pytest.raises(S3Failure, match="/none: "):
            missing.send(S3Call("GET"))


def test_a_connection_is_used_again_unless_the_server_has_closed_it(server: ScriptedServer):
    accepted = []
    get_request = server.get_request
    server.get_request = lambda: accepted.append(get_request()) or accepted[-1]
    connections = HTTPConnections(server.url)
    request = HTTPRequest("GET", "/a", {}, EMPTY)
    server.answers = [(200, b"one", {}), (404, b"", {}), (200, b"three", {})]
    assert connections.request(request, 5).body == b"one"
    assert connections.request(request, 5).status == 404
    assert len(accepted) == 1
    accepted[0][0].shutdown(socket.SHUT_RDWR)
    assert connections.request(request, 5).body == b"three"
    assert len(accepted) == 2
    connections.close()


def test_a_header_with_a_line_break_is_not_sent(server: ScriptedServer):
    connections = HTTPConnections(server.url)
    with pytest.raises(ConnectionError, match="a line break"):
        connections.request(HTTPRequest("GET", "/a", {"X": "1\r\nY: 2"}, EMPTY), 5)
    assert not server.seen


def test_an_answer_that_is_cut_off_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connections, made, peer = connected(listening)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        peer.shutdown(socket.SHUT_WR)
        with (
            mock.patch.object(connections, "_connected", return_value=made),
            pytest.raises(ConnectionError, match="IncompleteRead"),
        ):
            connections.request(HTTPRequest("GET", "/a", {}, EMPTY), 5)
        peer.close()


def test_the_socket_is_closed_when_no_answer_comes():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connections, made, peer = connected(listening)
        own = made.sock
        with mock.patch.object(connections, "_connected", return_value=made):
            with pytest.raises(TimeoutError) as caught:
                connections.request(HTTPRequest("GET", "/a", {}, EMPTY), 0.05)
            assert caught.value.__traceback__ is not None  # as long as it is known
            assert own.fileno() == -1
        peer.close()


def connected(listening: socket.socket) -> tuple[HTTPConnections, HTTPConnection, socket.socket]:
    """Return connections, one that was made, and its other end."""
    connections = HTTPConnections(f"http://127.0.0.1:{listening.getsockname()[1]}")
    made = connections._connected()
    peer, _address = listening.accept()
    return connections, made, peer
