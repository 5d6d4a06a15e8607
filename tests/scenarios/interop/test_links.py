"""Symbolic links over both protocols: told as links, followed by name, removed as themselves."""

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
    """Plant links of every sort."""
    plant(served)
    return served


def plant(served: RunningService) -> None:
    """Make ``releases/7/file`` and links to it from around."""
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
    """Return the lines of a listing by what stands behind the date, or behind the facts."""
    text = wire.download(command).decode()
    if command.startswith("MLSD"):
        return {line.partition("; ")[2]: line for line in text.splitlines()}
    dates = r".* [A-Z][a-z]{2} [ 0-9]{2} [0-9:]{5} (.*)"
    return {match[1]: line for line in text.splitlines() if (match := re.fullmatch(dates, line))}


@in_thread
def test_list_points_at_the_target(planted: RunningService) -> None:
    """The lines are those of ``ls -l``; a target outside is not told."""
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
def test_a_slash_behind_a_file_does_not_double_its_name(
    planted: RunningService, command: str
) -> None:
    """It said ``file/file``, which is nowhere."""
    text = planted.session().download(command).decode()
    assert len(text.splitlines()) == 1
    assert "file/file" not in text.replace(" -> releases/7/file", "")


@in_thread
def test_mlsd_tells_links_by_type(planted: RunningService) -> None:
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
def test_mlst_tells_of_the_link_or_with_a_slash_of_its_target(
    planted: RunningService, argument: str, type_: str
) -> None:
    """One name gives both."""
    answer = planted.session().ask(f"MLST {argument}")
    assert answer.code == 250
    assert answer.lines[1].startswith(f" type={type_};".encode()), answer


@in_thread
def test_in_a_link_the_working_directory_is_a_directory(planted: RunningService) -> None:
    """CWD follows, and what has no name of its own is told as what it is."""
    wire = planted.session()
    assert wire.code("CWD current") == 250
    for command in ("MLST", "MLST ."):
        assert wire.ask(command).lines[1].startswith(b" type=dir;")
    assert wire.download("NLST") == b"file\r\n"
    assert set(listed(wire, "LIST")) == {"file"}
    assert set(listed(wire, "MLSD")) == {"file"}


@in_thread
def test_arguments_are_followed_as_before(planted: RunningService) -> None:
    """Files and directories are reached through links; ``-d`` shows the link."""
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
def test_nothing_descends_by_itself(planted: RunningService) -> None:
    """LIST -R and DSIZ count what is behind a link once: where it is."""
    wire = planted.session()
    assert wire.ask("DSIZ").text == "7"
    text = wire.download("LIST -R").decode()
    headings = [line for line in text.splitlines() if line.endswith(":")]
    assert headings == [".:", "releases:", "releases/7:"]


@in_thread
def test_removing_and_renaming_are_about_the_link(planted: RunningService) -> None:
    """DELE takes it away, RMD says what it is, RNTO gives it another name."""
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
    """They have a type of their own, and DELF removes the link."""
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
