"""A file is replaced as a whole, or it stays as it is."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ftpservice.state_files.file_replacement import replace_file


@pytest.mark.parametrize("is_durable", [True, False])
def test_the_new_content_is_private(tmp_path: Path, is_durable: bool) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old")
    path.chmod(0o644)
    replace_file(path, b"new", is_durable)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["state"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_after_an_error_the_old_file_is_there_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old")

    def fail(*_words: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["state"]


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "state"
    other.write_bytes(b"kept")
    path.symlink_to(other)
    replace_file(path, b"new")
    assert other.read_bytes() == b"kept"
    assert not path.is_symlink()
    assert path.read_bytes() == b"new"
