"""TLS contexts for trusted servers, and error messages for untrusted ones."""

from __future__ import annotations

import ssl
from hashlib import sha256

from ftpservice.net.tls.handshake import HandshakeError
from ftpservice_client.errors import (
    CertificateNotTrusted,
    ClientError,
    LocalFileError,
    NetworkError,
)
from ftpservice_client.trust import Trust

__all__ = ["certificate_error", "fingerprint_of", "tls_context_for", "verify_pin"]

CIPHER_LIST = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
TRUST_HINT = (
    "if this is the right server, trust this certificate by its fingerprint "
    "(Trust(fingerprint=...)), or its issuer by a file (Trust(ca_file=...))"
)


def tls_context_for(trust: Trust) -> ssl.SSLContext:
    """Return the TLS context of the connections (reads files); raises `LocalFileError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHER_LIST)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # an end without close_notify is an error
    if trust.fingerprint or trust.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        if trust.ca_file is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(trust.ca_file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it contains no certificates in PEM"
        raise LocalFileError(f"{trust.ca_file} cannot be used: {reason}") from error
    return context


def fingerprint_of(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate in DER, as ``AA:BB:..``."""
    return sha256(certificate).digest().hex(":").upper()


def verify_pin(trust: Trust, certificate: bytes | None) -> None:
    """Raise `CertificateNotTrusted` if a fingerprint is set and is not that of ``certificate``."""
    shown = fingerprint_of(certificate) if certificate else ""
    if trust.fingerprint and shown.replace(":", "") != trust.normalized_fingerprint:
        raise CertificateNotTrusted(
            f"the server's certificate is not the trusted one; its fingerprint is {shown}",
            shown,
            certificate or b"",
        )


def certificate_error(problem: HandshakeError) -> ClientError:
    """Return the error of a failed handshake."""
    if problem.refused is None:
        return NetworkError(f"no TLS: {problem}")
    shown = fingerprint_of(problem.refused) if problem.refused else ""
    hint = f"; its SHA-256 fingerprint is {shown}" if shown else ""
    return CertificateNotTrusted(
        f"the server's certificate is not trusted: {problem}{hint}; {TRUST_HINT}",
        shown,
        problem.refused,
    )
