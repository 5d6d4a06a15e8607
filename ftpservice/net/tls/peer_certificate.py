"""Whom a client's certificate names, as accounts are named.

The certificate of a peer that was not trusted, so that an error message can describe it.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["certificate_names", "unverified_peer_certificate"]


ALTERNATIVES = ("email", "DNS")
"""Kinds of SubjectAltName that may be the name of an account (RFC 5280 §4.2.1.6)."""


def certificate_names(facts: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the common name, e-mail addresses and DNS names of a certificate.

    ``facts`` are those of `ssl.SSLSocket.getpeercert`, which tells them of a certificate that was
    checked, and of no other. There are no wildcards: a name is an account's when it is the same.
    """
    return frozenset(name for name in _names(facts or {}) if name)


def _names(facts: Mapping[str, Any]) -> Iterator[str]:
    for part in facts.get("subject", ()):
        yield from (value for key, value in part if key == "commonName")
    yield from (value for kind, value in facts.get("subjectAltName", ()) if kind in ALTERNATIVES)


DER = 2
"""The encoding, by OpenSSL's number."""


def unverified_peer_certificate(own: ssl.SSLSocket) -> bytes:
    """Return what the peer showed in a handshake that failed, in DER; empty if not known.

    Python has it in public from 3.13 on only; before, a private object knows it.
    """
    known: Any = own if hasattr(own, "get_unverified_chain") else getattr(own, "_sslobj", None)
    try:
        shown: Any = known.get_unverified_chain()[0]
        return bytes(shown if isinstance(shown, bytes) else shown.public_bytes(DER))
    except (AttributeError, IndexError, TypeError, ValueError, ssl.SSLError):
        return b""
