"""The oldest files of a trash, without a walk for each, and on a full disk."""

import os
from unittest import mock

import pytest

from ftpservice.backends.local import trash_search
from ftpservice.backends.local.trash import trash_order
from ftpservice.storage import trash
from ftpservice.storage.errors import NoSpace, TrashFull
from ftpservice.storage.trash import ITrash, TrashedFile, TrashOrder
from ftpservice.testing.contract.case import create_file, list_directory, path_at, read_file
from ftpservice.wire.entry import Kind
from ftpservice.wire.paths import ROOT
from tests.backends.local.trash.test_trash_bin import Place, run
from tests.support.failing_disk import mounted


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def delete(storage, *names):
    for name in names:
        run(create_file(storage, f"/{name}", b"data"))
        run(storage.remove_file(path_at(f"/{name}")))


def oldest(storage, size=0, files=1):
    return [one.path.name for one in run(ITrash(storage).oldest(size, files))]


def file(number, size=1):
    path = path_at(f"/{number}")
    return TrashedFile(f"{number:04}", path, Kind.FILE, size, 0.0, 0.0, 0.0, False)


def walks(storage):
    """Count the directories that a walk opens."""
    return mock.patch.object(
        trash_search.OldestSearch, "open", autospec=True, side_effect=trash_search._TrashWalk.open
    )


def test_the_oldest_are_found_in_their_order(place):
    storage = place.storage()
    delete(storage, "c", "a", "b")
    assert oldest(storage, files=2) == ["c", "a"]
    assert oldest(storage, size=4, files=0) == ["b"]
    assert oldest(place.storage("ben")) == []


def test_after_the_first_look_there_is_no_walk(place):
    storage = place.storage()
    delete(storage, *map(str, range(20)))
    assert oldest(storage) == ["0"]
    with walks(storage) as opened:
        delete(storage, "20")
        names = [oldest(place.storage())[0] for _ in range(20)]  # also in another session
    assert names == list(map(str, range(1, 21)))
    assert opened.call_count == 0


def test_what_another_process_deletes_and_what_was_given_out_are_found_again(place, tmp_path):
    storage, other = place.storage(), Place(tmp_path).storage()
    delete(storage, "a")
    assert oldest(storage) == ["a"]
    delete(other, "b")
    assert oldest(storage, files=5) == ["a", "b"]  # nobody has removed the first one


def test_a_large_trash_is_read_in_parts(place, monkeypatch):
    for module in (trash, trash_search):
        monkeypatch.setattr(module, "MAX_ORDERED", 3)
    storage = place.storage()
    delete(storage, *"abcdefghi")
    found = []
    while names := oldest(storage, files=2):
        found += names
        for one in run(storage.trashed(ROOT)):
            if one.path.name in names:
                run(storage.discard([one]))
        if found[-1] == "e":
            delete(storage, "z")
    assert found == [*"abcdefghi", "z"]


def test_what_is_added_during_a_walk_is_not_lost():
    order = TrashOrder()
    order.begin()
    order.add(file(2))
    order.add(file(3))
    order.fill([file(1), file(2)])
    assert [one.id for one in order.take(2, 0)] == ["0001", "0002"]
    assert [one.id for one in order.take(9, 9)] == ["0003"]
    assert order.take(9, 9) == []


@pytest.fixture
def full(tmp_path):
    """A disk that has no inode left, with three files in the trash of two accounts."""
    with mounted(tmp_path / "disk", 1 << 20, inodes=24) as is_real:
        if not is_real:
            pytest.skip("nothing can be mounted here")
        place = Place(tmp_path / "disk")
        storage = place.storage()
        for name in ("/in", "/in/deep"):
            run(storage.make_directory(path_at(name)))
        for name in ("/in/deep/file", "/other"):
            run(create_file(storage, name, b"stays"))
        delete(storage, "first")
        delete(place.storage("ben"), "second")
        delete(storage, "third")
        yield place


def fill(place):
    number = 0
    try:
        while True:
            (place.root / f"filler{number}").write_bytes(b"")
            number += 1
    except OSError:
        return number


def test_on_a_full_disk_the_oldest_files_make_room_for_a_deleted_one(full):
    storage = full.storage()
    fill(full)
    run(storage.remove_file(path_at("/in/deep/file")))  # needs three directories
    names = [one.path.name for one in run(storage.trashed(ROOT))]
    assert names[0] == "file" and "first" not in names
    run(storage.restore(run(storage.trashed(ROOT))[0], path_at("/in/deep/file"), False))
    assert run(read_file(storage, "/in/deep/file")) == b"stays"
    assert storage.take_freed()[1] >= 1


def test_on_a_full_disk_a_replaced_file_is_kept(full):
    storage = full.storage()
    (full.root / "new").write_bytes(b"new")
    fill(full)
    run(storage.rename(path_at("/new"), path_at("/in/deep/file")))
    assert run(storage.trashed(ROOT))[0].path == path_at("/in/deep/file")
    assert run(read_file(storage, "/in/deep/file")) == b"new"


def test_what_cannot_be_kept_is_not_deleted_and_leaves_nothing(full):
    storage = full.storage()
    for owner in ("ann", "ben"):
        trash = full.storage(owner)
        run(trash.discard(run(trash.trashed(ROOT))))
    fill(full)
    before = sorted(os.listdir(full.root))
    for path in ("/in/deep/file", "/other"):
        with pytest.raises(TrashFull) as caught:
            run(storage.remove_file(path_at(path)))
        assert isinstance(caught.value, NoSpace)
    assert sorted(os.listdir(full.root)) == before
    assert "deep" in run(list_directory(storage, "/in"))


def test_the_orders_of_so_many_trashes_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(trash_order, "MAX_ORDERS", 3)
    orders = trash_order.TrashOrders(lambda _tree, _name: None)
    root = os.open(tmp_path, os.O_RDONLY)
    try:
        made = [orders.of(root, b"%d" % number) for number in range(6)]
        kept = [orders.known(root, b"%d" % number) for number in range(6)]
    finally:
        os.close(root)
    assert kept == [None] * 3 + made[3:]
