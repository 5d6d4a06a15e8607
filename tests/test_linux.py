"""Files are read without following links, and without waiting for what is no file."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from ftpservice.linux import read_regular_file

LIMIT = 5


def opened_files() -> list[str]:
    """Return the paths of the files that this process has open."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the list
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return found


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular_file(tmp_path / "file", LIMIT) == b"12345"
    (tmp_path / "file").write_bytes(b"123456")
    with pytest.raises(OSError, match="it is larger than 5 bytes"):
        read_regular_file(tmp_path / "file", LIMIT)


def test_a_link_is_followed_only_if_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError, match="it is a symbolic link, not a file"):
        read_regular_file(tmp_path / "link", LIMIT)
    assert read_regular_file(tmp_path / "link", LIMIT, follows_links=True) == b"1"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="Too many levels"):
        read_regular_file(tmp_path / "loop", LIMIT, follows_links=True)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, make: object) -> None:
    make(tmp_path / "made")  # type: ignore[operator]
    with pytest.raises(OSError, match="it is not a regular file"):
        read_regular_file(tmp_path / "made", LIMIT)
    assert not [one for one in opened_files() if one.startswith(str(tmp_path))]


def test_a_missing_file_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular_file(tmp_path / "none", LIMIT)
