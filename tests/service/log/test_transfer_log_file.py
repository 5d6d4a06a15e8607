"""The file of the xferlog."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher

from ftpservice.events import Event, EventStream, Outcome, TransferEnded
from ftpservice.service.log.sinks import FileSink
from ftpservice.service.log.transfer_log_file import TransferLogFile, check_transfer_log
from ftpservice.service.settings.errors import CannotStart

NOBODY = (-1, -1)


def unexpected(error: Exception, _event: Event) -> None:
    raise error


class Bench:
    """A transfer log that is written, and the stream that feeds it."""

    def __init__(self, path: Path) -> None:
        self.events = EventStream(unexpected)
        self.file = TransferLogFile(str(path), NOBODY, self.events, Clock())

    def start(self) -> None:
        self.file.privilegedStartService()
        self.file.startService()

    def upload(self, path: str) -> None:
        event = TransferEnded(1.0, 1, "192.0.2.1", "ann", path, True, Outcome.COMPLETE, 5, 1.0)
        self.events.publish(event)


def names(path: Path) -> list[str]:
    return [line.split()[8] for line in path.read_text().splitlines()]


def test_what_waits_is_written_at_the_end_and_a_second_start_appends(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "xferlog")
    for name in ("/a", "/b"):
        bench.start()
        bench.upload(name)
        bench.file.close()
        bench.upload("/nobody-listens")
    bench.file.close()
    assert names(tmp_path / "xferlog") == ["/a", "/b"]


def test_lines_after_a_rotation_are_in_the_new_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "xferlog")
    bench.file.reopen()
    bench.start()
    (tmp_path / "xferlog").rename(tmp_path / "old")
    bench.file.reopen()
    bench.upload("/b")
    bench.file.close()
    assert (names(tmp_path / "old"), names(tmp_path / "xferlog")) == ([], ["/b"])


def test_lost_lines_are_counted_in_the_log_and_not_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def write(_self: FileSink, _entries: object) -> None:
        failed.set()
        raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))

    seen: list[LogEvent] = []
    bench = Bench(tmp_path / "xferlog")
    bench.start()
    with monkeypatch.context() as patch:
        patch.setattr(FileSink, "write", write)
        patch.setattr(FileSink, "give_up", lambda _self: 1)
        bench.upload("/a")
        assert bench.file._lines is not None
        bench.file._lines.flush()
        assert failed.wait(30)
    globalLogPublisher.addObserver(seen.append)
    try:
        bench.upload("/b")
        bench.file.close()
    finally:
        globalLogPublisher.removeObserver(seen.append)
    assert names(tmp_path / "xferlog") == ["/b"]
    assert [event["text"] for event in seen] == ["1 log line was lost"]


def test_a_file_that_cannot_be_written_is_refused_by_the_check_and_the_start(
    tmp_path: Path,
) -> None:
    path = tmp_path / "none" / "xferlog"
    for refuse in (Bench(path).start, lambda: check_transfer_log(str(path), NOBODY)):
        with pytest.raises(CannotStart, match=r"--xferlog: cannot write .*: no such file or dir"):
            refuse()
    check_transfer_log(None, NOBODY)
    check_transfer_log(str(tmp_path / "new"), NOBODY)
    assert not (tmp_path / "new").exists()
