"""Hidden partials: who may write one, and what happens between looking and locking."""

import errno
import os

import pytest

from ftpservice.backends.local.partials import partial_file, partial_mark
from ftpservice.backends.local.paths.names import partial_name
from ftpservice.backends.local.paths.tree import DirectoryEntry

NAME = partial_name("one", b"file")


def entry(directory):
    """Return the place of a file in a directory that is opened for it."""
    return DirectoryEntry(os.open(directory, os.O_RDONLY), b"file")


@pytest.fixture
def place(tmp_path):
    with entry(tmp_path) as made:
        yield made


def broken(*args, **kwargs):
    raise OSError(errno.EIO, "broken")


def test_one_that_is_swept_before_it_is_locked_is_made_anew(place, tmp_path, monkeypatch):
    lock, locked = partial_file._lock, []

    def late(opened):
        if not locked:
            os.unlink(tmp_path / os.fsdecode(NAME))
        locked.append(opened)
        return lock(opened)

    monkeypatch.setattr(partial_file, "_lock", late)
    partial = partial_file.claim_partial(place, NAME)
    assert len(locked) == 2
    assert partial.has_name()
    assert not partial.is_spare
    partial.close()


def test_one_that_always_goes_is_replaced_by_a_spare(place, monkeypatch):
    monkeypatch.setattr(partial_file, "_named", lambda *args: None)
    partial = partial_file.claim_partial(place, NAME)
    assert partial.is_spare
    partial.close()


def test_a_spare_that_was_taken_away_is_not_kept(place, tmp_path):
    first = partial_file.claim_partial(place, NAME)
    spare = partial_file.claim_partial(entry(tmp_path), NAME)
    os.unlink(tmp_path / os.fsdecode(spare.name))
    spare.keep()
    spare.discard()
    first.discard()
    for partial in (first, spare):
        partial.close()
        partial.close()
    assert list(tmp_path.iterdir()) == []


def test_a_discard_that_comes_too_late_is_no_error(place, tmp_path, monkeypatch):
    partial = partial_file.claim_partial(place, NAME)
    os.unlink(tmp_path / os.fsdecode(NAME))
    monkeypatch.setattr(partial_file, "_named", lambda *args: args[-1])
    partial.discard()
    partial.close()


@pytest.mark.parametrize("name", ["_lock", "_is_ours", "_named"])
def test_a_claim_that_fails_leaves_nothing_open(place, tmp_path, monkeypatch, name):
    (tmp_path / os.fsdecode(NAME)).touch()
    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(partial_file, name, broken)
    with pytest.raises(OSError):
        partial_file.claim_partial(place, NAME)
    assert os.listdir("/proc/self/fd") == before


def test_a_spare_that_cannot_be_locked_is_not_left_open(place, monkeypatch):
    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(partial_file, "_named", lambda *args: None)
    locks = iter([*[True] * partial_file.MAX_ATTEMPTS])
    monkeypatch.setattr(partial_file, "_lock", lambda _opened: next(locks, None) or broken())
    with pytest.raises(OSError):
        partial_file.claim_partial(place, NAME)
    assert os.listdir("/proc/self/fd") == before


def test_looking_for_one_tells_what_went_wrong(place, monkeypatch):
    assert partial_file.find_partial(place, NAME) is None
    monkeypatch.setattr(os, "open", broken)
    with pytest.raises(OSError):
        partial_file.find_partial(place, NAME)


def test_one_that_may_not_be_opened_is_replaced_by_a_spare(place, tmp_path, monkeypatch):
    (tmp_path / os.fsdecode(NAME)).touch()
    opening = os.open

    def refuse(name, *args, **kwargs):
        if name == NAME:
            raise PermissionError(errno.EACCES, "another's")
        return opening(name, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    partial = partial_file.claim_partial(place, NAME)
    assert partial.is_spare
    partial.close()


def test_without_extended_attributes_so_many_marks_are_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(partial_mark, "_remembered_marks", {})
    monkeypatch.setattr(partial_mark, "MAX_REMEMBERED_MARKS", 3)
    monkeypatch.setattr(partial_mark.os, "setxattr", broken)
    for number in range(6):
        name = partial_name("one", b"file%d" % number)
        with entry(tmp_path) as place:
            partial = partial_file.claim_partial(place, name)
            partial.mark("ann", "note")
            partial.close()
    assert len(partial_mark._remembered_marks) == 3
    assert partial_mark._remembered_marks[name] == ("ann", b"file", "note")
