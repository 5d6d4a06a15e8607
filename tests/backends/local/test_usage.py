"""Counting what a tree on the disk takes up."""

import os

import pytest

from ftpservice.backends.local import usage
from ftpservice.storage.quota_interfaces import ITreeUsage, TreeUsage
from ftpservice.testing.contract.case import begin_upload, path_at
from ftpservice.wire.paths import ROOT, VirtualPath
from tests.support.local_source import Bench, run


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def used(bench, path="/"):
    return run(ITreeUsage(bench.storage).tree_usage(path_at(path)))


def test_every_name_and_every_byte_counts(bench):
    (bench.root / "d" / "e").mkdir(parents=True)
    (bench.root / "a").write_bytes(b"12345")
    (bench.root / "d" / "b").write_bytes(b"123")
    os.link(bench.root / "a", bench.root / "d" / "again")
    (bench.root / "d" / "e" / "out").symlink_to(bench.outside)
    (bench.root / "loop").symlink_to(bench.root)
    assert used(bench) == TreeUsage(13, 7)
    assert used(bench, "/d") == TreeUsage(8, 4)


def test_kept_partial_uploads_count_and_those_under_way_do_not(bench):
    run(run(begin_upload(bench.storage, "/a", b"12345")).abandon())
    run(run(begin_upload(bench.owned_by("two"), "/a", b"123")).abandon())
    writing = run(begin_upload(bench.storage, "/b", b"1234567"))
    assert used(bench) == TreeUsage(8, 2, 2)
    run(writing.commit())
    assert used(bench) == TreeUsage(15, 3, 2)


def test_a_large_tree_is_counted_in_turns(bench, monkeypatch):
    monkeypatch.setattr(usage.UsageWalk, "entries_per_turn", 3)
    for number in range(10):
        (bench.root / f"d{number}").mkdir()
        (bench.root / f"d{number}" / "f").write_bytes(b"1")
    walk = usage.UsageWalk(bench.storage._tree, ROOT)
    turns = 1
    while walk.turn():
        turns += 1
    assert turns == 5
    assert walk.usage == TreeUsage(10, 20)


def test_places_tell_which_trees_overlap(bench):
    (bench.root / "in").mkdir()
    (bench.root / "alias").symlink_to("in")
    whole = ITreeUsage(bench.storage).place
    inner = ITreeUsage(bench.owned_by("ann", VirtualPath(("in",)))).place
    alias = ITreeUsage(bench.owned_by("ben", VirtualPath(("alias",)))).place
    assert inner == alias == (*whole, "in")
    assert all(isinstance(name, str) for name in inner)
