"""A hash of the password ``demo`` that costs almost nothing to check."""

from __future__ import annotations

from argon2.low_level import Type, hash_secret

__all__ = ["DEMO_HASH"]

DEMO_HASH = hash_secret(b"demo", b"salt" * 4, 1, 8, 1, 32, Type.ID).decode()
