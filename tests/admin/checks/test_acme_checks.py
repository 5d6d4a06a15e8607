"""What the doctor says about certificates by ACME."""

from __future__ import annotations

import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from pytest_twisted import ensureDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.web.pages import notFound
from twisted.web.server import Site

from benchmarks.ports import free_port
from ftpservice.admin.checks import acme_checks
from ftpservice.admin.checks.acme_checks import (
    challenge_finding,
    check_acme,
    renewed_expiry_finding,
)
from ftpservice.admin.checks.finding import Finding, Level
from ftpservice.service.acme.acme_files import AcmeFiles
from ftpservice.service.acme.http_challenge import HTTPChallenges
from ftpservice.service.acme.renewal_state import RenewalState
from ftpservice.service.acme.tls_alpn_challenge import TLSChallenges
from ftpservice.service.settings.acme import AcmeChallenge
from ftpservice.service.settings.settings import settings_from
from tests.support.certificates import Authority
from tests.support.pebble import Pebble, pebble_is_missing
from tests.support.service_process import PATIENCE

NAMES = {"own.example": "127.0.0.1", "router.example": "203.0.113.7"}


def resolved(host: str, *_words: object, **_more: object) -> list[Any]:
    if host not in NAMES:
        raise socket.gaierror(-2, "Name or service not known")
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (NAMES[host], 0))]


def findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **given: Any) -> list[Finding]:
    values = {
        "acme": ("own.example", "router.example", "none.example"),
        "acme-agree-tos": True,
        "acme-directory": f"https://127.0.0.1:{free_port()}/dir",
        "data-dir": str(tmp_path),
    }
    values |= {name.replace("_", "-"): value for name, value in given.items()}
    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", resolved)
        patched.setattr(acme_checks, "challenge_finding", lambda *given: Probed(*given))
        names, rest = [], []
        for finding in check_acme(settings_from(values)):
            (names if ".example" in str(finding) else rest).append(finding)
            if len(names) == 5:
                patched.undo()
        return [*names, *rest]


class Probed(NamedTuple):
    """Stands for the finding about the port of a name."""

    name: str
    challenge: AcmeChallenge
    is_own: bool


def test_names_authority_and_attempts_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme").mkdir()
    state = RenewalState().with_failure(False, 1_800_000_000.0, "refused by dns")
    AcmeFiles(tmp_path / "acme").save_state(state)
    found = findings(tmp_path, monkeypatch)
    own, own_port, router, router_port, none, authority, certificate, failed = found
    assert own_port == ("own.example", AcmeChallenge.HTTP, True)
    assert router_port == ("router.example", AcmeChallenge.HTTP, False)
    assert (own.level, own.text) == (Level.GOOD, "own.example leads to this machine")
    assert router.level is Level.WARNING
    assert "203.0.113.7, which is no address of this machine" in router.text
    assert (none.level, none.advice) == (Level.ERROR, "create its A or AAAA record")
    assert authority.level is Level.ERROR
    assert "cannot be reached: connection refused" in authority.text
    assert (certificate.level, certificate.text) == (
        Level.WARNING,
        "there is no certificate yet",
    )
    assert failed.level is Level.ERROR
    assert "1 failed attempt, the last one: refused by dns" in failed.text
    assert "2027-01-15" in failed.advice


def test_files_that_cannot_be_read_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme/state.json").write_text("{")
    last = findings(tmp_path, monkeypatch)[-1]
    assert last.level is Level.ERROR
    assert "state.json" in last.text


async def probed(reactor: Any, factory: Any, challenge: AcmeChallenge, is_own: bool) -> Finding:
    """Return the finding about a port of this machine where ``factory`` listens."""
    port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory)
    number = port.getHost().port
    found = await deferToThread(challenge_finding, "localhost", challenge, is_own, number)
    await port.stopListening()
    return found


@pytest.mark.parametrize("challenge", AcmeChallenge)
@ensureDeferred
async def test_the_service_is_recognized_on_the_port_of_the_challenge(
    reactor: Any, challenge: AcmeChallenge
) -> None:
    is_http = challenge is AcmeChallenge.HTTP
    responder = HTTPChallenges(reactor) if is_http else TLSChallenges()
    responder.provide("ftp.example.com", "token", "token.key")
    found = await probed(reactor, responder.factory, challenge, True)
    responder.factory.end_connections()
    assert found.level is Level.GOOD, found
    assert found.text.endswith("of localhost is answered by the service")


