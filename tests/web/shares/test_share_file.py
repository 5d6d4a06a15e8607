"""The file of share links: hashes only, ends, limits, several writers."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftpservice.web.access.random_secrets import hash_of
from ftpservice.web.shares import share_file
from ftpservice.web.shares.share_file import ShareFile, ShareFileError


class Desk:
    """A file on a clock."""

    def __init__(self, place: Path) -> None:
        self.now = 1000.0
        self.file = ShareFile(place / "shares.json", lambda: self.now)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_it_has_no_link_but_a_hash(desk: Desk) -> None:
    secret, share = desk.file.add("ann", "/\udcff", 60)
    assert desk.file.read() == {hash_of(secret): share}
    assert (len(secret), share.id in secret) == (22, False)
    assert secret not in desk.file.path.read_text()
    assert desk.file.path.stat().st_mode & 0o777 == 0o600


def test_expired_links_are_gone_and_swept(desk: Desk) -> None:
    desk.file.add("ann", "/a", 60)
    desk.now += 60
    assert desk.file.read() == {}
    desk.file.add("ann", "/b", 60)
    assert "/a" not in desk.file.path.read_text()


def test_only_own_links_are_removed_if_that_is_asked(desk: Desk) -> None:
    _secret, share = desk.file.add("ann", "/a", 60)
    with pytest.raises(ShareFileError, match="no share link"):
        desk.file.remove(share.id, "bob")
    assert desk.file.remove(share.id, "ann") == share
    assert desk.file.read() == {}


def test_the_number_is_limited(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_file, "MAX_SHARES_PER_USER", 1)
    desk.file.add("ann", "/a", 60)
    desk.file.add("bob", "/a", 60)
    with pytest.raises(ShareFileError, match="too many"):
        desk.file.add("ann", "/b", 60)
    assert len(desk.file.read()) == 2


@pytest.mark.parametrize("content", ["", "[]", '{"shares": [{}]}', '{"shares": 1}', "\0"])
def test_a_damaged_file_is_an_error_and_stays(desk: Desk, content: str) -> None:
    desk.file.path.write_text(content)
    with pytest.raises(ShareFileError, match="not a file of share links"):
        desk.file.add("ann", "/a", 60)
    assert desk.file.path.read_text() == content


def test_a_change_is_seen(desk: Desk) -> None:
    before = desk.file.version()
    desk.file.add("ann", "/a", 60)
    assert before == () != desk.file.version()
