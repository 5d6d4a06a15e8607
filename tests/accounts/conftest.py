"""What tests of several account stores share."""

import pytest

from ftpservice.accounts import checkers
from ftpservice.accounts.password_hash import verify


@pytest.fixture
def hashes(monkeypatch):
    """Every hash that was computed."""
    seen = []

    def counting(hashed, password):
        seen.append(hashed)
        return verify(hashed, password)

    monkeypatch.setattr(checkers, "verify", counting)
    return seen
