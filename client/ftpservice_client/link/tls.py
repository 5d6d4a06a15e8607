"""Contexts of TLS for those who are trusted, and what people are told of those who are not."""

from __future__ import annotations

import ssl
from hashlib import sha256

from ftpservice.net.tls.handshake import HandshakeProblem
from ftpservice_client.errors import ClientError, Cut, LocalProblem, Untrusted
from ftpservice_client.trust import Trust

__all__ = ["check_pinned", "context_for", "fingerprint_of", "untrusted"]

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
HOW = (
    "if that is the server that you mean, trust this certificate by its fingerprint "
    "(Trust(fingerprint=...)), or whoever signed it by a file (Trust(ca_file=...))"
)


def context_for(trust: Trust) -> ssl.SSLContext:
    """Return what connections are made with (reads files); raises `LocalProblem`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # a cut is not an end
    if trust.fingerprint or trust.anyone:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        if trust.ca_file is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(trust.ca_file)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "it has no certificates in PEM"
        raise LocalProblem(f"{trust.ca_file} cannot be used: {said}") from error
    return context


def fingerprint_of(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate in DER, as ``AA:BB:..``."""
    return sha256(certificate).digest().hex(":").upper()


def check_pinned(trust: Trust, certificate: bytes | None) -> None:
    """Raise `Untrusted` unless this is the certificate that is trusted, if only one is."""
    shown = fingerprint_of(certificate) if certificate else ""
    if trust.fingerprint and shown.replace(":", "") != trust.pinned:
        raise Untrusted(
            f"the server's certificate is not the one that is trusted; its fingerprint is {shown}",
            shown,
            certificate or b"",
        )


def untrusted(problem: HandshakeProblem) -> ClientError:
    """Return what a caller is told of a handshake that failed."""
    if problem.refused is None:
        return Cut(f"no TLS: {problem}")
    shown = fingerprint_of(problem.refused) if problem.refused else ""
    told = f"; its SHA-256 fingerprint is {shown}" if shown else ""
    return Untrusted(
        f"the server's certificate is not trusted: {problem}{told}; {HOW}", shown, problem.refused
    )
