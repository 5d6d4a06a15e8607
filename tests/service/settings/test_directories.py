from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftpservice.service.settings.directories import make_directories
from ftpservice.service.settings.errors import CannotStart


def test_what_is_missing_is_made_for_the_owner_alone(tmp_path: Path) -> None:
    make_directories([f"{tmp_path}/var", f"{tmp_path}/var/files"])
    assert (tmp_path / "var" / "files").stat().st_mode & 0o777 == 0o700


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_directories([str(tmp_path)], (12345, 12345))
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert tmp_path.stat().st_uid == os.getuid()


def test_it_belongs_to_the_user_that_the_service_becomes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[object, ...]] = []
    monkeypatch.setattr("os.chown", lambda *words: given.append(words))
    make_directories([f"{tmp_path}/var"], (1000, -1))
    assert given == [(f"{tmp_path}/var", 1000, -1)]


def test_a_directory_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="missing/var: no such file or directory - create it"):
        make_directories([f"{tmp_path}/missing/var"])


def test_a_path_that_is_not_a_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    with pytest.raises(CannotStart, match=r"cannot write to .*/var - "):
        make_directories([f"{tmp_path}/var"])
