"""Sweeping the trash: what has expired, and what a killed process has left."""

import os
import time
from unittest import mock

import pytest

from ftpservice.backends.local import trash_search
from ftpservice.storage.trash import TrashRule
from ftpservice.testing.contract.case import create_file, path_at, read_file
from ftpservice.wire.paths import ROOT
from tests.backends.local.trash.test_trash_bin import Place, run

DAY = 86_400


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def later(seconds):
    """Sweep with a clock that is ahead."""
    now = time.time() + seconds
    return mock.patch.object(trash_search.time, "time", lambda: now)


def test_what_has_expired_is_removed_of_all_accounts_in_all_roots(place):
    run(place.storage().make_directory(path_at("/people")))
    short = place.storage("ann", "/people/ann", TrashRule(DAY))
    long = place.storage("ben", "/people/ben", TrashRule(30 * DAY))
    for storage in (short, long):
        run(create_file(storage, "/file", b"data"))
        run(storage.remove_file(path_at("/file")))
    with later(DAY - 60):
        run(place.source.sweep())
    assert len(place.items()) == 2
    with later(DAY + 60):
        run(place.source.sweep())
    assert run(short.trashed(ROOT)) == []
    assert len(run(long.trashed(ROOT))) == 1
    assert not (place.root / "people/ann/.ftpservice.trash").exists()


def test_a_walk_takes_turns(place, monkeypatch):
    storage = place.storage()
    for number in range(20):
        run(create_file(storage, f"/{number}", b"data"))
        run(storage.remove_file(path_at(f"/{number}")))
    monkeypatch.setattr(trash_search.TreeWalk, "entries_per_turn", 3)
    assert len(run(storage.trashed(ROOT))) == 20
    with later(2 * DAY):
        run(place.source.sweep())
    assert os.listdir(place.root) == []


def test_a_second_name_that_a_killed_process_left_is_removed(place):
    """The file is in its place; so it needs no version, and must not be written in place."""
    storage = place.storage()
    run(create_file(storage, "/file", b"old"))
    run(create_file(storage, "/file", b"data"))
    [item] = place.items()
    item.unlink()
    os.link(place.root / "file", item)
    run(place.source.sweep())
    assert place.items() == [item]  # an upload may be under way
    with later(60):
        run(place.source.sweep())
    assert place.items() == []
    assert run(read_file(storage, "/file")) == b"data"


def test_a_second_name_is_kept_if_the_first_one_means_another_file(place):
    storage = place.storage()
    run(create_file(storage, "/file", b"old"))
    os.link(place.root / "file", place.root / "other")
    run(storage.remove_file(path_at("/file")))
    with later(60):
        run(place.source.sweep())
    assert len(run(storage.trashed(ROOT))) == 1


def test_copies_that_are_not_complete_are_removed_after_a_day(place):
    storage = place.storage()
    run(create_file(storage, "/file", b"data"))
    run(storage.remove_file(path_at("/file")))
    [item] = place.items()
    copy = item.with_name(f".ftpservice.{'0' * 24}.copy")
    strange = item.with_name("strange")
    copy.touch()
    strange.touch()
    run(place.source.sweep())
    assert copy.exists()
    with later(2 * DAY):
        run(place.source.sweep())
    assert not copy.exists()
    assert strange.exists()
