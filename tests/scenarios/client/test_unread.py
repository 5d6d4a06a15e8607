"""Nothing is deleted that is not known to be gone: listings that are not understood in full."""

import pytest

from ftpservice_client import MirrorIncomplete, NotFound, ServerRefused, UnparsableListing
from tests.support.full_disk import Disk, unix
from tests.support.scripted_server import outcome

MLSD = "211-can\r\n MLST type*;size*;unique*;\r\n211 end"


def tree(top, *paths):
    for path in paths:
        place = top / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"12345")
    return top


def names(top):
    return {str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir()}


def told(done):
    return {(step.action, step.name) for step, _ in done.failed}


def acts(done, action):
    return {step.name for step in done.steps if step.action == action}


def mirrored(disk, local, **wishes):
    client = disk.client()
    try:
        return disk.result(client.mirror(local, "", delete=True, **wishes), 100.0)
    finally:
        client.abort()


@pytest.mark.parametrize(
    "line",
    [
        "-rw-r--r-- 1 ann users 5 Feb 29  2023 b",
        "-rw-r--r-- 1 ann users *** Nov 21 10:15 b",
        "<html>Forbidden</html>",
        "b",
        unix("../b"),
        unix("other/b"),
        unix("b\0"),
        unix("b\rc"),
        unix(".."),
    ],
)
@pytest.mark.parametrize("up", [False, True])
def test_nothing_is_deleted_beside_a_line_that_is_not_understood(tmp_path, line, up):
    disk = Disk({"/": [unix("a"), line, unix("deep", "d")], "/deep": [unix("c")]})
    local = tree(tmp_path, "deep/x") if up else tree(tmp_path, "b", "deep/x")
    done = mirrored(disk, local, up=up)
    assert done.failed
    if up:
        assert disk.asked("DELE", "RMD") == ["DELE deep/c"]
        assert acts(done, "keep") == {"a"}
    else:
        assert names(local) == {"a", "b", "deep/c"}
        assert acts(done, "keep") == {"b"}
        assert acts(done, "delete") == {"deep/x"}


@pytest.mark.parametrize("lines", [["<html>", "no", "</html>"], ["b"], [unix("in/b")]])
def test_text_without_any_entry_is_an_error(tmp_path, lines):
    disk = Disk({"/": lines})
    client = disk.client()
    assert isinstance(outcome(client.list(), disk.network), UnparsableListing)
    tree(tmp_path, "b")
    failed = outcome(client.mirror(tmp_path, "", delete=True), disk.network, 10.0)
    assert isinstance(failed, UnparsableListing)
    assert names(tmp_path) == {"b"}
    client.abort()


@pytest.mark.parametrize("lines", [["total 0"], [], [unix(".", "d"), unix("..", "d")]])
def test_an_empty_directory_is_one(tmp_path, lines):
    disk = Disk({"/": lines})
    tree(tmp_path, "b")
    assert mirrored(disk, tmp_path).failed == ()
    assert names(tmp_path) == set()


def test_a_directory_that_is_not_understood_fails_alone(tmp_path):
    disk = Disk({"/": [unix("deep", "d"), unix("a")], "/deep": ["<html>"]})
    local = tree(tmp_path, "deep/x", "gone")
    done = mirrored(disk, local)
    assert told(done) == {("list", "deep")}
    assert names(local) == {"a", "deep/x"}


def test_lines_of_mlsd_without_a_type_are_not_understood(tmp_path):
    disk = Disk({"/": ["size=5; a", "type=file;size=5; b"]}, FEAT=MLSD)
    local = tree(tmp_path, "a", "c")
    done = mirrored(disk, local)
    assert told(done) == {("list", "")}
    assert names(local) == {"a", "b", "c"}


def test_types_are_asked_for_where_mlst_tells_none_by_itself():
    disk = Disk({"/": ["type=file;size=5; b"]}, OPTS="200 ok")
    disk.says["FEAT"] = "211-can\r\n MLST size*;type;perm;\r\n211 end"
    client = disk.client()
    for _ in range(2):
        assert len(disk.result(client.list()).entries) == 1
    assert disk.asked("OPTS") == ["OPTS MLST size;type;perm;"]
    client.abort()


