"""Requests to an authority over HTTP: what it may answer, and what the limits are."""

from __future__ import annotations

import contextlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.b64 import b64decode, b64encode

from benchmarks.ports import free_port
from ftpservice.service.acme.acme_files import parse_certificate
from ftpservice.service.acme.authority import (
    MAX_ANSWER_BYTES,
    AccountBinding,
    Authority,
    AuthorityAddress,
)
from ftpservice.service.acme.authority_error import AuthorityError
from tests.support.certificates import Authority as Signer

KEY = ec.generate_private_key(ec.SECP256R1())
PROBLEM = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}


class Answers(BaseHTTPRequestHandler):
    """Answers by the path; a signed request gets what the server's ``posted`` says."""

    server: WebServer

    def log_message(self, *_words: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        """Answer a plain request."""
        path = self.path.partition("?")[0]
        if path == "/slow":
            return self.send_slowly()
        if path.startswith("/renewal/"):
            path = "/renewal/"
        status, headers, body = self.server.got.get(path, (404, {}, b"nothing"))
        return self._send(status, headers, body)

    def send_slowly(self) -> None:
        """Send a byte now and then, and never the last one."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b" ")
                time.sleep(0.01)

    def do_HEAD(self) -> None:
        """Hand out a nonce."""
        self._send(200, {}, b"")

    def do_POST(self) -> None:
        """Answer a signed request."""
        size = int(self.headers["Content-Length"])
        self.server.requests.append(json.loads(self.rfile.read(size)))
        answers = self.server.posted
        self._send(*(answers.pop(0) if len(answers) > 1 else answers[0]))

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in ({"Replay-Nonce": "bm9uY2U"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


Answer = tuple[int, dict[str, str], bytes]


class WebServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.place = f"http://127.0.0.1:{self.server_address[1]}"
        directory = {
            name: f"{self.place}/{name}" for name in ("newNonce", "newAccount", "newOrder")
        }
        directory["renewalInfo"] = f"{self.place}/renewal"
        self.got: dict[str, Answer] = {"/dir": (200, {}, json.dumps(directory).encode())}
        self.posted: list[Answer] = []
        self.requests: list[dict[str, Any]] = []

    def handle_error(self, *_words: object) -> None:
        """A client that has gone is no news."""


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def authority(server: WebServer) -> Iterator[Authority]:
    made = Authority(AuthorityAddress(f"{server.place}/dir", None, "ann@a.example"), KEY)
    yield made
    made.close()


def problem(status: int, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = {"Content-Type": "application/problem+json"}
    return status, content | named, json.dumps(PROBLEM).encode()


def test_a_refusal_carries_its_text_and_the_delay_in_seconds(
    server: WebServer, authority: Authority
) -> None:
    server.posted = [problem(429, Retry_After="120")]
    with pytest.raises(AuthorityError, match=r"too many \(rateLimited\)") as raised:
        authority.register()
    assert (raised.value.retry_after, raised.value.is_unreachable) == (120, False)


def test_the_delay_may_be_a_date(server: WebServer, authority: Authority) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    server.posted = [problem(429, Retry_After=when)]
    with pytest.raises(AuthorityError) as raised:
        authority.register()
    assert 3500 < raised.value.retry_after <= 3600


@pytest.mark.parametrize("text", ["soon", "-1", "Mon, 99 Foo"])
def test_a_delay_that_cannot_be_read_is_none(
    server: WebServer, authority: Authority, text: str
) -> None:
    server.posted = [problem(429, Retry_After=text)]
    with pytest.raises(AuthorityError) as raised:
        authority.register()
    assert raised.value.retry_after == 0


def test_a_new_account_agrees_to_the_terms_and_gives_the_address(
    server: WebServer, authority: Authority
) -> None:
    server.posted = [(201, {"Location": f"{server.place}/account/1"}, b'{"status": "valid"}')]
    authority.register()
    [request] = server.requests
    assert decoded(request["payload"]) == {
        "contact": ["mailto:ann@a.example"],
        "termsOfServiceAgreed": True,
    }
    assert decoded(request["protected"])["alg"] == "ES256"


def test_a_new_account_is_bound_to_that_of_a_customer(server: WebServer) -> None:
    binding = AccountBinding("kid-1", b64encode(b"s" * 32).decode())
    assert binding.key not in repr(binding)
    authority = Authority(AuthorityAddress(f"{server.place}/dir", None, None, binding), KEY)
    server.posted = [(201, {"Location": f"{server.place}/account/1"}, b'{"status": "valid"}')]
    authority.register()
    authority.close()
    [request] = server.requests
    found = decoded(request["payload"])["externalAccountBinding"]
    assert decoded(found["protected"]) == {
        "alg": "HS256",
        "kid": "kid-1",
        "url": f"{server.place}/newAccount",
    }
    assert decoded(found["payload"]) == decoded(request["protected"])["jwk"]
    signed = f"{found['protected']}.{found['payload']}".encode()
    assert b64decode(found["signature"]) == hmac.digest(b"s" * 32, signed, "sha256")


def test_a_known_account_is_told_the_address(server: WebServer, authority: Authority) -> None:
    place = {"Location": f"{server.place}/account/1"}
    server.posted = [(200, place, b'{"status": "valid"}')]
    authority.register()
    assert decoded(server.requests[-1]["payload"]) == {"contact": ["mailto:ann@a.example"]}
    assert decoded(server.requests[-1]["protected"])["kid"] == f"{server.place}/account/1"


def decoded(text: str) -> dict[str, Any]:
    import base64

    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def test_refused_nonces_are_replaced_but_not_for_ever(
    server: WebServer, authority: Authority
) -> None:
    bad = json.dumps({"type": "urn:ietf:params:acme:error:badNonce"}).encode()
    good = (201, {"Location": f"{server.place}/account/1"}, b"{}")
    server.posted = [*[(400, {}, bad)] * 6, good]
    authority.register()
    assert len(server.requests) == 7
    server.posted = [(400, {}, bad)]
    with pytest.raises(AuthorityError, match="badNonce"):
        authority.register()
    assert len(server.requests) == 7 + 16


def test_an_answer_that_is_too_large_is_not_read(server: WebServer, authority: Authority) -> None:
    server.got["/dir"] = (200, {}, b" " * (MAX_ANSWER_BYTES + 100_000))
    with pytest.raises(AuthorityError, match="the answer is too long") as raised:
        authority.read_directory()
    assert raised.value.is_unreachable


def test_an_answer_that_takes_too_long_is_not_read_to_its_end(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftpservice.service.acme.authority.ANSWER_SECONDS", 0.1)
    authority = Authority(AuthorityAddress(f"{server.place}/slow", None, None), KEY)
    with pytest.raises(AuthorityError, match="takes too long") as raised:
        authority.read_directory()
    authority.close()
    assert raised.value.is_unreachable


def test_an_authority_that_sends_nothing_is_given_up(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftpservice.service.acme.authority.READ_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/dir"
        authority = Authority(AuthorityAddress(url, None, None), KEY)
        with pytest.raises(AuthorityError, match="no answer in time") as raised:
            authority.read_directory()
        authority.close()
    assert raised.value.is_unreachable


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"{}", b'{"newNonce": 5}'])
def test_what_is_no_authority_is_said(
    server: WebServer, authority: Authority, content: bytes
) -> None:
    server.got["/dir"] = (200, {}, content)
    server.posted = [(200, {}, content)]
    with pytest.raises(AuthorityError) as raised:
        authority.register()
    assert raised.value.advice in (
        "check acme-directory",
        "check the network, the firewall and the DNS of this machine",
    )
    assert server.place in str(raised.value)


def test_an_authority_that_is_down_is_said(tmp_path: Path) -> None:
    url = f"https://127.0.0.1:{free_port()}/dir"
    authority = Authority(AuthorityAddress(url, None, None), KEY)
    with pytest.raises(AuthorityError, match="cannot be reached: connection refused") as raised:
        authority.read_directory()
    authority.close()
    assert raised.value.is_unreachable


def test_a_web_server_with_an_unknown_certificate_is_not_trusted(server: WebServer) -> None:
    url = server.place.replace("http:", "https:")
    authority = Authority(AuthorityAddress(f"{url}/dir", None, None), KEY)
    with pytest.raises(AuthorityError) as raised:
        authority.read_directory()
    authority.close()
    assert raised.value.is_unreachable


def test_the_time_of_a_renewal_is_the_authority_s_window(
    server: WebServer, authority: Authority, tmp_path: Path
) -> None:
    begin = datetime.now(UTC) + timedelta(days=2)
    window = {"start": begin.isoformat(), "end": (begin + timedelta(hours=1)).isoformat()}
    body = json.dumps({"suggestedWindow": window}).encode()
    server.got["/renewal/"] = (200, {"Retry-After": "7200"}, body)
    pem = parse_certificate(Signer(tmp_path).certificate("a").read_bytes()).pem
    suggested, again = authority.suggested_renewal(pem)
    assert suggested is not None
    assert begin.timestamp() <= suggested <= begin.timestamp() + 3600
    assert 7100 < again - datetime.now(UTC).timestamp() <= 7200


def test_an_authority_without_windows_has_no_wish(
    server: WebServer, authority: Authority, tmp_path: Path
) -> None:
    server.got["/dir"] = (200, {}, json.dumps({"newNonce": f"{server.place}/newNonce"}).encode())
    pem = parse_certificate(Signer(tmp_path).certificate("a").read_bytes()).pem
    assert authority.suggested_renewal(pem)[0] is None
