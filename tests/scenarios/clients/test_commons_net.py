"""Java's Apache Commons Net; the jobs are in ``CommonsNet.java``, which is compiled here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client_programs import CompletedProgram, ipv6, java_library, program, run
from tests.support.interrupted_transfers import interrupt_upload
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.trees import MTIME, ODD_NAMES, assert_same, content, make_files

FIXTURES = (started, starting)
SOURCE = Path(__file__).parent / "CommonsNet.java"
MODES = ("passive", "passive-extended", "active")
Job = Callable[..., CompletedProgram]


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the jobs; return the directory of the classes."""
    place = tmp_path_factory.mktemp("classes")
    library = java_library("commons-net")
    run([program("javac"), "-d", place, "-cp", library, SOURCE], place)
    return place


@pytest.fixture
def job(tmp_path: Path, classes: Path) -> Job:
    """Return a function that runs a job in the directory ``here``."""
    path = f"{classes}:{java_library('commons-net')}"
    settings = ("-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-cp", path, "CommonsNet")
    here = tmp_path / "here"
    here.mkdir()

    def start(
        served: RunningService, mode: str, *words: str | Path, host: str = "127.0.0.1"
    ) -> CompletedProgram:
        argv = [program("java"), *settings, host, str(served.port), mode, *words]
        return run(argv, tmp_path, cwd=here)

    return start


@in_thread
@pytest.mark.parametrize("mode", MODES)
def test_every_name_both_ways(served: RunningService, tmp_path: Path, job: Job, mode: str) -> None:
    """Unusual names and big files are unchanged after upload and download."""
    sizes = {name: 1000 + number for number, name in enumerate(ODD_NAMES)}
    here = make_files(tmp_path / "here", {**sizes, "big": 3 << 20, "empty": 0})
    (tmp_path / "back").mkdir()
    job(served, mode, "both-ways", ".", "a b", tmp_path / "back")
    assert_same(here, served.root / "a b")
    assert_same(here, tmp_path / "back")


@ipv6
@in_thread
@pytest.mark.parametrize("mode", ["passive", "active"])
def test_ipv6(server: Callable[..., RunningService], tmp_path: Path, job: Job, mode: str) -> None:
    """IPv6; the EPRT has the long form of the address."""
    here = make_files(tmp_path / "here", {"one": 100_000, "two": 0})
    (tmp_path / "back").mkdir()
    served = server("--listen", r"tcp6:0:interface=\:\:1")
    job(served, mode, "both-ways", ".", "a b", tmp_path / "back", host="::1")
    assert_same(here, served.root / "a b")
    assert_same(here, tmp_path / "back")


@in_thread
def test_listings(served: RunningService, job: Job) -> None:
    """listFiles, mlistDir, mlistFile, listNames, getSize and the features."""
    make_files(served.root / "d", {"a b": 1234567, "-rf": 0, "na\u00efve/x": 5, ".dot": 3})
    rows = [line.split("|") for line in job(served, "passive", "listings", "d").stdout.splitlines()]
    every = {"a b", "-rf", "na\u00efve", ".dot"}
    for kind in ("list", "all", "mlsd"):
        files = {row[1]: row[2:] for row in rows if row[0] == kind}
        assert every - {".dot"} <= files.keys() and (kind == "list" or ".dot" in files)
        assert files["a b"][:2] == ["file", "1234567"] and files["na\u00efve"][0] == "dir"
    assert files["a b"][2] == str(MTIME)
    assert ["size", "1234567"] in rows and ["time", "20200102030405"] in rows
    assert ["mlst", "file", "1234567", str(MTIME)] in [[row[0], *row[2:]] for row in rows]
    names = {row[1].removeprefix("d/") for row in rows if row[0] == "names"}
    assert every - {".dot"} <= names


@in_thread
def test_changes(served: RunningService, job: Job) -> None:
    """Names, directories, modes and times; refusals are 550; REIN."""
    make_files(served.root, {"one": 12345, "two": 20, "gone": 6, "full/x": 1})
    (served.root / "empty").mkdir()
    one = (served.root / "one").read_bytes()
    job(served, "passive", "changes")
    assert sorted(os.listdir(served.root)) == ["a b", "full", "two"]
    assert (served.root / "two").read_bytes() == one
    assert (served.root / "two").stat().st_mode & 0o777 == 0o600
    assert int((served.root / "two").stat().st_mtime) == MTIME


@in_thread
def test_resume(served: RunningService, tmp_path: Path, job: Job) -> None:
    """Offsets, APPE, STOU, and ABOR during a transfer."""
    expected = content(3_000_000)
    (served.root / "data").write_bytes(expected)
    here = make_files(tmp_path / "here", {"whole": 2_000_000, "tail": 5000})
    (here / "data").write_bytes(expected[:1_200_000])
    whole, tail = (here / "whole").read_bytes(), (here / "tail").read_bytes()
    interrupt_upload(served, "whole", whole[:700_000])
    job(served, "passive", "going-on")
    assert (here / "data").read_bytes() == expected
    assert (served.root / "whole").read_bytes() == whole
    assert (served.root / "tail").read_bytes() == tail * 2
    assert [path.read_bytes() for path in served.root.glob("unique*")] == [tail] * 2


@in_thread
def test_text(served: RunningService, tmp_path: Path, job: Job) -> None:
    """Text is translated in both directions and unchanged at the end."""
    here = tmp_path / "here"
    (here / "text").write_bytes(b"one\n\ntwo\nlast\n")
    job(served, "passive", "text")
    assert (served.root / "text").read_bytes() == b"one\n\ntwo\nlast\n"
    assert (here / "back").read_bytes() == b"one\n\ntwo\nlast\n"
