"""Which browsers have given the password of a link."""

from __future__ import annotations

import pytest

from ftpservice.web.shares import share_resource
from ftpservice.web.shares.share_file import Share
from ftpservice.web.shares.share_resource import COOKIE_SECONDS, OpenedShares

SHARE = Share("hash", "ann", "/a", 0.0, 1e9, "password")


def test_a_cookie_is_for_its_link_and_for_a_time() -> None:
    now = 0.0
    opened = OpenedShares(lambda: now)
    value = opened.add(SHARE).encode()
    assert opened.has(SHARE, value)
    assert not opened.has(Share("other", "ann", "/b", 0.0, 1e9), value)
    assert not opened.has(SHARE, b"other")
    now = COOKIE_SECONDS + 1.0
    assert not opened.has(SHARE, value)


def test_there_are_only_so_many_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_resource, "MAX_OPENED", 4)
    opened = OpenedShares(lambda: 0.0)
    values = [opened.add(SHARE).encode() for _ in range(10)]
    assert [opened.has(SHARE, value) for value in values] == [False] * 6 + [True] * 4