@ensureDeferred
async def test_an_order_in_progress_is_no_error(reactor: Any) -> None:
    responder = TLSChallenges()
    responder.provide("localhost", "token", "token.key")
    found = await probed(reactor, responder.factory, AcmeChallenge.TLS_ALPN, True)
    responder.factory.end_connections()
    assert found.level is Level.GOOD, found


class Closing(Protocol):
    """A server that ends every connection at once."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


@pytest.mark.parametrize(
    ("factory", "challenge", "text"),
    [
        (Site(notFound()), AcmeChallenge.HTTP, "not answered by the service: HTTP status 404"),
        (Factory.forProtocol(Closing), AcmeChallenge.HTTP, "cannot be reached from here"),
        (Factory.forProtocol(Closing), AcmeChallenge.TLS_ALPN, "not answered by the service"),
    ],
)
@ensureDeferred
async def test_another_server_on_the_port_is_an_error(
    reactor: Any, factory: Any, challenge: AcmeChallenge, text: str
) -> None:
    found = await probed(reactor, factory, challenge, True)
    assert found.level is Level.ERROR
    assert text in found.text
    assert f"acme-{'http' if challenge is AcmeChallenge.HTTP else 'tls'}" in found.advice


def test_another_tls_server_on_the_port_is_an_error(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Authority(tmp_path).certificate("localhost"))

    def serve() -> None:
        accepted, _ = listening.accept()
        with context.wrap_socket(accepted, server_side=True) as secured, suppress(OSError):
            secured.recv(1)  # an RST, if the client has not read the session tickets

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve)
        port = listening.getsockname()[1]
        found = challenge_finding("localhost", AcmeChallenge.TLS_ALPN, True, port)
        served.result(PATIENCE)
    assert found.level is Level.ERROR
    assert "another certificate is presented" in found.text


@pytest.mark.parametrize("challenge", AcmeChallenge)
def test_nobody_on_the_port_is_an_error_only_if_it_is_this_machine_s(
    challenge: AcmeChallenge,
) -> None:
    own = challenge_finding("127.0.0.1", challenge, True, free_port())
    assert own.level is Level.ERROR
    assert "is the service running" in own.advice
    router = challenge_finding("127.0.0.1", challenge, False, free_port())
    assert router.level is Level.WARNING
    assert "cannot be reached from here: [Errno 111]" in router.text


@pytest.mark.parametrize(
    ("lifetime", "left", "level"),
    [
        (90, 60, Level.GOOD),
        (90, 29, Level.GOOD),
        (90, 14, Level.WARNING),
        (6, 5, Level.GOOD),
        (6, 1.5, Level.GOOD),
        (6, 0.9, Level.WARNING),
        (6, -0.1, Level.ERROR),
    ],
)
def test_a_certificate_is_warned_of_only_if_its_renewal_is_overdue(
    lifetime: float, left: float, level: Level
) -> None:
    found = renewed_expiry_finding("ACME", certificate(lifetime, left))
    assert found.level is level
    assert ("the service running?" in found.advice) is (level is not Level.GOOD)


def certificate(lifetime: float, left: float) -> x509.Certificate:
    """Return a certificate that is valid for days, and for others from now on."""
    key, end = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC) + timedelta(left)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.example")])
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(end - timedelta(lifetime))
        .not_valid_after(end)
        .sign(key, SHA256())
    )


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme").mkdir()
    monkeypatch.delitem(sys.modules, "ftpservice.service.acme.authority", raising=False)
    monkeypatch.setitem(sys.modules, "acme", None)
    found = findings(tmp_path, monkeypatch)
    advice = "pip install 'ftpservice[acme]'"
    assert Finding("ACME", Level.ERROR, "its packages are not installed", advice) in found


@pebble_is_missing
def test_an_authority_that_answers_is_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Pebble(tmp_path) as pebble:
        given = {"acme_directory": pebble.url, "acme_ca_file": str(pebble.ca_file)}
        found = findings(tmp_path, monkeypatch, **given)
    assert Finding("ACME", Level.GOOD, f"{pebble.url} answers") in found
