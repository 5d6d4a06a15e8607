"""What administrators list, restore and remove of the trash of accounts."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.admin.cli import ftpservice
from ftpservice.events import AdminAction, FileChanged
from tests.support.raw_client import in_thread, starting

__all__ = ["starting"]


class Place:
    """A service with an account, and the commands for it."""

    def __init__(self, server, place: Path) -> None:
        with (place / "passwd.db").open("a") as file:
            file.write(f"ann:{SHIPPED_HASH}:/ann:read:trash=30d,quota=1M\n")
            file.write(f"ben:{SHIPPED_HASH}:/ann:full:trash=30d,mount=/box=/box\n")
            file.write(f"full:{SHIPPED_HASH}:/ann:full:trash=30d\n")
        (place / "files/ann").mkdir()
        self.served = server("--control-socket", str(place / "socket"))
        self.socket = str(place / "socket")
        self.events: list = []
        events = self.served.factory.event_sink.events
        events.subscribe(self.events.append, FileChanged, AdminAction)

    def command(self, *words: str) -> tuple[int, str]:
        done = CliRunner().invoke(ftpservice, ["trash", *words, "--socket", self.socket])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return done.exit_code, done.stdout + done.stderr

    def json(self, *words: str) -> dict:
        status, output = self.command(*words, "--json")
        assert status == 0, output
        return json.loads(output)


@pytest.fixture
def place(server, tmp_path) -> Place:
    return Place(server, tmp_path)


@in_thread
def test_an_administrator_restores_what_an_account_has_deleted(place: Place) -> None:
    wire = place.served.session("full")
    wire.code("MKD in")
    for content in (b"first", b"second"):
        wire.upload("STOR in/a.csv", content)
    wire.codes("DELE in/a.csv", "RMD in")
    status, output = place.command("list", "full")
    assert status == 0
    assert [line.split()[1] for line in output.splitlines()[1:3]] == ["deleted", "overwritten"]
    assert output.splitlines()[-1] == "2 files, 11 B"
    found = place.json("list", "full", "/in/a.csv")
    assert (found["user"], found["keeps"], found["omitted"], found["bytes"]) == (
        *("full", "30d"),
        *(0, 11),
    )
    assert place.command("restore", "full", "/in/a.csv") == (0, "restored /in/a.csv, 6 B\n")
    assert wire.download("RETR in/a.csv") == b"second"
    [old] = place.json("list", "full")["files"]
    status, output = place.command("restore", "full", "--id", old["id"])
    assert (status, "--replace" in output) == (1, True)
    assert place.json("restore", "full", "--id", old["id"], "--to", "/b")["path"] == "/b"
    assert wire.download("RETR b") == b"first"
    wire.codes("DELE b", "DELE in/a.csv")
    assert place.command("empty", "full", "/in") == (0, "removed 1 file, 6 B\n")
    assert place.json("empty", "full") == {"user": "full", "files": 1, "bytes": 5}
    told = [(one.action, one.path) for one in place.events if isinstance(one, FileChanged)]
    assert told.count(("restore", "/in/a.csv")) == 2
    done = [one.action for one in place.events if isinstance(one, AdminAction)]
    assert done == ["trash restore", "trash restore", "trash empty", "trash empty"]


@in_thread
def test_the_rights_of_an_account_do_not_matter_and_mounts_have_their_files(place: Place) -> None:
    assert place.json("list", "ann")["files"] == []
    wire = place.served.session("ben")
    for name in ("a", "box/b"):
        wire.upload(f"STOR {name}", b"data")
        wire.code(f"DELE {name}")
    assert [one["path"] for one in place.json("list", "ben")["files"]] == ["/box/b", "/a"]
    assert place.command("restore", "ben", "/box/b")[0] == 0
    assert wire.download("RETR box/b") == b"data"


@in_thread
def test_what_cannot_be_done_is_said(place: Place) -> None:
    for words, reason in (
        (("list", "nobody"), "there is no account 'nobody'"),
        (("restore", "ann"), "give the path of a file, or its id"),
        (
            ("restore", "ann", "/none"),
            "has no deleted or overwritten file /none",
        ),
        (
            ("restore", "ann", "--id", "0"),
            "the trash of 'ann' has no file with the id 0; ",
        ),
        (("list", "ann", "/.ftpservice.trash"), "no such file or directory"),
        (("list", "ann", "/a\nb"), "NUL, CR or LF"),
    ):
        status, output = place.command(*words)
        assert status == 1
        assert reason in output
    status, output = place.command("list", "demo")
    assert (status, "no trash" in output) == (0, True)