def test_list_serves_where_mlsd_does_not():
    disk = Disk({"/": [unix("a")]}, FEAT=MLSD, MLSD="502 no")
    client = disk.client()
    for _ in range(2):
        assert [entry.name for entry in disk.result(client.list()).entries] == ["a"]
    assert disk.asked("MLSD") == ["MLSD"]
    client.abort()


def test_hidden_names_are_asked_for_and_kept_where_they_are_not_told(tmp_path):
    plain = {"/": [unix("a"), unix("deep", "d")], "/deep": [unix("b")]}
    dots = [unix(".", "d"), unix("..", "d")]
    disk = Disk(plain)
    local = tree(tmp_path / "one", ".x", "deep/.y/z", "deep/gone")
    done = mirrored(disk, local)
    assert done.failed == ()
    assert names(local) == {"a", ".x", "deep/b", "deep/.y/z"}
    assert acts(done, "keep") == {".x", "deep/.y", "deep/.y/z"}
    full = Disk(plain)
    full.all_lines = {
        "/": [*dots, *plain["/"], unix(".x")],
        "/deep": [*dots, *plain["/deep"]],
    }
    local = tree(tmp_path / "two", ".x", "deep/.y/z", ".gone")
    assert mirrored(full, local).failed == ()
    assert names(local) == {"a", ".x", "deep/b"}
    assert full.asked("LIST") == ["LIST", "LIST -a", "LIST -a"]


def test_an_option_that_is_taken_for_a_name_is_not_used():
    disk = Disk({"/": [unix("a"), unix("b")]})
    disk.all_lines = {"/": [unix("-a")]}
    client = disk.client()
    for _ in range(2):
        listing = disk.result(client.list())
        assert [entry.name for entry in listing.entries] == ["a", "b"]
        assert not listing.shows_hidden
    assert disk.asked("LIST") == ["LIST", "LIST -a", "LIST"]
    client.abort()


def test_a_path_with_a_space_is_entered_before_it_is_listed(tmp_path):
    disk = Disk({"/": [unix("a", "d"), unix("a b", "d")], "/a": [unix("x")], "/a b": [unix("y")]})
    local = tree(tmp_path, "a b/y", "a b/z", "a/x")
    assert mirrored(disk, local).failed == ()
    assert names(local) == {"a/x", "a b/y"}
    assert {*disk.asked("LIST")} == {"LIST", "LIST -a"}
    assert disk.place == "/"


def test_a_file_is_found_among_those_beside_it():
    disk = Disk({"/": [unix("a"), unix("deep", "d")]})
    client = disk.client()
    (entry,) = disk.result(client.list("a")).entries
    assert (entry.name, entry.size) == ("a", 5)
    assert isinstance(outcome(client.list("none"), disk.network), NotFound)
    assert isinstance(outcome(client.list("deep"), disk.network), ServerRefused)
    assert disk.place == "/"
    client.abort()


def test_names_that_no_listing_tells_are_not_deleted_here(tmp_path):
    disk = Disk({"/": [unix("a")]})
    local = tree(tmp_path, "a", "b\rc", "d\ne")
    assert mirrored(disk, local).failed == ()
    assert names(local) == {"a", "b\rc", "d\ne"}


def test_a_directory_here_that_is_not_there_at_all_deletes_nothing(tmp_path):
    disk = Disk({"/": [unix("a")]})
    failed = outcome(
        disk.client().mirror(tmp_path / "typo", "", up=True, delete=True), disk.network, 10.0
    )
    assert isinstance(failed, Exception)
    assert disk.asked("DELE", "RMD") == []


def test_a_file_in_the_place_of_a_directory_deletes_nothing_in_it(tmp_path):
    disk = Disk({"/": [unix("a")]})
    local = tree(tmp_path, "a/x")
    with pytest.raises(MirrorIncomplete) as raised:
        mirrored(disk, local)
    assert told(raised.value.result) == {("download", "a")}
    assert names(local) == {"a/x"}
