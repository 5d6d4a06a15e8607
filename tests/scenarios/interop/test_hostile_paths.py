"""Paths and links that lead out of the root, expensive patterns, missing permissions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.raw_client import RunningService, in_thread, started, starting

FIXTURES = (started, starting)
TRAVERSALS = (
    *(
        "../secret",
        "/../secret",
        "../../../../../../../../etc/passwd",
        "d/../../secret",
        "..//secret",
    ),
    *(
        "./../secret",
        "/./../secret",
        "d/./.././../secret",
        "....//secret",
        "..\\secret",
        "%2e%2e/secret",
    ),
    *(
        "out/secret",
        "abs",
        "rel",
        "d/up/secret",
        "chain/secret",
        "root/etc/passwd",
        "proc/self/root/etc/passwd",
    ),
    *("~/secret", "~root/.profile", "//secret", "fd/0", "loop", "loop/x", "d/up/../secret"),
)


@pytest.fixture
def traps(served: RunningService, tmp_path: Path) -> RunningService:
    """Create links of all kinds in the root; their targets must not be reached."""
    (tmp_path / "secret").write_bytes(b"SECRET")
    root = served.root
    (root / "d").mkdir()
    (root / "inside").write_bytes(b"fine")
    links = {
        "out": "..",
        "abs": f"{tmp_path}/secret",
        "rel": "../secret",
        "d/up": "../..",
        "chain": "out2",
        "out2": str(tmp_path),
        "root": "/",
        "proc": "/proc",
        "fd": "/dev/fd",
        "loop": "loop",
        "good": "inside",
        "d/good": "../inside",
        "here": ".",
        "absgood": f"{root}/inside",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    return served


@in_thread
@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_above_the_root(traps: RunningService, tmp_path: Path, path: str) -> None:
    wire = traps.session()
    before = sorted(os.listdir(tmp_path))
    for verb in ("RETR", "STOR", "APPE", "CWD", "SIZE", "MLSD", "DELE", "RMD", "HASH", "MDTM"):
        wire.passive_address()
        code = wire.code(f"{verb} {path}")
        if verb == "DELE" and code == 250:
            continue  # the link itself
        if verb in ("STOR", "APPE") and code == 150:
            wire.send("ABOR\r\n")
            assert wire.replies(2) == [426, 226]
            continue
        assert code in (550, 553) or (verb, code) == ("MLSD", 501), (verb, path, code)
    assert wire.codes("TYPE I", "RNFR inside") == [200, 350]
    wire.code(f"RNTO {path}")
    wire.code(f"MKD {path}")
    wire.code(f"SITE CHMOD 777 {path}")
    wire.code(f"MFMT 20200101000000 {path}")
    assert sorted(os.listdir(tmp_path)) == before
    secret = tmp_path / "secret"
    assert secret.read_bytes() == b"SECRET" and secret.stat().st_mtime > 1_600_000_000
    assert secret.stat().st_mode & 0o777 != 0o777


@in_thread
def test_links_that_stay_inside_are_followed(traps: RunningService) -> None:
    wire = traps.session()
    assert wire.code("TYPE I") == 200
    for path in ("good", "d/good", "here/here/good", "/../../inside", "d/../inside", "//inside"):
        assert wire.download(f"RETR {path}") == b"fine", path
    assert wire.ask("CWD /../../..").lines == (b'250 "/" is the current directory.',)
    assert wire.codes("CDUP", "CWD d", "CDUP", "PWD") == [250, 250, 250, 257]


@in_thread
def test_the_working_directory_becomes_a_link(traps: RunningService, tmp_path: Path) -> None:
    wire = traps.session()
    assert wire.code("CWD d") == 250
    (traps.root / "d").rename(traps.root / "e")
    (traps.root / "d").symlink_to("..")
    wire.passive_address()
    assert wire.codes("RETR secret", "SIZE secret", "EPSV", "STOR new") == [550, 550, 229, 550]
    assert not (tmp_path / "new").exists()


@in_thread
def test_names_of_partial_uploads_are_refused(served: RunningService) -> None:
    (served.root / ".ftpservice.x").write_bytes(b"ours")
    wire = served.session()
    assert wire.download("NLST -a").split() in ([], [b".", b".."])
    for path in (".ftpservice.x", ".FTPSERVICE.x", "./.ftpservice.x", "/.ftpservice.x"):
        wire.passive_address()
        for verb in ("RETR", "SIZE", "DELE", "RNFR", "CWD", "MLST"):
            assert wire.code(f"{verb} {path}") == 550
        for verb in ("STOR", "MKD", "APPE"):
            wire.passive_address()
            assert wire.code(f"{verb} {path}") in (550, 553)
    (served.root / "a").touch()
    assert wire.codes("RNFR a", "RNTO .ftpservice.y") == [350, 553]


@in_thread
@pytest.mark.parametrize(
    "pattern",
    [
        "*/*/*/*/../*",
        "*a*a*a*a*a*a*a*b",
        "**************",
        "[[[[[[",
        "[!]",
        "[a-",
        "?" * 500,
        "*" * 3000,
        "../" * 600 + "*",
        "here/" * 500 + "*",
        "*/" * 300,
        "[z-a]",
        "\\",
        "*/..",
        "[]]",
        "*[",
        "{a,b}*",
        "-R",
        "-R /",
        "-laR",
        "-R here",
        "here/here/here/*",
        "a*" * 17,
    ],
)
def test_patterns_take_little_time(served: RunningService, pattern: str) -> None:
    (served.root / "here").symlink_to(".")
    for name in ("a" * 250, "a" * 249 + "b", "x"):
        (served.root / name).touch()
    for number in range(12):
        (served.root / f"d{number}" / "e" / "f").mkdir(parents=True)
    wire, neighbour = served.session(), served.session("other")
    for verb in ("LIST", "NLST", "STAT"):
        place = wire.passive_address()
        code = wire.code(f"{verb} {pattern}")
        assert neighbour.code("NOOP") == 200
        assert code in (150, 213, 501, 550, 553)
        if code == 150:
            with served.connected(place) as data:
                data.recv(65536)
                wire.send("ABOR\r\n")
                assert wire.reply().code in (226, 426)
                assert wire.reply().code == 226
    assert wire.code("NOOP") == 200


@in_thread
def test_patterns_match(served: RunningService) -> None:
    for name in ("d/a.txt", "d/b.txt", "d/c.bin", "e/a.txt", ".h", "[x]", "d/.i"):
        path = served.root / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    wire = served.session()
    found = {
        "*.txt": b"",
        "*": b"[x]\r\nd\r\ne\r\n",
        "d/*.txt": b"d/a.txt\r\nd/b.txt\r\n",
        "*/a.txt": b"d/a.txt\r\ne/a.txt\r\n",
        "/?/a*": b"/d/a.txt\r\n/e/a.txt\r\n",
        "[x]": b"[x]\r\n",
        ".*": b".h\r\n",
        "d/[!ab]*": b"d/c.bin\r\n",
        "d/[a-b].*": b"d/a.txt\r\nd/b.txt\r\n",
    }
    assert {text: sorted_lines(wire.download(f"NLST {text}")) for text in found} == found
    assert wire.code("CWD d") == 250
    assert sorted_lines(wire.download("NLST ../e/*")) == b"../e/a.txt\r\n"
    assert sorted_lines(wire.download("NLST ../*/a.txt")) == b"../d/a.txt\r\n../e/a.txt\r\n"


def sorted_lines(data: bytes) -> bytes:
    """Return sorted lines."""
    return b"".join(sorted(data.splitlines(keepends=True)))


CHANGES = (
    *("DELE a", "MKD x", "RMD d", "RNFR a", "STOR a", "STOR new", "APPE a", "APPE new", "STOU"),
    *("MFMT 20200101000000 a", "SITE CHMOD 600 a", "RETR a", "LIST", "MLSD", "HASH a", "SIZE a"),
)
ALLOWED = {
    "reader": {"RETR a", "LIST", "MLSD", "HASH a", "SIZE a", "RNFR a"},
    "dropbox": {"MKD x", "STOR new", "STOU"},
    "appender": {
        *("MKD x", "STOR new", "APPE a", "APPE new", "STOU", "RETR a", "LIST", "MLSD", "HASH a"),
        *("SIZE a", "RNFR a"),
    },
}


@in_thread
@pytest.mark.parametrize("name", ALLOWED)
def test_permissions_of_paths(served: RunningService, name: str) -> None:
    (served.root / "a").write_bytes(b"content")
    (served.root / "d").mkdir()
    os.chmod(served.root / "a", 0o644)
    wire = served.session(name)
    assert wire.code("TYPE I") == 200
    done = set()
    for command in CHANGES:
        place = wire.passive_address()
        code = wire.code(command)
        if code == 150:
            served.connected(place).close()
            code = wire.reply().code
            assert code in (226, 426)
        else:
            assert code in (200, 213, 250, 257, 350, 550, 553), (command, code)
        if code < 400 or code == 426:
            done.add(command)
    assert done == ALLOWED[name]
    assert (served.root / "a").read_bytes() == b"content"
    assert wire.codes("RNFR a", "RNTO b")[-1] in (503, 550)
    assert wire.code("REPORT") == 550


@in_thread
def test_the_report_is_for_administrators(served: RunningService) -> None:
    assert served.session("demo").codes("REPORT", "SITE REPORT") == [550, 550]
    answer = served.session("admin").ask("REPORT")
    assert answer.code == 211 and len(answer.lines) > 3
