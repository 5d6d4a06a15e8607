"""The certificate of a peer that was not trusted, so that people can be told which one it was."""

from __future__ import annotations

import ssl
from typing import Any

__all__ = ["certificate_shown"]

DER = 2
"""The encoding, by OpenSSL's number."""


def certificate_shown(own: ssl.SSLSocket) -> bytes:
    """Return what the peer showed in a handshake that failed, in DER; empty if not known.

    Python has it in public from 3.13 on only; before, a private object knows it.
    """
    known: Any = own if hasattr(own, "get_unverified_chain") else getattr(own, "_sslobj", None)
    try:
        shown: Any = known.get_unverified_chain()[0]
        return bytes(shown if isinstance(shown, bytes) else shown.public_bytes(DER))
    except (AttributeError, IndexError, TypeError, ValueError, ssl.SSLError):
        return b""
