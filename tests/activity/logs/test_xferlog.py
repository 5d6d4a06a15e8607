"""The transfer log in the format of wu-ftpd, as two programs read it that exist for it."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from ftpservice.activity.logs.xferlog import (
    LINES_PER_WRITE,
    WRITE_DELAY_SECONDS,
    TransferLog,
    xferlog_line,
)
from ftpservice.events import FileChanged, LoggedIn, Outcome, SessionInfo, TransferEnded

WHEN = 1_788_000_000.0
WHO = (WHEN, 7, "192.0.2.1", "ann")
PATIENCE = 30
FTPSTATS = shutil.which("ftpstats", path="/usr/sbin:/usr/bin:/bin")
AWFFULL = shutil.which("awffull")


def ended(path: str, upload: bool, outcome: Outcome = Outcome.COMPLETE, **more) -> TransferEnded:
    info = SessionInfo("c0ffee-7", "ftp", storage_name=lambda path: f"/srv{path}")
    return TransferEnded(*WHO, path, upload, outcome, 1000, 2.4, info=info, **more)


def fields(event: TransferEnded | FileChanged) -> str:
    """Return what follows the time of a line."""
    line = xferlog_line(event)
    assert line.startswith(time.strftime("%a %b", time.localtime(WHEN)))
    return line[25:].removesuffix("\n")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (ended("/a", True), "2 192.0.2.1 1000 /srv/a b _ i r ann ftp 0 * c"),
        (
            ended("/a", False, Outcome.ABORTED, ascii=True),
            "2 192.0.2.1 1000 /srv/a a _ o r ann ftp 0 * i",
        ),
        (ended("/a", True, Outcome.REFUSED), "2 192.0.2.1 1000 /srv/a b _ i r ann ftp 0 * i"),
        (FileChanged(*WHO, "delete", "/a"), "1 192.0.2.1 0 /a b _ d r ann ftp 0 * c"),
        (
            TransferEnded(
                WHEN, 7, "local", "anonymous", "/a", False, Outcome.COMPLETE, 5, 0.0,
                info=SessionInfo("x-7", "simple"),
            ),
            "1 local 5 /a b _ o a anonymous simple 0 * c",
        ),
        (
            ended("/a b\n\t\x1b[1m\x7f\x85\u2028\xa0é", True),
            "2 192.0.2.1 1000 /srv/a_b___[1m____é b _ i r ann ftp 0 * c",
        ),
    ],
)  # fmt: skip
def test_a_line_is_as_wu_ftpd_writes_it(event: TransferEnded | FileChanged, line: str) -> None:
    assert fields(event) == line


def test_names_cannot_add_fields() -> None:
    event = TransferEnded(WHEN, 7, "192.0.2.1", "a b\nc", "/x y 1", True, Outcome.COMPLETE, 5, 1.0)
    line = xferlog_line(event)
    assert len(line.split()) == 18
    assert line.count("\n") == 1


def test_events_are_written_together() -> None:
    written: list[str] = []
    clock = Clock()
    log = TransferLog(clock, written.append)
    for event in (
        ended("/a", True),
        FileChanged(*WHO, "rename", "/a", "/b"),
        LoggedIn(*WHO),
        FileChanged(*WHO, "delete", "/b"),
    ):
        log(event)
    assert written == []
    clock.advance(WRITE_DELAY_SECONDS)
    assert [text.count("\n") for text in written] == [2]
    for _ in range(LINES_PER_WRITE):
        log(ended("/a", True))
    log.flush()
    assert [text.count("\n") for text in written] == [2, LINES_PER_WRITE]
    assert clock.getDelayedCalls() == []


def test_a_byte_that_is_not_utf8_is_written_as_four_characters() -> None:
    assert r" /srv/in/\xe9_é b " in xferlog_line(ended("/in/\udce9\x1bé", True))


@pytest.fixture
def xferlog(tmp_path: Path) -> Path:
    """Two uploads of ann with a name that is hostile, a download, an interrupted one."""
    events = [
        ended("/in/a b\nc", True),
        ended("/in/\udce9\x1b", True, ascii=True),
        ended("/out/x", False),
        ended("/out/x", False, Outcome.ABORTED),
    ]
    path = tmp_path / "xferlog"
    text = "".join(map(xferlog_line, events))
    path.write_bytes(text.encode("utf-8", "backslashreplace"))
    return path


def ran(*command: str | Path | None) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return done.stdout


@pytest.mark.skipif(FTPSTATS is None, reason="proftpd-core is not installed")
def test_ftpstats_of_proftpd_reads_it(xferlog: Path) -> None:
    for option, files, size in (("-i", 2, 2000), ("-o", 2, 2000)):
        report = ran(FTPSTATS, "-f", xferlog, option)
        assert re.search(rf"Files Transmitted During Summary Period +{files}\n", report)
        assert re.search(rf"Bytes Transmitted During Summary Period +{size}\n", report)
    assert re.search(r"/srv/in +2 +2000 ", ran(FTPSTATS, "-f", xferlog, "-l", "2"))


@pytest.mark.skipif(AWFFULL is None, reason="awffull is not installed")
def test_awffull_reads_it(xferlog: Path, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    ran(AWFFULL, "-F", "ftp", "-o", tmp_path / "pages", "-n", "ftp.example.com", xferlog)
    (page,) = (tmp_path / "pages").glob("usage_2*.html")
    text = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", page.read_text("latin-1")))
    assert "Total Hits 4 " in text
    assert "Total Unique Usernames 1 " in text
    assert "Code 200 - OK 3 " in text
    assert "Code 206 - Partial Content 1 " in text
    assert "/srv/in/a_b_c" in text
