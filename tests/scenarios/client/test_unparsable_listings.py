"""Unparsable listings: nothing is deleted that may still exist."""

import pytest

from ftpservice_client import MirrorIncomplete, NotFound, ServerRefused, UnparsableListing
from tests.support.directory_server import DirectoryServer, unix
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


def failed_steps(done):
    return {(step.action, step.name) for step, _ in done.failed}


def acts(done, action):
    return {step.name for step in done.steps if step.action == action}


def mirrored(server, local, **settings):
    client = server.client()
    try:
        return server.result(client.mirror(local, "", delete=True, **settings), 100.0)
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
def test_an_unparsable_line_prevents_deletion(tmp_path, line, up):
    server = DirectoryServer({"/": [unix("a"), line, unix("deep", "d")], "/deep": [unix("c")]})
    local = tree(tmp_path, "deep/x") if up else tree(tmp_path, "b", "deep/x")
    done = mirrored(server, local, up=up)
    assert done.failed
    if up:
        assert server.commands_of("DELE", "RMD") == ["DELE deep/c"]
        assert acts(done, "keep") == {"a"}
    else:
        assert names(local) == {"a", "b", "deep/c"}
        assert acts(done, "keep") == {"b"}
        assert acts(done, "delete") == {"deep/x"}


@pytest.mark.parametrize("lines", [["<html>", "no", "</html>"], ["b"], [unix("in/b")]])
def test_a_listing_without_entries_is_an_error(tmp_path, lines):
    server = DirectoryServer({"/": lines})
    client = server.client()
    assert isinstance(outcome(client.list(), server.network), UnparsableListing)
    tree(tmp_path, "b")
    failed = outcome(client.mirror(tmp_path, "", delete=True), server.network, 10.0)
    assert isinstance(failed, UnparsableListing)
    assert names(tmp_path) == {"b"}
    client.abort()


@pytest.mark.parametrize("lines", [["total 0"], [], [unix(".", "d"), unix("..", "d")]])
def test_an_empty_listing_is_an_empty_directory(tmp_path, lines):
    server = DirectoryServer({"/": lines})
    tree(tmp_path, "b")
    assert mirrored(server, tmp_path).failed == ()
    assert names(tmp_path) == set()


def test_an_unparsable_directory_fails_alone(tmp_path):
    server = DirectoryServer({"/": [unix("deep", "d"), unix("a")], "/deep": ["<html>"]})
    local = tree(tmp_path, "deep/x", "gone")
    done = mirrored(server, local)
    assert failed_steps(done) == {("list", "deep")}
    assert names(local) == {"a", "deep/x"}


def test_mlsd_lines_without_type_are_unparsable(tmp_path):
    server = DirectoryServer({"/": ["size=5; a", "type=file;size=5; b"]}, FEAT=MLSD)
    local = tree(tmp_path, "a", "c")
    done = mirrored(server, local)
    assert failed_steps(done) == {("list", "")}
    assert names(local) == {"a", "b", "c"}


def test_opts_mlst_requests_the_type():
    server = DirectoryServer({"/": ["type=file;size=5; b"]}, OPTS="200 ok")
    server.replies["FEAT"] = "211-can\r\n MLST size*;type;perm;\r\n211 end"
    client = server.client()
    for _ in range(2):
        assert len(server.result(client.list()).entries) == 1
    assert server.commands_of("OPTS") == ["OPTS MLST size;type;perm;"]
    client.abort()


def test_list_replaces_a_failing_mlsd():
    server = DirectoryServer({"/": [unix("a")]}, FEAT=MLSD, MLSD="502 no")
    client = server.client()
    for _ in range(2):
        assert [entry.name for entry in server.result(client.list()).entries] == ["a"]
    assert server.commands_of("MLSD") == ["MLSD"]
    client.abort()


def test_hidden_names_are_requested_or_kept(tmp_path):
    plain = {"/": [unix("a"), unix("deep", "d")], "/deep": [unix("b")]}
    dots = [unix(".", "d"), unix("..", "d")]
    server = DirectoryServer(plain)
    local = tree(tmp_path / "one", ".x", "deep/.y/z", "deep/gone")
    done = mirrored(server, local)
    assert done.failed == ()
    assert names(local) == {"a", ".x", "deep/b", "deep/.y/z"}
    assert acts(done, "keep") == {".x", "deep/.y", "deep/.y/z"}
    full = DirectoryServer(plain)
    full.all_lines = {
        "/": [*dots, *plain["/"], unix(".x")],
        "/deep": [*dots, *plain["/deep"]],
    }
    local = tree(tmp_path / "two", ".x", "deep/.y/z", ".gone")
    assert mirrored(full, local).failed == ()
    assert names(local) == {"a", ".x", "deep/b"}
    assert full.commands_of("LIST") == ["LIST", "LIST -a", "LIST -a"]


def test_list_a_is_not_used_if_taken_for_a_name():
    server = DirectoryServer({"/": [unix("a"), unix("b")]})
    server.all_lines = {"/": [unix("-a")]}
    client = server.client()
    for _ in range(2):
        listing = server.result(client.list())
        assert [entry.name for entry in listing.entries] == ["a", "b"]
        assert not listing.shows_hidden
    assert server.commands_of("LIST") == ["LIST", "LIST -a", "LIST"]
    client.abort()


def test_a_path_with_a_space_is_listed_after_cwd(tmp_path):
    server = DirectoryServer(
        {"/": [unix("a", "d"), unix("a b", "d")], "/a": [unix("x")], "/a b": [unix("y")]}
    )
    local = tree(tmp_path, "a b/y", "a b/z", "a/x")
    assert mirrored(server, local).failed == ()
    assert names(local) == {"a/x", "a b/y"}
    assert {*server.commands_of("LIST")} == {"LIST", "LIST -a"}
    assert server.directory == "/"


def test_stat_finds_a_file_in_its_directory():
    server = DirectoryServer({"/": [unix("a"), unix("deep", "d")]})
    client = server.client()
    (entry,) = server.result(client.list("a")).entries
    assert (entry.name, entry.size) == ("a", 5)
    assert isinstance(outcome(client.list("none"), server.network), NotFound)
    assert isinstance(outcome(client.list("deep"), server.network), ServerRefused)
    assert server.directory == "/"
    client.abort()


def test_names_missing_in_an_incomplete_listing_are_kept(tmp_path):
    server = DirectoryServer({"/": [unix("a")]})
    local = tree(tmp_path, "a", "b\rc", "d\ne")
    assert mirrored(server, local).failed == ()
    assert names(local) == {"a", "b\rc", "d\ne"}


def test_a_missing_local_directory_deletes_nothing(tmp_path):
    server = DirectoryServer({"/": [unix("a")]})
    failed = outcome(
        server.client().mirror(tmp_path / "typo", "", up=True, delete=True), server.network, 10.0
    )
    assert isinstance(failed, Exception)
    assert server.commands_of("DELE", "RMD") == []


def test_a_local_file_instead_of_a_directory_deletes_nothing(tmp_path):
    server = DirectoryServer({"/": [unix("a")]})
    local = tree(tmp_path, "a/x")
    with pytest.raises(MirrorIncomplete) as raised:
        mirrored(server, local)
    assert failed_steps(raised.value.result) == {("download", "a")}
    assert names(local) == {"a/x"}
