"""Trees: what is planned, what is done, and that no name leads out of where it should be."""

import os

import pytest
from twisted.internet.defer import CancelledError

from ftpservice_client import (
    LocalFileError,
    MirrorIncomplete,
    MirrorProgress,
    MirrorStep,
    NotFound,
    Settings,
    UnsafePath,
)
from ftpservice_client.mirror.local_tree import (
    FileTree,
    PathFilters,
    TreeItem,
    make_directory_without_links,
    remove_local,
    walk_local_tree,
)
from ftpservice_client.mirror.plan import plan
from ftpservice_client.testing.service import Fault, MemoryService
from tests.support.scripted_server import ScriptedServer, outcome

FILE, NEWER, LARGER = TreeItem(False, 5, 10.0), TreeItem(False, 5, 20.0), TreeItem(False, 6, 10.0)
FOLDER = TreeItem(True, 0, 0.0)


@pytest.mark.parametrize(
    ("source", "target", "delete", "steps"),
    [
        ({"a": FILE}, {}, False, [MirrorStep("upload", "a", 5)]),
        ({"a": FILE}, {"a": FILE}, False, [MirrorStep("skip", "a", 5)]),
        ({"a": FILE}, {"a": NEWER}, False, [MirrorStep("skip", "a", 5)]),
        ({"a": NEWER}, {"a": FILE}, False, [MirrorStep("upload", "a", 5)]),
        ({"a": LARGER}, {"a": FILE}, False, [MirrorStep("upload", "a", 6)]),
        ({"a": FOLDER}, {"a": FOLDER}, False, []),
        (
            {"a": FOLDER, "a/b": FILE},
            {},
            True,
            [MirrorStep("make", "a"), MirrorStep("upload", "a/b", 5)],
        ),
        (
            {},
            {"a": FOLDER, "a/b": FILE},
            True,
            [MirrorStep("delete", "a/b", 5), MirrorStep("delete", "a", 0)],
        ),
        ({}, {"a": FILE}, False, []),
    ],
)
def test_what_is_planned(source, target, delete, steps):
    assert plan(FileTree(source), FileTree(target), "upload", delete=delete) == steps


@pytest.mark.parametrize(
    ("filters", "path", "admitted"),
    [
        (PathFilters(), "a/b", True),
        (PathFilters(include=("*.txt",)), "a/b.txt", True),
        (PathFilters(include=("*.txt",)), "a/b.pdf", False),
        (PathFilters(exclude=("*.txt",)), "a/b.txt", False),
        (PathFilters(exclude=("a/*",)), "a/b", False),
        (PathFilters(exclude=("a/*",)), "b/a", True),
        (PathFilters(("*",), ("b",)), "b", False),
    ],
)
def test_filters(filters, path, admitted):
    assert filters.matches(path, is_directory=False) is admitted
    assert PathFilters(include=("*.txt",)).matches("folder", is_directory=True)


def filled(top):
    (top / "deep" / "er").mkdir(parents=True)
    (top / "one").write_bytes(b"1")
    (top / "deep" / "two").write_bytes(b"22")
    (top / "deep" / "er" / "three").write_bytes(b"333")
    (top / "link").symlink_to("/etc")
    os.mkfifo(top / "pipe")
    return top


def test_a_local_tree_has_no_links(tmp_path):
    found = walk_local_tree(filled(tmp_path), PathFilters())
    assert set(found.items) == {"one", "deep", "deep/two", "deep/er", "deep/er/three"}
    assert found.items["deep/two"].size == 2
    assert (found.links, found.excluded) == ({"link"}, {"pipe"})
    assert walk_local_tree(tmp_path / "none", PathFilters()) == FileTree()
    with pytest.raises(LocalFileError):
        walk_local_tree(tmp_path / "none", PathFilters(), must_exist=True)


def test_no_link_is_gone_through(tmp_path):
    top, outside = tmp_path / "top", tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_bytes(b"")
    make_directory_without_links(top, "a/b")
    (top / "a" / "l").symlink_to(outside)
    with pytest.raises(UnsafePath):
        make_directory_without_links(top, "a/l")
    with pytest.raises(UnsafePath):
        make_directory_without_links(top, "a/l/c")
    with pytest.raises(UnsafePath):
        remove_local(top, "a/l/x")
    remove_local(top, "a/l")
    remove_local(top, "a/b")
    assert (outside / "x").exists()
    assert list((top / "a").iterdir()) == []


@pytest.fixture
def service():
    made = MemoryService({"ann": "secret"})
    yield made
    made.pass_time(30.0)
    assert made.network.getDelayedCalls() == []


@pytest.fixture
def client(service):
    made = service.result(service.connect("ftp://ann:secret@server/"))
    yield made
    service.result(made.quit(), 10.0)


