from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ftpservice.service.settings.directories import (
    NO_CHANGE,
    acting_as,
    give_to,
    groups_of,
    make_directories,
)
from ftpservice.service.settings.errors import CannotStart
from tests.support.unprivileged import NOBODY, needs_root

OWNER = (NOBODY, 77)


def owner_of(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_uid, status.st_gid


def test_what_is_missing_is_made_for_the_owner_alone(tmp_path: Path) -> None:
    make_directories([f"{tmp_path}/var", f"{tmp_path}/var/files"])
    assert (tmp_path / "var" / "files").stat().st_mode & 0o777 == 0o700


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_directories([str(tmp_path)])
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert tmp_path.stat().st_uid == os.getuid()


@needs_root
def test_directories_belong_to_the_user_that_the_service_becomes(open_place: Path) -> None:
    make_directories([f"{open_place}/var", f"{open_place}/var/files"], OWNER)
    for name in ("var", "var/files"):
        assert owner_of(open_place / name) == OWNER
    assert owner_of(open_place) == (0, 0)


@needs_root
def test_a_directory_that_the_user_cannot_write_to_is_refused(open_place: Path) -> None:
    (open_place / "var").mkdir(mode=0o755)
    with pytest.raises(CannotStart, match=f"writable directory of user {NOBODY} "):
        make_directories([f"{open_place}/var"], OWNER)
    assert owner_of(open_place / "var") == (0, 0)


def test_a_directory_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="missing/var: no such file or directory - create it"):
        make_directories([f"{tmp_path}/missing/var"])


def test_a_path_that_is_not_a_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    with pytest.raises(CannotStart, match=r"cannot write to .*/var - "):
        make_directories([f"{tmp_path}/var"])


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


@needs_root
@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, make_socket])
def test_files_directories_and_sockets_are_given(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "made")
    give_to(NO_CHANGE, str(tmp_path / "made"))
    assert owner_of(tmp_path / "made") == (0, 0)
    give_to(OWNER, str(tmp_path / "made"))
    assert owner_of(tmp_path / "made") == OWNER


@needs_root
def test_a_mode_may_be_set_as_well(tmp_path: Path) -> None:
    make_socket(tmp_path / "made")
    give_to(NO_CHANGE, str(tmp_path / "made"), mode=0o600)
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o600
    assert owner_of(tmp_path / "made") == (0, 0)


@needs_root
def test_nothing_that_a_name_leads_to_is_given(tmp_path: Path) -> None:
    """Neither through a link, nor by another name, nor from a third user."""
    secret, other = tmp_path / "secret", tmp_path / "other"
    secret.touch()
    (tmp_path / "link").symlink_to(secret)
    (tmp_path / "directory").symlink_to(tmp_path)
    (tmp_path / "hard").hardlink_to(secret)
    os.mkfifo(tmp_path / "fifo")
    other.touch()
    os.chown(other, 4, 4)
    before = {path: owner_of(path) for path in (tmp_path, *tmp_path.iterdir())}
    for path in tmp_path.iterdir():
        give_to(OWNER, str(path))
    assert {path: owner_of(path) for path in before} == before


@needs_root
def test_files_are_created_and_opened_as_by_the_user(open_place: Path) -> None:
    (open_place / "closed").touch(mode=0o600)
    open_place.chmod(0o777)
    with acting_as(OWNER):
        (open_place / "made").touch()
        with pytest.raises(PermissionError):
            (open_place / "closed").read_bytes()
        assert os.getgroups() == list(groups_of(OWNER))
        with acting_as(NO_CHANGE):
            assert os.geteuid() == NOBODY
    assert owner_of(open_place / "made") == OWNER
    assert (os.geteuid(), os.getegid()) == (0, 0)


@needs_root
def test_the_user_of_the_start_is_back_after_an_error() -> None:
    before = os.geteuid(), os.getegid(), os.getgroups()
    with pytest.raises(ValueError, match="inside"), acting_as(OWNER):
        raise ValueError("inside")
    # The kernel refuses -1 as a group.
    with pytest.raises(CannotStart, match="cannot become user"), acting_as((NOBODY, -1)):
        pass
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before


def test_a_number_without_a_user_has_only_its_group() -> None:
    assert list(groups_of((987654, 77))) == [77]
