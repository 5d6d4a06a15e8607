"""Symbolic links: never followed by recursive transfers, and deleted as links."""

import pytest

from ftpservice_client import InvalidArgument, UnparsableListing
from tests.support.directory_server import DirectoryServer, unix
from tests.support.scripted_server import outcome

MLSD = "211-can\r\n MLST type*;size*;unique*;\r\n211 end"


def link(name, target):
    return unix(f"{name} -> {target}", "l")


def acts(done, action):
    return {step.name for step in done.steps if step.action == action}


def result(server, call, seconds=100.0):
    client = server.client()
    try:
        return server.result(call(client), seconds)
    finally:
        client.abort()


def linked(**more):
    """A server that lists ``current`` as a link."""
    releases = {"/top/releases": [unix("7", "d")], "/top/releases/7": [unix("f")]}
    top = {"/top": [link("current", "releases/7"), unix("releases", "d")]}
    root = {"/": [unix("top", "d")]}
    return DirectoryServer(root | top | releases, **more)


def facts(*lines):
    return [f"type={line}" for line in lines]


def untold(**more):
    """A server with MLSD that lists the links ``self`` and ``current`` as directories."""
    top = facts("dir;unique=1; self", "dir;unique=7; current", "dir;unique=2; releases")
    directories = {
        "/": facts("dir;unique=1; top"),
        "/top": facts("cdir;unique=1; .") + top,
        "/top/self": top,
        "/top/current": facts("file;size=5; f"),
        "/top/releases": facts("dir;unique=7; 7"),
        "/top/releases/7": facts("file;size=5; f"),
    }
    return DirectoryServer(directories, FEAT=MLSD, **more)


def names(top):
    return {str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir()}


def test_downloads_skip_links_and_delete_nothing_of_their_names(tmp_path):
    server = linked()
    (tmp_path / "current").write_bytes(b"mine")
    done = result(server, lambda client: client.mirror(tmp_path, "top", delete=True))
    assert done.failed == ()
    assert names(tmp_path) == {"current", "releases/7/f"}
    assert acts(done, "leave") == {"current"}
    assert "CWD top/current" not in server.commands


def test_local_links_are_not_uploaded_and_delete_nothing(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "releases").symlink_to(tmp_path / "real")
    (tmp_path / "loop").symlink_to(tmp_path)
    server = linked()
    done = result(server, lambda client: client.mirror(tmp_path, "top", up=True, delete=True))
    assert done.failed == ()
    assert acts(done, "leave") == {"releases", "loop"}
    assert acts(done, "delete") == {"current"}
    assert server.commands_of("DELE", "RMD") == ["DELE top/current"]


def test_a_local_link_without_remote_name_is_kept(tmp_path):
    (tmp_path / "mine").symlink_to("nowhere")
    server = DirectoryServer({"/": [unix("a")]})
    assert result(server, lambda client: client.mirror(tmp_path, "", delete=True)).failed == ()
    assert names(tmp_path) == {"mine", "a"}


def test_recursive_deletion_does_not_follow_links():
    server = linked()
    done = result(server, lambda client: client.remove_tree("top"))
    assert done.failed == ()
    assert server.commands_of("DELE", "RMD") == [
        "DELE top",
        "DELE top/releases",
        "DELE top/releases/7",
        "DELE top/releases/7/f",
        "RMD top/releases/7",
        "RMD top/releases",
        "DELE top/current",
        "RMD top",
    ]


@pytest.mark.parametrize("dele", ["250 gone", "550 no"])
def test_deleting_a_link_deletes_the_link(dele):
    server = linked(DELE=dele)
    done = result(server, lambda client: client.remove_tree("top/current"))
    assert (done.failed, acts(done, "delete")) == ((), {""})
    tried = ["DELE top/current"] + (["RMD top/current"] if dele == "550 no" else [])
    assert server.commands_of("DELE", "RMD") == tried


def test_a_link_listed_as_a_directory_is_deleted_as_a_file():
    def dele(connection, line):
        is_link = line in ("DELE top/current", "DELE top/self")
        connection.say(
            "250 gone" if is_link or line.endswith("/f") else "550 Is a directory.", line
        )

    server = untold(DELE=dele)
    done = result(server, lambda client: client.remove_tree("top"))
    gone = server.commands_of("DELE", "RMD")
    assert not [line for line in gone if "current/" in line or "self/" in line]
    assert acts(done, "delete") == {"", "current", "self", "releases", "releases/7", "releases/7/f"}


def test_a_loop_of_links_is_found_by_mlsd(tmp_path):
    server = untold()
    done = result(server, lambda client: client.download_tree("top", tmp_path))
    assert done.failed == ()
    assert names(tmp_path) == {"current/f", "releases/7/f"}
    assert acts(done, "leave") == {"self"}


def test_a_directory_with_two_names_is_not_deleted(tmp_path):
    (tmp_path / "releases" / "7").mkdir(parents=True)
    (tmp_path / "releases" / "7" / "f").write_bytes(b"12345")
    server = untold(DELE="550 no")
    done = result(server, lambda client: client.mirror(tmp_path, "top", up=True, delete=True))
    assert acts(done, "keep") == {"current", "current/f"}
    assert not [line for line in server.commands_of("DELE", "RMD") if "current" in line]


def test_recursive_deletion_keeps_unlisted_directories():
    server = DirectoryServer(
        {
            "/": [unix("top", "d")],
            "/top": [unix("a", "d"), unix("b", "d")],
            "/top/a": ["what?"],
            "/top/b": [unix("f")],
        }
    )
    done = result(server, lambda client: client.remove_tree("top"))
    ((step, why),) = done.failed
    assert (step.action, step.name, type(why)) == ("list", "a", UnparsableListing)
    assert acts(done, "delete") == {"b", "b/f"}
    assert acts(done, "keep") == {"a"}
    assert "RMD top" not in server.commands


@pytest.mark.parametrize("path", ["", "/", ".", "..", "../.."])
def test_the_root_is_not_removed(path):
    server = linked()
    client = server.client()
    error = outcome(client.remove_tree(path), server.network)
    assert isinstance(error, InvalidArgument)
    assert server.commands_of("DELE", "RMD") == []
    client.abort()