@pytest.mark.parametrize("parallel", [1, 3])
def test_up_and_down_again(service, client, tmp_path, parallel):
    there = filled(tmp_path / "there") if (tmp_path / "there").mkdir() is None else None
    done = service.result(client.upload_tree(there, "copy", parallel=parallel))
    assert (done.size, done.failed) == (6, ())
    assert service.read("/copy/deep/er/three") == b"333"
    again = service.result(client.upload_tree(there, "copy"))
    assert again.size == 0
    back = tmp_path / "back"
    done = service.result(client.download_tree("copy", back, parallel=parallel))
    assert (done.size, done.failed) == (6, ())
    assert (back / "deep" / "two").read_bytes() == b"22"
    assert service.result(client.download_tree("copy", back)).size == 0
    (back / "deep" / "extra").write_bytes(b"")
    dry = service.result(client.mirror(back, "copy", delete=True, dry_run=True))
    assert MirrorStep("delete", "deep/extra", 0) in dry.steps
    assert (back / "deep" / "extra").exists()
    service.result(client.mirror(back, "copy", delete=True))
    assert not (back / "deep" / "extra").exists()
    (there / "deep" / "two").unlink()
    (there / "deep" / "er" / "three").unlink()
    (there / "deep" / "er").rmdir()
    done = service.result(client.mirror(there, "copy", up=True, delete=True))
    assert done.failed == ()
    service.failure(client.stat("copy/deep/er"), NotFound)


def test_a_tally_knows_how_far_all_of_it_has_come(service, client, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    for number in range(4):
        (there / f"f{number}").write_bytes(bytes(300_000))
    (there / "empty").mkdir()
    overall, reports = MirrorProgress(), []

    def progress(moved, total):
        reports.append((moved, total, overall.moved, len(overall.moving), overall.files_ended))

    work = client.mirror(
        there, "in", up=True, parallel=2, progress=progress, mirror_progress=overall
    )
    service.result(work, 60.0)
    assert (overall.files, overall.files_ended, overall.moving) == (4, 4, {})
    assert (overall.moved, overall.size) == (1_200_000, 1_200_000)
    assert max(moving for *_, moving, _ in reports) == 2
    assert [total for _, total, *_ in reports] == [300_000] * len(reports)
    sums = [moved for _, _, moved, *_ in reports]
    assert sums == sorted(sums)


def test_a_file_that_fails_is_through_as_well(service, client, tmp_path):
    service.write("/one", b"12345")
    (tmp_path / "one").mkdir()
    overall = MirrorProgress()
    done = service.failure(
        client.mirror(tmp_path, "/", mirror_progress=overall), MirrorIncomplete
    ).result
    assert len(done.failed) == 1
    assert (overall.files_ended, overall.moved, overall.size) == (1, 5, 5)


def test_filters_hold_both_ways(service, client, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    filled(there)
    service.result(client.upload_tree(there, "copy", exclude=["er"], include=["t*"]))
    service.failure(client.stat("copy/one"), NotFound)
    service.failure(client.stat("copy/deep/er"), NotFound)
    assert service.read("/copy/deep/two") == b"22"


def test_what_fails_is_told_and_the_rest_is_done(service, client, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    filled(there)
    service.result(client.upload_tree(there, "copy"))
    back = tmp_path / "back"
    (back / "one").mkdir(parents=True)
    done = service.result(client.download_tree("copy", back))
    assert [step.name for step, _ in done.failed] == ["one"]
    assert (back / "deep" / "two").exists()


def test_there_is_nothing_to_mirror(service, client, tmp_path):
    service.failure(client.download_tree("nowhere", tmp_path / "back"), NotFound)


def test_cancelling_leaves_nothing_behind(service, client, tmp_path):
    service.write("/one", b"x" * 1_000_000)
    service.faults.data(Fault(), Fault(rate=1000.0))
    mirroring = client.download_tree("", tmp_path / "back")
    service.pass_time(1.0)
    mirroring.cancel()
    service.failure(mirroring, CancelledError)
    assert not list(tmp_path.glob("back/*"))


def test_a_cut_in_the_middle_is_mended(service, tmp_path):
    service.write("/one", b"x" * 1_000_000)
    settings = Settings(netrc=None, retries=2)
    client = service.result(service.connect("ftp://ann:secret@server/", settings))
    service.faults.data(Fault(), Fault(reset_after=100_000))
    done = service.result(client.download_tree("", tmp_path / "back"), 100.0)
    assert (done.failed, done.size) == ((), 1_000_000)
    service.result(client.quit(), 10.0)


def test_names_of_a_hostile_server_stay_in_the_directory(tmp_path):
    lines = "".join(
        f"type=file;size=1; {name}\r\n"
        for name in ("../up", "/tmp/abs", "a/b", "..", ".", "x\0y", "fine", "fine")
    )
    server = ScriptedServer(
        {"MLSD": "150 here\r\n226 done", "RETR": "150 here\r\n226 done", "CWD": "250 ok"},
        lines.encode(),
    )
    client = server.client()
    back = tmp_path / "deep" / "back"
    done = outcome(client.download_tree("", back), server.network, 1.0)
    assert {step.name for step, _ in done.failed} >= {"../up", "/tmp/abs", "a/b", "x\0y"}
    assert [path.name for path in back.iterdir()] == ["fine"]
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    client.abort()


def test_a_tree_without_end_is_given_up(tmp_path):
    server = ScriptedServer({"MLSD": "150 here\r\n226 done"}, b"type=dir; again\r\n")
    client = server.client()
    error = outcome(client.download_tree("", tmp_path / "back"), server.network, 1.0)
    assert "endless" in str(error)
    client.abort()
    server.network.pass_time(10.0)
    assert server.network.getDelayedCalls() == []
