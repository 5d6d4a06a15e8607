"""Tests of storage on the disk are about its pool, but those marked ``AT_ONCE``."""

from __future__ import annotations

import pytest

from ftpservice.storage import local_writing
from ftpservice.storage.descent import Tree


@pytest.fixture(autouse=True)
def everything_in_the_pool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing done at once, but where that is the subject."""
    if not getattr(request.module, "AT_ONCE", getattr(request.cls, "at_once", False)):
        monkeypatch.setattr(Tree, "open_at_once", lambda _tree, _path, _flags: None)
        monkeypatch.setattr(local_writing, "MOST_KEPT", 0)
