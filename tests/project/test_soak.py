"""What the soak remembers, compares and judges; no service runs here."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.programs import compile_fast_clock
from benchmarks.soak.census import PIPE, ProcessCensus, census
from benchmarks.soak.client_process import SESSIONS
from benchmarks.soak.content import Content
from benchmarks.soak.fast_clock import FastClock
from benchmarks.soak.journal_check import journal_problems, lost_events
from benchmarks.soak.judgement import growth_problems, memory_growth
from benchmarks.soak.ledger import Ledger, Wrong
from benchmarks.soak.options import parse
from benchmarks.soak.settings import ClientSettings, Times
from benchmarks.soak.soak_report import SoakReport

COMPILER = shutil.which("cc") or shutil.which("gcc")
OLD, NEW = Content(1, 3000), Content(2, 2_500_000)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path, "/s0", "ann", keeps=True)


def test_contents_differ_from_the_first_byte_and_have_their_size() -> None:
    assert len(OLD.data()) == 3000 and len(NEW.data()) == 2_500_000
    assert OLD.data() == Content(1, 3000).data()
    assert Content(3, 5).data() != Content(4, 5).data() or Content(3, 16).data()[-1:] == b"3"


def test_an_unknown_outcome_allows_old_and_new_but_no_part(ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "a"
    ledger.attempts("a", OLD)
    file.write_bytes(OLD.data())
    ledger.uploaded("a", OLD)
    ledger.attempts("a", NEW)
    assert ledger.content("a") is None
    assert list(ledger.problems()) == []
    file.write_bytes(NEW.data())
    assert list(ledger.problems()) == []
    file.write_bytes(NEW.data()[:-1])
    assert len(list(ledger.problems())) == 1
    with pytest.raises(Wrong):
        ledger.uploaded("a", NEW)


def test_a_confirmed_file_must_stay_and_a_removed_one_must_not(
    ledger: Ledger, tmp_path: Path
) -> None:
    file = tmp_path / "a"
    file.write_bytes(OLD.data())
    ledger.uploaded("a", OLD)
    ledger.downloaded("a", OLD.data())
    file.unlink()
    assert "gone" in next(ledger.problems())
    with pytest.raises(Wrong):
        ledger.downloaded("a", b"other")
    ledger.has("a", None)
    file.write_bytes(OLD.data())
    assert len(list(ledger.problems())) == 1


def test_a_rename_moves_what_is_known(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD.data())
    ledger.uploaded("a", OLD)
    ledger.renames("a", "b")
    assert list(ledger.problems()) == []
    (tmp_path / "a").rename(tmp_path / "b")
    ledger.renamed("a", "b")
    assert ledger.content("b") == OLD and ledger.names() == ["b"]


def test_a_file_that_nobody_uploaded_is_a_problem(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    (tmp_path / ".ftpservice.1.part").touch()
    assert [problem for problem in ledger.problems() if "nobody" in problem] == [
        "/s0/x: nobody has uploaded that"
    ]


def journal(tmp_path: Path, *rows: tuple[str, str, str, str, str]) -> Path:
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE ftpservice_journal "
            "(kind, outcome, account, action, path, detail DEFAULT '', events DEFAULT 1)"
        )
        database.executemany(
            "INSERT INTO ftpservice_journal (kind, outcome, account, action, path) "
            "VALUES (?, ?, ?, ?, ?)",
            rows,
        )
        database.commit()
    return path


UPLOADED = ("transfer", "complete", "ann", "upload", "/a")


def test_each_confirmed_transfer_needs_a_row(tmp_path: Path) -> None:
    path = journal(tmp_path, UPLOADED, ("session opened", "", "", "", ""))
    confirmed = [(100.0, "ann", "upload", "/a"), (200.0, "ann", "upload", "/a")]
    found = journal_problems(path, confirmed, Counter(), [], 0)
    assert found[0] == "the journal misses 1 of 2 confirmed transfers"
    assert found[-1] == "the journal has 1 sessions opened and 0 closed"
    for kill in ((200.5, 1.0), (195.0, 10.0)):
        assert journal_problems(path, confirmed, Counter(), [kill], 10) == []
    assert journal_problems(path, confirmed, Counter(), [(195.0, 1.0)], 10)
    assert len(journal_problems(path, confirmed[:1], Counter(logins=1), [], 10)) == 2
    assert lost_events(path) == {}


@pytest.mark.parametrize(("kills", "problems"), [([], 1), ([(200.0, 1.0)], 0)])
def test_around_a_kill_the_end_of_a_session_may_be_known_alone(
    tmp_path: Path, kills: list[tuple[float, float]], problems: int
) -> None:
    path = journal(tmp_path, ("session closed", "", "", "", ""))
    assert len(journal_problems(path, [], Counter(), kills, 10)) == problems


def process(**changes: object) -> ProcessCensus:
    usual = ProcessCensus(1, "service", 100, 90, 10, {"socket": 5, PIPE: 4}, (2121,), 0)
    return replace(usual, **changes)  # type: ignore[arg-type]


def test_growth_is_that_of_the_last_half() -> None:
    steady = [[process(resident=size)] for size in (50, 90, 99, 100, 101, 101)]
    assert list(growth_problems(steady, judges_memory=True)) == []
    growing = [[process(resident=size)] for size in (50, 90, 99, 100, 102, 103)]
    assert list(growth_problems(growing, judges_memory=True)) == [
        "service 1 RSS grew by 3.0% over the last half"
    ]
    assert list(growth_problems(growing, judges_memory=False)) == []
    sizes = (1, 1, 1, 1, 1, 1, 100, 101, 106, 99, 101, 100)  # more at times, and not at the end
    assert list(growth_problems([[process(resident=size)] for size in sizes], True)) == []
    assert memory_growth(growing) == pytest.approx({"service 1 RSS": 0.03})


def test_more_descriptors_and_threads_are_problems_but_pipes_of_threads_are_not() -> None:
    first = process()
    more = process(descriptors={"socket": 6, PIPE: 20, "/srv/a": 1, "/srv/b": 2}, threads=30)
    found = list(growth_problems([[first]] * 4 + [[first], [more]], judges_memory=True))
    assert found == [
        "service 1: more descriptors than in the middle: {'socket': 1, '/srv/b': 1}",
        "service 1: 10 threads in the middle, 30 at the end",
    ]


def test_without_a_process_that_lives_nothing_can_be_judged() -> None:
    series = [[process(pid=number)] for number in range(6)]
    assert len(list(growth_problems(series, judges_memory=True))) == 1


def test_a_census_sees_this_process() -> None:
    found = {one.pid: one for one in census(os.getpid())}[os.getpid()]
    assert found.resident > 1 << 20 and found.threads >= 1
    assert sum(found.descriptors.values()) > 2


def test_the_report_counts_only_honest_sessions_and_is_written(tmp_path: Path) -> None:
    report = SoakReport({"seed": 1})
    answer = {
        "outcomes": {"honest/quick/done": 9, "honest/quick/lost": 1, "hostile/cut/lost": 5},
        "counts": {"uploads": 3},
        "texts": {"quick: lost": 1},
        "problems": [],
        "confirmed": [],
    }
    report.add(answer)
    report.censuses = [[process()]] * 6
    assert report.success == 0.9
    report.write(tmp_path)
    assert "nothing is left over" in (tmp_path / "soak.txt").read_text()
    report.problems.append("something")
    assert "PROBLEM: something" in report.text()


def test_a_run_has_its_share_of_a_hundred_thousand_sessions() -> None:
    choice = parse(["--minutes", "3", "--seed", "7"])
    assert (choice.sessions, choice.seed, choice.hours) == (10_000, 7, 2.4)
    assert parse([]).hours == 24


@pytest.mark.parametrize("words", [["--minutes", "0"], ["--rate", "0.5"], ["--workers", "0"]])
def test_what_makes_no_sense_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(words)


def test_without_all_of_its_clients_it_does_not_begin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit):
        parse([])
    assert "not installed: curl, lftp" in capsys.readouterr().err


def test_sessions_have_names_of_their_own() -> None:
    assert len({session.name for session in SESSIONS}) == len(SESSIONS)
    assert any(session.is_honest for session in SESSIONS)


def test_settings_survive_their_file(tmp_path: Path) -> None:
    settings = ClientSettings(
        {"listen": 1}, "/r", "/s", ("a", "b"), ("b",), 10, 20, 1, 0, 4, Times(stall=2.0)
    )
    settings.write(tmp_path / "x")
    assert ClientSettings.read(tmp_path / "x") == settings


def test_the_clock_has_the_rate_of_the_moment(tmp_path: Path) -> None:
    clock = FastClock(tmp_path / "clock", tmp_path / "library", 1000.0)
    time.sleep(0.01)
    assert clock.hours * 3600 > 9
    with clock.normal(), clock.normal():
        before = clock.hours
        time.sleep(0.01)
        assert (clock.hours - before) * 3600 < 5
    assert clock.environment["FAST_CLOCK"] == str(tmp_path / "clock")


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
def test_processes_read_and_wait_by_the_fast_clock(tmp_path: Path) -> None:
    clock = FastClock(tmp_path / "clock", compile_fast_clock(tmp_path), 1000.0)
    program = (
        "import os, threading, time\n"
        "begun = time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME)\n"
        "threading.Event().wait(600)\n"
        "time.sleep(600)\n"
        "ends = time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME)\n"
        "print(*[end - begin for end, begin in zip(ends, begun)])\n"
        "file = open('file', 'w')\n"
        "print(os.stat('file').st_mtime - begun[0])\n"
        "os.utime('file', (begun[0], begun[0]))\n"
        "print(abs(os.stat('file').st_mtime - begun[0]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | clock.environment,
        capture_output=True,
        check=True,
        text=True,
    )
    waits, age, difference = done.stdout.splitlines()
    assert all(float(seconds) >= 1200 for seconds in waits.split())
    assert float(age) > 1100
    assert float(difference) < 0.01
