"""Certificates that are accepted: verified, in known_hosts, or accepted by the user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from ftpservice_client import (
    CertificateNotTrusted,
    Destination,
    ExplicitTLS,
    Settings,
    Trust,
    parse_url,
)
from ftpservice_client.console.session.certificate_trust import with_trust
from ftpservice_client.console.session.known_hosts import KnownHosts
from tests.support.certificates import Authority
from tests.support.shell_session import MemoryShell, error_of, result_of

FAR, NEAR, SECURED = map(parse_url, ("ftp://far.example", "ftp://127.0.0.1", "ftps://far.example"))


class Server:
    """Has a self-signed certificate; records the trust of each connection."""

    def __init__(self, directory: Path) -> None:
        from ftpservice.net.tls.server import ServerTLS, TLSFiles

        path = Authority(directory).certificate("server")
        self.fingerprint = ServerTLS.load(TLSFiles(((path, None),))).certificates[0].fingerprint
        self.trusts: list[Trust] = []

    async def connect(self, settings: Settings) -> str:
        trust = settings.trust
        self.trusts.append(trust)
        if trust.insecure or trust.fingerprint == self.fingerprint:
            return "connected"
        text = "the server's certificate is not trusted: self-signed; it is"
        raise CertificateNotTrusted(text, self.fingerprint, b"not a certificate")


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def new_shell(
    tmp_path: Path, *answers: str, interactive: bool = True, **settings: object
) -> MemoryShell:
    made = MemoryShell(*answers, interactive=interactive)
    prefer = {"explicit_tls": ExplicitTLS.PREFER} | settings
    made.session.settings = replace(made.session.settings, **prefer)  # type: ignore[arg-type]
    made.session.known_hosts = KnownHosts(tmp_path / "known_hosts")
    return made


def connecting(
    made: MemoryShell, destination: Destination, work: Callable[[Settings], Awaitable[str]]
) -> Deferred[str]:
    return Deferred.fromCoroutine(with_trust(made.session, destination, work))


@pytest.mark.parametrize("destination", [FAR, NEAR, SECURED])
def test_the_user_is_asked_once_and_the_certificate_is_saved(
    tmp_path: Path, server: Server, destination: Destination
) -> None:
    first = new_shell(tmp_path, "yes")
    assert result_of(connecting(first, destination, server.connect)) == "connected"
    assert server.fingerprint in first.out.text
    later = new_shell(tmp_path)
    assert result_of(connecting(later, destination, server.connect)) == "connected"
    assert later.prompter.questions == []
    unattended = new_shell(tmp_path, interactive=False)
    assert result_of(connecting(unattended, destination, server.connect)) == "connected"
    assert unattended.err.text == ""


@pytest.mark.parametrize("answer", ["", "n", "no", "perhaps"])
def test_only_yes_trusts_a_certificate(tmp_path: Path, server: Server, answer: str) -> None:
    made = new_shell(tmp_path, answer)
    assert isinstance(error_of(connecting(made, NEAR, server.connect)), CertificateNotTrusted)
    assert not made.session.known_hosts.path.exists()


def test_a_changed_certificate_is_refused_with_tls_prefer(tmp_path: Path, server: Server) -> None:
    made = new_shell(tmp_path, interactive=False)
    made.session.known_hosts.add(FAR, ":".join(["AB"] * 32))
    error = error_of(connecting(made, FAR, server.connect))
    assert isinstance(error, CertificateNotTrusted)
    assert "CHANGED" in str(error)


def test_without_terminal_tls_prefer_continues_unverified_with_a_warning(
    tmp_path: Path, server: Server
) -> None:
    made = new_shell(tmp_path, interactive=False)
    assert result_of(connecting(made, FAR, server.connect)) == "connected"
    assert "is not verified (self-signed)" in made.err.text
    assert isinstance(error_of(connecting(made, SECURED, server.connect)), CertificateNotTrusted)


def test_loopback_servers_are_not_verified_with_tls_prefer(tmp_path: Path, server: Server) -> None:
    made = new_shell(tmp_path, interactive=False)
    assert result_of(connecting(made, NEAR, server.connect)) == "connected"
    assert server.trusts == [Trust(insecure=True)]
    assert made.err.text == ""


def test_tls_require_refuses_unverified_certificates(tmp_path: Path, server: Server) -> None:
    made = new_shell(tmp_path, interactive=False, explicit_tls=ExplicitTLS.REQUIRE)
    for destination in (NEAR, FAR):
        assert isinstance(
            error_of(connecting(made, destination, server.connect)), CertificateNotTrusted
        )


def test_trust_options_override_known_hosts(tmp_path: Path, server: Server) -> None:
    pinned = Trust(fingerprint=server.fingerprint)
    made = new_shell(tmp_path, trust=pinned)
    assert result_of(connecting(made, FAR, server.connect)) == "connected"
    assert server.trusts == [pinned]
    wrong = new_shell(tmp_path, trust=Trust(fingerprint=":".join(["AB"] * 32)))
    assert isinstance(error_of(connecting(wrong, FAR, server.connect)), CertificateNotTrusted)
    assert wrong.prompter.questions == []
