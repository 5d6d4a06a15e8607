"""Random secrets for cookies, API tokens, links and uploads; the server keeps only their hashes."""

from __future__ import annotations

import hashlib
import secrets

__all__ = ["hash_of", "new_secret"]


def new_secret(size: int = 32) -> str:
    """Return so many random bytes as text for a URL or header."""
    return secrets.token_urlsafe(size)


def hash_of(secret: str) -> str:
    """Return what is kept of a secret: SHA-256, which is enough for that many random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
