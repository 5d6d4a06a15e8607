"""Undo: what accounts with a trash delete and overwrite, over FTP and the simple protocol."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.events import FileChanged
from tests.support.raw_client import RunningService, in_thread, starting
from tests.support.simple_client import SimpleWire

__all__ = ["starting"]

SIMPLE = ("--simple", "tcp:0:interface=127.0.0.1")
Start = Callable[..., RunningService]
LINES = "".join(
    f"{name}:{SHIPPED_HASH}:{root}:{options}\n"
    for name, root, options in (
        ("ann", "/ann", "full:trash=30d"),
        ("ben", "/ann", "full:trash=30d"),
        ("cat", "/cat", "full:quota=1M,trash=12h"),
        ("dan", "/dan", "full:mount=/box=/box,own-trash=7d"),
        ("eve", "/eve", "full:group=careful"),
        ("fay", "memory\\:", "full:trash=30d"),
        ("gus", "/gus", "upload-only:trash=30d"),
        ("@careful", "", ":trash=8w"),
    )
).replace(f"@careful:{SHIPPED_HASH}", "@careful:*")
ITEM = re.compile(r" (?P<id>[0-9a-f]{24}) (?P<size>\d+) \d{14}\S* (?P<how>\w+) (?P<path>.*)")


@pytest.fixture
def served(server: Start, tmp_path: Path) -> RunningService:
    with (tmp_path / "passwd.db").open("a") as file:
        file.write(LINES)
    return server(*SIMPLE)


def listed(wire, path: str = "/") -> list[tuple[str, str, str]]:
    """Return the id, how and path of what can be restored."""
    answer = wire.ask(f"SITE UNDELETE LIST {path}")
    assert answer.code == 211
    found = [ITEM.fullmatch(line.decode()) for line in answer.lines]
    return [(one["id"], one["how"], one["path"]) for one in found if one]


@in_thread
def test_a_file_is_deleted_overwritten_and_restored(served: RunningService) -> None:
    events: list = []
    served.factory.event_sink.events.subscribe(events.append, FileChanged)
    wire = served.session("ann")
    assert wire.code("MKD in") == 257
    for content in (b"first", b"second"):
        assert wire.upload("STOR in/a.csv", content).code == 226
    assert wire.code("DELE in/a.csv") == 250
    assert [one[1:] for one in listed(wire)] == [
        ("deleted", "/in/a.csv"),
        ("overwritten", "/in/a.csv"),
    ]
    assert wire.code("RMD in") == 250
    assert "Restored /in/a.csv" in wire.ask("SITE UNDELETE FILE in/a.csv").text
    assert wire.download("RETR in/a.csv") == b"second"
    [(number, *_)] = listed(wire, "in")
    assert wire.ask("SITE UNDELETE LIST in").text.endswith("1 file, 5 bytes.")
    assert wire.code(f"SITE UNDELETE ID {number}") == 550
    assert wire.code(f"SITE UNDELETE ID {number} /copy of a.csv") == 250
    assert wire.download("RETR copy of a.csv") == b"first"
    assert wire.code(f"SITE UNDELETE ID {number}") == 550
    changes = [(one.action, one.path, one.target) for one in events]
    assert changes[-2:] == [
        ("restore", "/in/a.csv", "/in/a.csv"),
        ("restore", "/in/a.csv", "/copy of a.csv"),
    ]
    assert [one[0] for one in changes].count("delete") == 1


@in_thread
def test_a_version_takes_the_place_of_the_file_if_that_is_asked_for(
    served: RunningService,
) -> None:
    wire = served.session("ann")
    for content in (b"first", b"second"):
        wire.upload("STOR a", content)
    assert wire.code("SITE UNDELETE FILE a") == 550
    assert wire.download("RETR a") == b"second"
    assert wire.code("SITE UNDELETE REPLACE FILE a") == 250
    assert wire.download("RETR a") == b"first"
    assert wire.code("SITE UNDELETE replace file a") == 250
    assert wire.download("RETR a") == b"second"


@in_thread
def test_a_rename_over_a_file_can_be_undone(served: RunningService) -> None:
    wire = served.session("ann")
    wire.upload("STOR a", b"old")
    wire.upload("STOR b", b"new")
    assert wire.codes("RNFR b", "RNTO a") == [350, 250]
    [(number, how, path)] = listed(wire)
    assert (how, path) == ("overwritten", "/a")
    assert wire.code(f"SITE UNDELETE ID {number} b") == 250
    assert (wire.download("RETR a"), wire.download("RETR b")) == (b"new", b"old")


@in_thread
def test_nothing_shows_the_trash(served: RunningService) -> None:
    wire = served.session("ann")
    wire.upload("STOR a", b"secret")
    wire.code("DELE a")
    for command in ("LIST", "LIST -a", "LIST -R", "NLST -a", "MLSD", "STAT ."):
        shown = wire.ask(command).lines if command == "STAT ." else [wire.download(command)]
        assert "ftpservice" not in str(shown)
    assert wire.ask("DSIZ").text == "0"
    for command in ("SIZE", "RETR", "CWD", "MLST", "DELE", "HASH", "RNFR", "SITE UNDELETE FILE"):
        for name in (".ftpservice.trash", ".FTPSERVICE.TRASH", ".ftp\u017fervice.trash"):
            assert wire.code(f"{command} {name}") == 550
    assert wire.codes("RNFR a", "SITE UNDELETE FILE a", "RNFR a") == [550, 250, 350]
    assert wire.code("RNTO .ftpservice.trash") == 553


@in_thread
def test_an_account_restores_only_what_it_has_deleted_itself(served: RunningService) -> None:
    ann, ben = served.session("ann"), served.session("ben")
    ann.upload("STOR a", b"ann's")
    ben.code("DELE a")
    assert listed(ann) == []
    assert ann.code("SITE UNDELETE FILE a") == 550
    [(number, *_)] = listed(ben)
    assert ann.code(f"SITE UNDELETE ID {number}") == 550
    assert ben.code("SITE UNDELETE FILE a") == 250


@in_thread
def test_what_is_no_request(served: RunningService) -> None:
    wire = served.session("ann")
    for command, code in {
        "": 211,
        "LIST": 211,
        "LIST /none": 211,
        "FILE": 501,
        "REPLACE": 501,
        "REPLACE LIST a": 501,
        "a": 501,
        "ID": 501,
        "ID ../../etc": 550,
        "FILE none": 550,
        "FILE /": 550,
    }.items():
        assert wire.code(f"SITE UNDELETE {command}".rstrip()) == code, command


@in_thread
def test_accounts_without_a_trash_keep_nothing(served: RunningService) -> None:
    wire = served.session("demo")
    wire.upload("STOR a", b"data")
    wire.code("DELE a")
    assert listed(wire) == []
    assert not list(served.root.glob(".ftpservice.*"))
    assert served.session("gus").code("SITE UNDELETE") == 504


@in_thread
def test_groups_mounts_and_memory_have_a_trash(served: RunningService) -> None:
    for name in ("eve", "fay"):
        wire = served.session(name)
        wire.upload("STOR a", b"data")
        assert wire.codes("DELE a", "SITE UNDELETE FILE a", "SIZE a") == [250, 250, 213]
    wire = served.session("dan")
    for name in ("a", "box/b"):
        wire.upload(f"STOR {name}", b"data")
        wire.code(f"DELE {name}")
    assert [one[2] for one in listed(wire)] == ["/box/b"]
    assert wire.code("SITE UNDELETE FILE box/b") == 250


@in_thread
def test_the_quota_counts_the_trash_and_never_refuses_for_it(served: RunningService) -> None:
    wire = served.session("cat")
    assert wire.code("TYPE I") == 200
    content = os.urandom(400_000)
    for name in ("a", "b", "c", "d"):
        assert wire.upload(f"STOR {name}", content).code == 226
        assert wire.code(f"DELE {name}") == 250
    assert [one[2] for one in listed(wire)] == ["/d", "/c"]
    quota = wire.ask("SITE QUOTA").lines
    assert b"   Uploaded bytes: 800000/1048576" in quota
    assert wire.upload("STOR e", os.urandom(1_000_000)).code == 226
    assert listed(wire) == []
    assert wire.upload("STOR f", content).code == 552


@in_thread
def test_what_the_simple_protocol_deletes_and_overwrites_is_kept(served: RunningService) -> None:
    end = served.connected(("127.0.0.1", served.ports[-1]))
    simple = SimpleWire(served, end)
    simple.line()
    simple.login("ann")
    for content in (b"first", b"second"):
        assert simple.upload("a", content).startswith("OK")
    assert simple.ask("DELF a").startswith("OK")
    wire = served.session("ann")
    assert [one[1] for one in listed(wire)] == ["deleted", "overwritten"]
    assert wire.code("SITE UNDELETE FILE a") == 250
    assert simple.download("a") == b"second"


@in_thread
def test_a_picture_that_is_overwritten_each_second_has_ten_versions(
    served: RunningService,
) -> None:
    wire = served.session("ann")
    for number in range(14):
        wire.upload("STOR latest.jpg", b"%d" % number)
    assert len(listed(wire)) == 10
    wire.code("SITE UNDELETE REPLACE FILE latest.jpg")
    assert wire.download("RETR latest.jpg") == b"12"


@in_thread
def test_an_append_and_an_interrupted_upload_keep_nothing(served: RunningService) -> None:
    wire = served.session("ann")
    assert wire.code("TYPE I") == 200
    wire.upload("STOR a", b"one")
    assert wire.upload("APPE a", b"two").code == 226
    assert listed(wire) == []
    assert wire.code("REST 3") == 350
    assert wire.upload("STOR a", b"three").code == 226
    assert wire.download("RETR a") == b"onethree"
    assert [one[1] for one in listed(wire)] == ["overwritten"]
    assert wire.codes("SITE UNDELETE REPLACE FILE a", "SIZE a") == [250, 213]
    assert wire.download("RETR a") == b"onetwo"
