"""Locks within a process, for filesystems without file locks."""

import os

from ftpservice.backends.local.partials import process_locks
from ftpservice.backends.local.partials.process_locks import ProcessLocks


def test_a_file_is_locked_until_its_descriptor_is_closed(tmp_path):
    locks, path = ProcessLocks(), tmp_path / "file"
    first = os.open(path, os.O_CREAT | os.O_RDWR)
    second = os.open(path, os.O_RDWR)
    assert locks.hold(first)
    assert not locks.hold(second)
    os.close(first)
    assert locks.hold(second)
    os.close(second)


def test_closed_files_are_forgotten_when_there_are_many(tmp_path, monkeypatch):
    monkeypatch.setattr(process_locks, "MAX_HELD_FILES", 4)
    locks = ProcessLocks()
    kept = os.open(tmp_path / "kept", os.O_CREAT | os.O_RDWR)
    other = os.open(tmp_path / "kept", os.O_RDWR)
    assert locks.hold(kept)
    for number in range(20):
        opened = os.open(tmp_path / f"file{number}", os.O_CREAT | os.O_RDWR)
        assert locks.hold(opened)
        os.close(opened)
        assert len(locks._held) <= 4
    assert not locks.hold(other)
    os.close(kept)
    os.close(other)
