"""An upload-only account: no reply reveals names, and it cannot lock others out."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import simple_client
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.tcp_wire import Wire

FIXTURES = (started, starting)
LOOKS = (
    *("AVBL {}", "CWD {}", "SIZE {}", "MDTM {}", "MLST {}", "RNFR {}", "DELE {}", "RMD {}"),
    *("MKD {}/x", "CWD {}/x", "SIZE {}/x", "MDTM {}/x", "MLST {}/x", "AVBL {}/x", "RNFR {}/x"),
    *("DSIZ {}", "HASH {}", "STAT {}", "STAT {}/x", "STAT {}*", "MDTM 20200101000000 {}"),
    *("MFMT 20200101000000 {}", "MFF modify=20200101000000; {}", "SITE UTIME 202001010000 {}"),
    *("SITE CHMOD 000 {}", "SITE CHMOD 644 {}", "SITE CHMOD 644 {}/x", "MFCT 20200101000000 {}"),
)
MOVES = ("LIST {}", "NLST {}", "MLSD {}", "RETR {}", "STOR {}/x", "APPE {}/x", "STOU {}/x")


def planted(served: RunningService) -> Path:
    """Create files that a drop box must not reveal; ``name`` is missing."""
    root = served.root
    (root / "full").write_bytes(b"theirs")
    (root / "link").symlink_to("full")
    (root / "gone").symlink_to("nothing")
    return root


def answers(wire: Wire, name: str) -> list[tuple[int, bytes]]:
    """Return the replies about a name, without the name."""
    found = []
    for form in (*LOOKS, *MOVES):
        if form in MOVES:
            wire.passive_address()
        answer = wire.ask(form.format(name))
        found.append((answer.code, b"".join(answer.lines).replace(name.encode(), b"NAME")))
    return found


@in_thread
def test_replies_do_not_reveal_existing_names(served: RunningService) -> None:
    """For a file, links and a missing name every verb has the same reply."""
    planted(served)
    wire = served.session("dropbox")
    assert wire.code("TYPE I") == 200
    nothing = answers(wire, "none")
    assert {code for code, _ in nothing} == {550, 504}  # MFCT: there are no times of creation
    for name in ("full", "link", "gone"):
        assert answers(wire, name) == nothing, name


@in_thread
def test_existing_names_are_refused_alike(served: RunningService) -> None:
    """MKD and STOR of a file, of a directory, and below a file."""
    planted(served)
    (served.root / "folder").mkdir()
    wire = served.session("dropbox")
    for verb in ("MKD", "STOR", "APPE"):
        said = set()
        for name in ("full", "folder", "full/x", "none/x"):
            wire.passive_address()
            said.add(wire.ask(f"{verb} {name}").lines)
        assert said == {(b"550 Permission denied.",)}, verb
        wire.code("TYPE I")
    for name in ("full", "other"):
        assert wire.code("REST 3") == 350
        wire.passive_address()
        assert wire.code(f"STOR {name}") == 554, name
    assert (served.root / "full").read_bytes() == b"theirs"


@in_thread
def test_attributes_of_own_uploads_can_be_set(served: RunningService) -> None:
    """Time and mode of files that this login stored can be set; others cannot."""
    root = planted(served)
    before = (root / "full").stat()
    wire = served.session("dropbox")
    assert wire.code("TYPE I") == 200
    assert wire.upload("STOR mine", b"mine").code == 226
    assert wire.codes(
        "MFMT 20200101000000 mine", "MDTM 20200101000000 mine", "SITE CHMOD 640 mine"
    ) == [213, 213, 200]
    assert stat.S_IMODE((root / "mine").stat().st_mode) == 0o640
    refused = ("SITE CHMOD 000 mine", "SITE CHMOD 040 mine", "SITE CHMOD 700 .", "SITE CHMOD 000 /")
    assert wire.codes(*refused) == [550] * len(refused)
    served.session("demo").codes("RNFR full", "RNTO mine")
    assert wire.codes("SITE CHMOD 600 mine", "MFMT 20200101000000 mine") == [550, 550]
    after = (root / "mine").stat()
    assert (after.st_mode, after.st_mtime) == (before.st_mode, before.st_mtime)
    assert served.session("dropbox").code("SITE CHMOD 644 mine") == 550


@in_thread
@pytest.mark.parametrize("name", ["dropbox", "demo"])
def test_the_root_cannot_be_changed(served: RunningService, name: str) -> None:
    """Neither by its name, nor by ``.``, nor by a link."""
    (served.root / "d").mkdir()
    (served.root / "d" / "top").symlink_to("..")
    before = served.root.stat().st_mode
    wire = served.session(name)
    paths = ("/", ".", "d/..", "d/top", "d/top/")
    for mode in ("000", "077", "600", "555"):
        assert wire.codes(*(f"SITE CHMOD {mode} {path}" for path in paths)) == [550] * len(paths)
    assert served.root.stat().st_mode == before
    assert wire.codes("SITE UMASK 777", "SITE UMASK 700", "SITE UMASK 077") == [504, 504, 200]
    assert wire.codes("TYPE I", "MKD new") == [200, 257]
    assert stat.S_IMODE((served.root / "new").stat().st_mode) == 0o700
    if name == "demo":
        assert wire.code("SITE CHMOD 755 /") == 200


@in_thread
def test_the_simple_protocol_reveals_nothing_either(server: Callable[..., RunningService]) -> None:
    """LIST, DWLD, UPLD, DELF and HASH have the same answers."""
    served = server("--simple", "tcp:0:interface=127.0.0.1")
    planted(served)
    wire = simple_client.session(served, "dropbox")
    for verb in ("LIST", "DWLD", "DELF", "HASH"):
        said = {wire.ask(f"{verb} {name}") for name in ("full", "link", "gone", "none", "full/x")}
        assert len(said) == 1, said
    said = {wire.ask(f"UPLD 3 {name}") for name in ("full", "full/x", "none/x")}
    assert said == {"ERR DENIED permission denied"}
    assert wire.upload("new", b"new") == "OK 3 new"
