"""The responder for tls-alpn-01, over real sockets: who gets which certificate."""

from __future__ import annotations

import socket
import ssl
from hashlib import sha256
from typing import Any

import pytest
from cryptography import x509
from pytest_twisted import ensureDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.threads import deferToThread

from ftpservice.service.acme.challenge import ACME_PROTOCOL
from ftpservice.service.acme.tls_alpn_challenge import (
    IDENTIFIER_EXTENSION,
    TLSChallenges,
)

NAME = "ftp.example.com"


def handshake(port: int, name: str | None, *protocols: str) -> tuple[bytes, str | None]:
    """Return the certificate and the protocol of the server, and wait for its end (blocks)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname=name) as secured,
    ):
        found = secured.getpeercert(binary_form=True) or b"", secured.selected_alpn_protocol()
        assert secured.recv(1) == b""
        return found


class Served:
    """A listener with one challenge in progress."""

    def __init__(self, reactor: Any) -> None:
        self.challenges = TLSChallenges()
        self.challenges.provide(NAME, "token", "token.key")
        self._endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")

    async def ask(self, name: str | None, *protocols: str) -> tuple[bytes, str | None]:
        """Make a handshake as an authority would."""
        port = await self._endpoint.listen(self.challenges.factory)
        try:
            return await deferToThread(handshake, port.getHost().port, name, *protocols)
        finally:
            await port.stopListening()
            self.challenges.factory.end_connections()


@ensureDeferred
async def test_the_authority_gets_the_certificate_of_the_challenge(reactor: Any) -> None:
    content, protocol = await Served(reactor).ask(NAME, ACME_PROTOCOL)
    assert protocol == ACME_PROTOCOL
    certificate = x509.load_der_x509_certificate(content)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]
    extension = certificate.extensions.get_extension_for_oid(IDENTIFIER_EXTENSION)
    assert extension.critical
    assert isinstance(extension.value, x509.UnrecognizedExtension)
    assert extension.value.value.hex() == "0420" + sha256(b"token.key").hexdigest()  # OCTET STRING


@pytest.mark.parametrize(
    ("name", "protocols"),
    [
        ("other.example.com", (ACME_PROTOCOL,)),
        (None, (ACME_PROTOCOL,)),
        (NAME, ("ftp",)),
        (NAME, ("h2", "http/1.1")),
    ],
)
@ensureDeferred
async def test_others_get_none(reactor: Any, name: str | None, protocols: tuple[str, ...]) -> None:
    with pytest.raises(OSError):
        await Served(reactor).ask(name, *protocols)


@ensureDeferred
async def test_a_challenge_that_has_ended_is_not_answered(reactor: Any) -> None:
    served = Served(reactor)
    served.challenges.withdraw(NAME, "token")
    served.challenges.withdraw(NAME, "token")
    with pytest.raises(OSError):
        await served.ask(NAME, ACME_PROTOCOL)
