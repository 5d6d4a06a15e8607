"""A local storage that follows no links, with and without openat2."""

import errno
import os

import pytest

from ftpservice.backends.local.paths import tree as descent
from ftpservice.storage.errors import Denied
from ftpservice.storage.interfaces import (
    IEnter,
    IHashes,
    ILinks,
    ISetMode,
    ISetTimes,
    IWithoutLinks,
    WriteMode,
    WriteRequest,
)
from ftpservice.testing.contract.case import create_file, list_directory, path_at, read_file
from ftpservice.wire.entry import Kind
from tests.support.local_source import Bench, run


def absent(*args):
    raise OSError(errno.ENOSYS, "no such call")


@pytest.fixture(params=["openat2", "walk"])
def storage(request, tmp_path, monkeypatch):
    if request.param == "walk":
        monkeypatch.setattr(descent, "open_beneath", absent)
    bench = Bench(tmp_path)
    (bench.root / "archive").mkdir()
    (bench.root / "archive/file").write_bytes(b"content")
    (bench.root / "real").mkdir()
    (bench.root / "real/file").write_bytes(b"content")
    (bench.root / "link").symlink_to("archive")
    (bench.root / "absolute").symlink_to(bench.root / "archive")
    (bench.root / "file").symlink_to("archive/file")
    (bench.root / "new").symlink_to("archive/new")
    return IWithoutLinks(bench.storage).without_links()


CALLS = {
    "list": lambda storage, at: list_directory(storage, f"/{at}"),
    "enter": lambda storage, at: IEnter(storage).enter(path_at(f"/{at}")),
    "read below": lambda storage, at: read_file(storage, f"/{at}/file"),
    "write below": lambda storage, at: create_file(storage, f"/{at}/fresh", b"x"),
    "append below": lambda storage, at: create_file(
        storage, f"/{at}/file", b"x", WriteRequest(WriteMode.APPEND)
    ),
    "remove below": lambda storage, at: storage.remove_file(path_at(f"/{at}/file")),
    "make below": lambda storage, at: storage.make_directory(path_at(f"/{at}/directory")),
    "rename from": lambda storage, at: storage.rename(path_at(f"/{at}/file"), path_at("/x")),
    "rename to": lambda storage, at: storage.rename(path_at("/real"), path_at(f"/{at}/x")),
    "hash": lambda storage, at: IHashes(storage).hash(path_at(f"/{at}/file"), "MD5", 0, None),
    "mode": lambda storage, at: ISetMode(storage).set_mode(path_at(f"/{at}/file"), 0o600),
    "times": lambda storage, at: ISetTimes(storage).set_times(path_at(f"/{at}/file"), 5.0),
    "read": lambda storage, _at: read_file(storage, "/file"),
    "write": lambda storage, _at: create_file(storage, "/file", b"x"),
    "write new": lambda storage, _at: create_file(storage, "/new", b"x"),
    "append": lambda storage, _at: create_file(
        storage, "/file", b"x", WriteRequest(WriteMode.APPEND)
    ),
}


@pytest.mark.parametrize("at", ["link", "absolute"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_call_goes_through_a_link(storage, tmp_path, call, at):
    with pytest.raises(Denied):
        run(call(storage, at))
    assert sorted(os.listdir(tmp_path / "root/archive")) == ["file"]
    assert (tmp_path / "root/archive/file").read_bytes() == b"content"


def test_links_are_shown_and_removed_as_links(storage, tmp_path):
    assert run(ILinks(storage).lstat(path_at("/link"))).kind is Kind.LINK
    assert run(storage.stat(path_at("/link"))).kind is Kind.LINK
    run(storage.remove_file(path_at("/link")))
    assert not (tmp_path / "root/link").is_symlink()
    assert run(read_file(storage, "/real/file")) == b"content"
