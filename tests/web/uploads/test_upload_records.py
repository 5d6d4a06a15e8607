"""Which uploads can be resumed, also after a restart."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.web.uploads import upload_records
from ftpservice.web.uploads.upload_records import KEPT_SECONDS, UploadRecords
from tests.support.page_in_memory import done


class Desk:
    """Records in ``directory``, as after a start."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.now = directory, 1000.0
        self.start()

    def start(self) -> None:
        self.start_with()

    def start_with(self, *names: str) -> None:
        """Start; these names are uploaded anew before the directory is read."""
        self.records = UploadRecords(self.directory, InlineRunner(), lambda: self.now)
        for name in names:
            self.records.supersede("ann", name)
        done(self.records.load())

    def create(self, path: str = "/a", user: str = "ann") -> tuple[str, Any]:
        return done(self.records.create(user, path, 10, False))

    @property
    def files(self) -> list[Path]:
        return sorted(self.directory.iterdir())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "uploads")


def test_they_outlive_the_process_and_keep_no_id(desk: Desk) -> None:
    id, record = desk.create("/\udcff\n")
    desk.start()
    assert desk.records.find(id, "ann") == record
    (file,) = desk.files
    assert id not in file.read_text() + file.name
    assert (file.stat().st_mode & 0o777, desk.directory.stat().st_mode & 0o777) == (0o600, 0o700)


def test_only_the_account_finds_its_upload(desk: Desk) -> None:
    id, _record = desk.create()
    assert desk.records.find(id, "bob") is None
    assert desk.records.find("other", "ann") is None
    assert desk.records.find("\udcff", "ann") is None


def test_a_name_that_is_uploaded_anew_is_another_upload(desk: Desk) -> None:
    id, record = desk.create()
    desk.records.supersede("bob", "/a")
    assert desk.records.find(id, "ann") == record
    desk.records.supersede("ann", "/a")
    assert desk.records.find(id, "ann") is None
    assert desk.files == []


def test_a_name_that_is_uploaded_anew_before_they_are_read_is_another_upload(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [desk.create(path)[0] for path in ("/a", "/b", "/c")]
    desk.start_with("/a", "/other")
    assert [desk.records.find(id, "ann") is not None for id in ids] == [False, True, True]
    assert len(desk.files) == 2
    monkeypatch.setattr(upload_records, "MAX_EARLY", 2)
    desk.start_with("/x", "/y", "/b")
    assert desk.files == []


def test_a_complete_upload_is_not_affected_by_the_next_one(desk: Desk) -> None:
    id, record = desk.create()
    desk.records.renewed(record, is_complete=True)
    desk.records.supersede("ann", "/a")
    desk.start()
    found = desk.records.find(id, "ann")
    assert found is not None
    assert found.is_complete


def test_they_expire_unless_they_go_on(desk: Desk) -> None:
    (first, record), (second, _) = desk.create("/a"), desk.create("/b")
    desk.now += KEPT_SECONDS - 1
    assert desk.records.renewed(record).expires == desk.now + KEPT_SECONDS
    desk.now += 1
    assert desk.records.find(first, "ann") is not None
    assert desk.records.find(second, "ann") is None
    desk.start()
    assert desk.records.find(first, "ann") is not None
    assert len(desk.files) == 1


def test_what_is_no_record_is_left_alone(desk: Desk) -> None:
    desk.create()
    (desk.directory / "other").write_text("{}")
    (desk.directory / ("0" * 64)).write_bytes(desk.files[0].read_bytes())
    desk.start()
    assert len(desk.records._records) == 1


def test_their_number_is_limited(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_records, "MAX_RECORDS_PER_USER", 2)
    monkeypatch.setattr(upload_records, "MAX_RECORDS", 3)
    ids = [desk.create(f"/{number}")[0] for number in range(3)]
    assert [desk.records.find(id, "ann") is not None for id in ids] == [False, True, True]
    for user in ("bob", "cy"):
        desk.create("/a", user)
    assert len(desk.files) == 3
    assert desk.records.find(ids[1], "ann") is None


def test_a_disk_that_fails_is_an_error_and_no_record(desk: Desk) -> None:
    desk.directory.write_text("no directory")
    with pytest.raises(OSError, match=r"exists|directory"):
        desk.create()
    assert desk.records._records == {}


def test_a_full_disk_leaves_no_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    desk.create()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="full"):
            desk.create("/b")
    assert len(desk.files) == 1


def test_what_a_killed_process_was_writing_is_removed(desk: Desk) -> None:
    _id, record = desk.create()
    (desk.directory / ("0" * 64 + ".new")).write_text("{")
    desk.start()
    assert [file.name for file in desk.files] == [record.key]
