"""Logins with client certificates, and accounts that require TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.events import Event, HandshakeFailed, LoggedIn
from tests.support.certificates import Authority
from tests.support.raw_client import LOCAL, RunningService, in_thread, started, starting
from tests.support.tls_client import BOTH, TLSWire, client_context

FIXTURES = (started, starting)
Server = Callable[..., RunningService]
versions = pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)


class Place:
    """A service with a client authority, and accounts with certificate options."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.clients = Authority(directory, "clients")
        self.others = Authority(directory, "others")
        accounts = directory / "certified.db"
        options = {"robot": "tls-cert=login", "ann": "tls-cert=required", "bob": "tls=required"}
        lines = (f"{name}:{SHIPPED_HASH}:/:full:{more}\n" for name, more in options.items())
        accounts.write_text("".join(lines))
        self.served = server("--client-ca", str(self.clients.path), "--auth", f"passwd:{accounts}")
        self.events: list[Event] = []
        self.served.factory.event_sink.events.subscribe(self.events.append)

    def wire(self, version: ssl.TLSVersion, certificate: Path | None = None) -> TLSWire:
        """Open a session and send AUTH, without the handshake."""
        end = self.served.connected((LOCAL, self.served.port))
        return TLSWire(self.served, end, client_context(version, certificate))

    def users_of(self, kind: type[Event]) -> list[str]:
        """Return the texts of these events."""
        return [event.user for event in self.events if isinstance(event, kind)]


@pytest.fixture
def place(server: Server, tmp_path: Path) -> Place:
    return Place(server, tmp_path)


@versions
@in_thread
def test_a_certificate_can_replace_the_password(place: Place, version: ssl.TLSVersion) -> None:
    client = place.wire(version, place.clients.certificate("robot")).auth()
    assert client.ask("USER robot").code == 232
    client.protect()
    assert client.upload("STOR a", b"x" * 1000).code == 226
    assert client.codes("PASS x", "REIN", "USER bob", "PASS demo") == [503, 220, 331, 230]
    assert place.users_of(LoggedIn) == ["robot", "bob"]


@pytest.mark.parametrize("name", [x509.DNSName("robot"), x509.RFC822Name("robot@example.org")])
@in_thread
def test_alternative_names_of_a_certificate_count(place: Place, name: x509.GeneralName) -> None:
    certificate = place.clients.certificate("someone", [name])
    client = place.wire(ssl.TLSVersion.TLSv1_3, certificate).auth()
    assert client.code("USER robot") == (232 if name.value == "robot" else 331)


@versions
@in_thread
def test_an_optional_certificate_or_a_password(place: Place, version: ssl.TLSVersion) -> None:
    place.wire(version).auth().login("robot")
    place.wire(version, place.clients.certificate("someone")).auth().login("robot")


@versions
@in_thread
def test_a_required_certificate_and_a_password(place: Place, version: ssl.TLSVersion) -> None:
    place.wire(version, place.clients.certificate("ann")).auth().login("ann")
    for certificate in (None, place.clients.certificate("robot")):
        client = place.wire(version, certificate).auth()
        assert client.codes("USER ann", "PASS demo") == [331, 530]
    assert place.wire(version).codes("USER ann", "PASS demo") == [331, 530]


@versions
@in_thread
def test_an_untrusted_certificate_ends_the_handshake(place: Place, version: ssl.TLSVersion) -> None:
    client = place.wire(version, place.others.certificate("robot"))
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        client.auth().code("USER robot")
    place.served.wait_for(place.served.settled())
    assert place.users_of(HandshakeFailed) == [""]


@in_thread
def test_an_account_can_require_tls_for_data(place: Place) -> None:
    version = ssl.TLSVersion.TLSv1_3
    assert place.wire(version).codes("USER bob", "PASS demo") == [331, 530]
    client = place.wire(version).auth()
    client.login("bob")
    assert client.codes("PASV", "LIST", "PBSZ 0", "PROT C") == [227, 521, 200, 534]
    client.protect()
    assert client.upload("STOR a", b"x").code == 226
