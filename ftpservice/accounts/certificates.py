"""Whom a client's certificate names, as accounts are named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["certificate_names"]

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
