"""Symbolic links in both protocols: listed as links, followed in paths, deleted as links."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.support import simple_client
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.tcp_wire import Wire

FIXTURES = (started, starting)


@pytest.fixture
def planted(served: RunningService) -> RunningService:
    """Create links of every kind."""
    plant(served)
    return served


def plant(served: RunningService) -> None:
    """Create ``releases/7/file`` and links to it."""
    root = served.root
    (root / "releases" / "7").mkdir(parents=True)
    (root / "releases" / "7" / "file").write_bytes(b"content")
    links = {
        "current": "releases/7",
        "absolute": str(root / "releases"),
        "self": ".",
        "dangling": "no/such",
        "out": str(root.parent),
        "sneaky": "releases/../../elsewhere",
        "file": "releases/7/file",
        "spaced": "two words",
        "releases/up": "../current",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)


def listed(wire: Wire, command: str) -> dict[str, str]:
    """Return the lines of a listing by name."""
    text = wire.download(command).decode()
    if command.startswith("MLSD"):
        return {line.partition("; ")[2]: line for line in text.splitlines()}
    dates = r".* [A-Z][a-z]{2} [ 0-9]{2} [0-9:]{5} (.*)"
    return {match[1]: line for line in text.splitlines() if (match := re.fullmatch(dates, line))}


@in_thread
def test_list_shows_the_target_of_a_link(planted: RunningService) -> None:
    """The lines are those of ``ls -l``; a target outside the root is not shown."""
    found = listed(planted.session(), "LIST")
    assert set(found) == {
        "releases",
        "current -> releases/7",
        "absolute -> /releases",
        "self -> .",
        "dangling -> no/such",
        "out -> (hidden)",
        "sneaky -> (hidden)",
        "file -> releases/7/file",
        "spaced -> two words",
    }
    links = [line for name, line in found.items() if name != "releases"]
    assert all(line.startswith("lrwxrwxrwx ") for line in links)
    assert found["releases"].startswith("drwx")


@in_thread
@pytest.mark.parametrize("command", ["LIST file/", "LIST releases/7/file/", "NLST file/"])
def test_a_trailing_slash_does_not_repeat_the_name(planted: RunningService, command: str) -> None:
    """Regression: the name was ``file/file``."""
    text = planted.session().download(command).decode()
    assert len(text.splitlines()) == 1
    assert "file/file" not in text.replace(" -> releases/7/file", "")


@in_thread
def test_mlsd_marks_links_by_type(planted: RunningService) -> None:
    """The target is a path from the root."""
    wire = planted.session()
    found = {name: line.partition(";")[0] for name, line in listed(wire, "MLSD").items()}
    assert found == {
        "releases": "type=dir",
        "current": "type=OS.unix=slink:/releases/7",
        "absolute": "type=OS.unix=slink:/releases",
        "self": "type=OS.unix=slink:/",
        "dangling": "type=OS.unix=slink:/no/such",
        "out": "type=OS.unix=symlink",
        "sneaky": "type=OS.unix=symlink",
        "file": "type=OS.unix=slink:/releases/7/file",
        "spaced": "type=OS.unix=symlink",
    }
    sized = [name for name, line in listed(wire, "MLSD").items() if ";size=" in line]
    assert sized == ["file"]
    inside = listed(wire, "MLSD releases")
    assert inside["up"].startswith("type=OS.unix=slink:/current;")


@in_thread
@pytest.mark.parametrize(
    ("argument", "type_"),
    [
        ("current", "OS.unix=slink:/releases/7"),
        ("/releases/up", "OS.unix=slink:/current"),
        ("out", "OS.unix=symlink"),
        ("current/", "dir"),
        ("current/.", "dir"),
        ("file", "OS.unix=slink:/releases/7/file"),
        ("file/", "file"),
        ("current/file", "file"),
        ("dangling/", "OS.unix=slink:/no/such"),
    ],
)
def test_mlst_describes_a_link_or_with_a_slash_its_target(
    planted: RunningService, argument: str, type_: str
) -> None:
    """The same name gives both."""
    answer = planted.session().ask(f"MLST {argument}")
    assert answer.code == 250
    assert answer.lines[1].startswith(f" type={type_};".encode()), answer


@in_thread
def test_cwd_follows_links(planted: RunningService) -> None:
    """CWD follows links; ``.`` is described as a directory."""
    wire = planted.session()
    assert wire.code("CWD current") == 250
    for command in ("MLST", "MLST ."):
        assert wire.ask(command).lines[1].startswith(b" type=dir;")
    assert wire.download("NLST") == b"file\r\n"
    assert set(listed(wire, "LIST")) == {"file"}
    assert set(listed(wire, "MLSD")) == {"file"}


@in_thread
def test_arguments_follow_links(planted: RunningService) -> None:
    """Files and directories are reached through links; ``-d`` lists the link."""
    wire = planted.session()
    assert wire.codes("TYPE I", "SIZE file", "MDTM file") == [200, 213, 213]
    assert wire.ask("SIZE file").text == "7"
    assert wire.download("RETR file") == wire.download("RETR current/file") == b"content"
    for command in ("LIST current", "LIST current/", "LIST curren*/*", "NLST current"):
        assert wire.download(command).split()[-1].endswith(b"file"), command
    assert set(listed(wire, "MLSD current")) == {"file"}
    assert set(listed(wire, "LIST -d current")) == {"current -> releases/7"}
    assert set(listed(wire, "LIST file")) == {"file -> releases/7/file"}
    assert set(listed(wire, "LIST dangling")) == {"dangling -> no/such"}
    status = wire.ask("STAT current")
    assert status.code == 213 and status.lines[1].endswith(b" file")


@in_thread
def test_recursive_listings_do_not_follow_links(planted: RunningService) -> None:
    """LIST -R and DSIZ count the target of a link only in its own directory."""
    wire = planted.session()
    assert wire.ask("DSIZ").text == "7"
    text = wire.download("LIST -R").decode()
    headings = [line for line in text.splitlines() if line.endswith(":")]
    assert headings == [".:", "releases:", "releases/7:"]


@in_thread
def test_delete_and_rename_apply_to_the_link(planted: RunningService) -> None:
    """DELE deletes the link, RMD refuses it, RNTO renames it."""
    wire = planted.session()
    answer = wire.ask("RMD current")
    assert (answer.code, "link" in answer.text, "DELE" in answer.text) == (550, True, True)
    assert wire.codes("RNFR current", "RNTO latest", "RNFR dangling", "RNTO d") == [350, 250] * 2
    assert (planted.root / "latest").is_symlink() and (planted.root / "d").is_symlink()
    names = ("latest", "absolute", "self", "d", "out", "file")
    assert wire.codes(*(f"DELE {name}" for name in names)) == [250] * len(names)
    assert (planted.root / "releases" / "7" / "file").read_bytes() == b"content"
    assert not (planted.root / "latest").is_symlink()
    assert wire.code("CWD /") == 250


@in_thread
def test_the_simple_protocol_lists_links(server: Callable[..., RunningService]) -> None:
    """Links have their own type, and DELF deletes the link."""
    served = server("--simple", "tcp:0:interface=127.0.0.1")
    plant(served)
    wire = simple_client.session(served)
    count, total = wire.ask("LIST").removeprefix("OK ").split()
    lines = [wire.line().split(" ", 3) for _ in range(int(count))]
    found = {name: kind for kind, _size, _modified, name in lines}
    sizes = {name: int(size) for _kind, size, _modified, name in lines}
    assert {name for name, size in sizes.items() if size} == {"file"} and sizes["file"] == 7
    links = {"current", "absolute", "self", "dangling", "out", "sneaky", "file", "spaced"}
    assert found == {"releases": "dir", **dict.fromkeys(links, "link")}
    assert total == "0"
    assert wire.download("file") == wire.download("current/file") == b"content"
    assert wire.ask("LIST current").startswith("OK 1 7") and wire.line().startswith("file 7 ")
    assert wire.asks("DELF current", "DELF self") == ["OK current", "OK self"]
    assert (served.root / "releases" / "7" / "file").exists()
