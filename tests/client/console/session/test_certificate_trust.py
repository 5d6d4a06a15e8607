"""Whose certificates are taken: the authorities', known ones, those that a person accepts."""

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
from tests.support.shell_session import Seat, ended, failed

FAR, NEAR, SECURED = map(parse_url, ("ftp://far.example", "ftp://127.0.0.1", "ftps://far.example"))


class Server:
    """Shows a certificate that no authority vouches for; counts those who came."""

    def __init__(self, directory: Path) -> None:
        from ftpservice.net.tls.server import ServerTLS, TLSFiles

        path = Authority(directory).certificate("server")
        self.fingerprint = ServerTLS.load(TLSFiles(((path, None),))).certificates[0].fingerprint
        self.came: list[Trust] = []

    async def connect(self, settings: Settings) -> str:
        trust = settings.trust
        self.came.append(trust)
        if trust.insecure or trust.fingerprint == self.fingerprint:
            return "connected"
        text = "the server's certificate is not trusted: self-signed; it is"
        raise CertificateNotTrusted(text, self.fingerprint, b"not a certificate")


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def seat(tmp_path: Path, *answers: str, attended: bool = True, **settings: object) -> Seat:
    made = Seat(*answers, attended=attended)
    prefer = {"explicit_tls": ExplicitTLS.PREFER} | settings
    made.session.settings = replace(made.session.settings, **prefer)  # type: ignore[arg-type]
    made.session.known_hosts = KnownHosts(tmp_path / "known_hosts")
    return made


def trying(
    made: Seat, place: Destination, work: Callable[[Settings], Awaitable[str]]
) -> Deferred[str]:
    return Deferred.fromCoroutine(with_trust(made.session, place, work))


@pytest.mark.parametrize("place", [FAR, NEAR, SECURED])
def test_a_person_is_asked_once_and_the_certificate_is_kept(
    tmp_path: Path, server: Server, place: Destination
) -> None:
    first = seat(tmp_path, "yes")
    assert ended(trying(first, place, server.connect)) == "connected"
    assert server.fingerprint in first.out.text
    later = seat(tmp_path)
    assert ended(trying(later, place, server.connect)) == "connected"
    assert later.person.asked == []
    unattended = seat(tmp_path, attended=False)
    assert ended(trying(unattended, place, server.connect)) == "connected"
    assert unattended.err.text == ""


@pytest.mark.parametrize("answer", ["", "n", "no", "perhaps"])
def test_no_other_answer_than_yes_trusts(tmp_path: Path, server: Server, answer: str) -> None:
    made = seat(tmp_path, answer)
    assert isinstance(failed(trying(made, NEAR, server.connect)), CertificateNotTrusted)
    assert not made.session.known_hosts.path.exists()


def test_a_changed_certificate_is_refused_even_where_tls_is_only_preferred(
    tmp_path: Path, server: Server
) -> None:
    made = seat(tmp_path, attended=False)
    made.session.known_hosts.keep(FAR, ":".join(["AB"] * 32))
    error = failed(trying(made, FAR, server.connect))
    assert isinstance(error, CertificateNotTrusted)
    assert "CHANGED" in str(error)


def test_a_program_goes_on_unverified_where_tls_is_only_preferred_and_says_so(
    tmp_path: Path, server: Server
) -> None:
    made = seat(tmp_path, attended=False)
    assert ended(trying(made, FAR, server.connect)) == "connected"
    assert "is not verified (self-signed)" in made.err.text
    assert isinstance(failed(trying(made, SECURED, server.connect)), CertificateNotTrusted)


def test_on_this_machine_one_connection_is_enough(tmp_path: Path, server: Server) -> None:
    made = seat(tmp_path, attended=False)
    assert ended(trying(made, NEAR, server.connect)) == "connected"
    assert server.came == [Trust(insecure=True)]
    assert made.err.text == ""


def test_where_tls_is_required_a_program_is_refused(tmp_path: Path, server: Server) -> None:
    made = seat(tmp_path, attended=False, explicit_tls=ExplicitTLS.REQUIRE)
    for place in (NEAR, FAR):
        assert isinstance(failed(trying(made, place, server.connect)), CertificateNotTrusted)


def test_what_the_command_line_says_of_trust_holds(tmp_path: Path, server: Server) -> None:
    pinned = Trust(fingerprint=server.fingerprint)
    made = seat(tmp_path, trust=pinned)
    assert ended(trying(made, FAR, server.connect)) == "connected"
    assert server.came == [pinned]
    wrong = seat(tmp_path, trust=Trust(fingerprint=":".join(["AB"] * 32)))
    assert isinstance(failed(trying(wrong, FAR, server.connect)), CertificateNotTrusted)
    assert wrong.person.asked == []
