"""The names in a client's certificate that can be account names.

Also the certificate of a peer that was not trusted, so that an error message can describe it.
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

    ``facts`` are those of `ssl.SSLSocket.getpeercert`, which returns them only for a verified
    certificate. Wildcards are not expanded: a name must equal the name of an account.
    """
    return frozenset(name for name in _names(facts or {}) if name)


def _names(facts: Mapping[str, Any]) -> Iterator[str]:
    for part in facts.get("subject", ()):
        yield from (value for key, value in part if key == "commonName")
    yield from (value for kind, value in facts.get("subjectAltName", ()) if kind in ALTERNATIVES)


DER = 2
"""The encoding, by OpenSSL's number."""


def unverified_peer_certificate(own: ssl.SSLSocket) -> bytes:
    """Return the certificate that the peer sent in a failed handshake, in DER; empty if not known.

    Python has a public method for it from 3.13 on; before that, a private object has it.
    """
    known: Any = own if hasattr(own, "get_unverified_chain") else getattr(own, "_sslobj", None)
    try:
        shown: Any = known.get_unverified_chain()[0]
        return bytes(shown if isinstance(shown, bytes) else shown.public_bytes(DER))
    except (AttributeError, IndexError, TypeError, ValueError, ssl.SSLError):
        return b""
