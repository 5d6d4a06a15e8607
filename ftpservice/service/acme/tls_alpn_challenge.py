"""The challenge tls-alpn-01 (RFC 8737): the authority asks for a certificate of a special kind.

A client that offers other protocols than ``acme-tls/1``, or asks for a name without a challenge in
progress, gets no certificate: the handshake fails.
"""

from __future__ import annotations

import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol

from ftpservice.net.tls.transport import HandshakeOptions, TLSTransport, adopt_socket
from ftpservice.service.acme.challenge import ACME_PROTOCOL, CONNECTION_SECONDS, BoundedFactory

__all__ = ["TLSChallengeFactory", "TLSChallenges", "challenge_certificate"]

IDENTIFIER_EXTENSION = ObjectIdentifier("1.3.6.1.5.5.7.1.31")
"""id-pe-acmeIdentifier (RFC 8737 §3)."""
OCTET_STRING = b"\x04"
VALIDITY = timedelta(days=1)


def challenge_certificate(name: str, key_authorization: str) -> bytes:
    """Return the key and the self-signed certificate that answer a challenge, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    digest = sha256(key_authorization.encode()).digest()
    identifier = OCTET_STRING + bytes([len(digest)]) + digest
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme challenge")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - VALIDITY)
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.UnrecognizedExtension(IDENTIFIER_EXTENSION, identifier), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([ACME_PROTOCOL])
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context


class ChallengeConnection(Protocol):
    """A connection: a handshake and its end."""

    def __init__(self, challenges: TLSChallengeFactory) -> None:
        self._challenges = challenges

    def connectionMade(self) -> None:
        """Start the handshake."""
        self._challenges.add(self)
        options = HandshakeOptions(
            CONNECTION_SECONDS, self._secured, accepts_alpn=_offers_challenge
        )
        upgraded: TLSTransport = adopt_socket(self.transport, self, self._challenges.wrap, options)
        self.transport = upgraded

    def connectionLost(self, reason: Any = None) -> None:  # noqa: ARG002 - Twisted's signature
        """Note the end."""
        self._challenges.remove(self)

    def _secured(self) -> None:
        transport: Any = self.transport
        transport.loseConnection()

    def abort(self) -> None:
        """End the connection at once."""
        transport: Any = self.transport
        transport.abortConnection()


def _offers_challenge(offered: tuple[bytes, ...]) -> bool:
    return ACME_PROTOCOL.encode() in offered


class TLSChallengeFactory(BoundedFactory):
    """Makes connections; ``contexts`` has that of each name with a challenge."""

    def __init__(self) -> None:
        super().__init__()
        self.contexts: dict[str, ssl.SSLContext] = {}
        self._context = _context()
        self._context.sni_callback = self._choose

    def buildProtocol(
        self,
        addr: IAddress | None,  # noqa: ARG002 - Twisted's signature
    ) -> ChallengeConnection:
        """Return a connection."""
        return ChallengeConnection(self)

    def wrap(self, own: socket.socket) -> ssl.SSLSocket:
        """Return the server's side of a handshake that has not begun."""
        own.setblocking(False)
        return self._context.wrap_socket(own, server_side=True, do_handshake_on_connect=False)

    def _choose(
        self, own: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext
    ) -> int | None:
        context = self.contexts.get((name or "").lower())
        if context is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        own.context = context
        return None


class TLSChallenges:
    """A `ChallengeResponder` for tls-alpn-01."""

    challenge_type = "tls-alpn-01"

    def __init__(self) -> None:
        self.factory = TLSChallengeFactory()

    def provide(
        self,
        name: str,
        token: str,  # noqa: ARG002 - http-01 needs it
        key_authorization: str,
    ) -> None:
        """Present the certificate of a challenge."""
        context = _context()
        with open(os.memfd_create("acme-challenge"), "wb") as file:  # Python loads files only
            file.write(challenge_certificate(name, key_authorization))
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
        self.factory.contexts[name] = context

    def withdraw(self, name: str, token: str) -> None:  # noqa: ARG002 - as in the interface
        """Present it no more."""
        self.factory.contexts.pop(name, None)
