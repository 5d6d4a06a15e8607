"""Log files are reopened by their name, and belong to the user that the service becomes."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pytest
from twisted.logger import LogLevel

from ftpservice.service.log import sinks
from ftpservice.service.log.setup import logs_for
from ftpservice.service.log.sinks import FileSink, StreamSink, SyslogSink
from ftpservice.service.settings.errors import CannotStart

NOBODY = (65534, 65534)


def line(text: str) -> list[tuple[str, str]]:
    return [("info", f"{text}\n")]


def test_a_file_is_appended_to_and_not_for_everybody(tmp_path: Path) -> None:
    for text in ("a", "\udce9"):
        sink = FileSink(str(tmp_path / "log"))
        sink.write(line(text))
        sink.close()
    assert (tmp_path / "log").read_bytes() == b"a\n\\udce9\n"
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) & 0o137 == 0


def test_a_file_that_was_moved_is_reopened(tmp_path: Path) -> None:
    sink = FileSink(str(tmp_path / "log"))
    sink.write(line("old"))
    (tmp_path / "log").rename(tmp_path / "log.1")
    sink.write(line("still"))
    assert sink.reopen() == ""
    sink.write(line("new"))
    sink.close()
    assert (tmp_path / "log.1").read_text() == "old\nstill\n"
    assert (tmp_path / "log").read_text() == "new\n"


def test_a_file_that_cannot_be_reopened_leaves_the_old_one_in_use(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    sink = FileSink(str(tmp_path / "logs" / "log"))
    (tmp_path / "logs").rename(tmp_path / "away")
    message = sink.reopen()
    assert message == (
        f"cannot reopen {tmp_path}/logs/log: no such file or directory; the old file stays in use"
    )
    sink.write(line("on"))
    sink.close()
    assert (tmp_path / "away" / "log").read_text() == "on\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_a_new_file_belongs_to_the_user_that_the_service_becomes(tmp_path: Path) -> None:
    FileSink(str(tmp_path / "new"), NOBODY).close()
    (tmp_path / "old").write_text("before\n")
    FileSink(str(tmp_path / "old"), NOBODY).close()
    for name in ("new", "old"):
        status = (tmp_path / name).stat()
        assert (status.st_uid, status.st_gid) == NOBODY
    assert (tmp_path / "old").read_text() == "before\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
@pytest.mark.parametrize("make", ["symlink_to", "hardlink_to"])
def test_nothing_that_a_link_leads_to_is_given_away(tmp_path: Path, make: str) -> None:
    (tmp_path / "secret").write_text("root's\n")
    getattr(tmp_path / "log", make)(tmp_path / "secret")
    FileSink(str(tmp_path / "log"), NOBODY).close()
    assert (tmp_path / "secret").stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
@pytest.mark.parametrize("make", ["symlink_to", "hardlink_to"])
def test_root_writes_through_no_link_that_the_user_could_have_made(
    tmp_path: Path, make: str
) -> None:
    (tmp_path / "secret").write_text("root's\n")
    (tmp_path / "logs").mkdir()
    os.chown(tmp_path / "logs", *NOBODY)
    getattr(tmp_path / "logs" / "log", make)(tmp_path / "secret")
    with pytest.raises(CannotStart, match=r"cannot write the log .*(symbolic links|other names)"):
        logs_for({"nodaemon": True}, str(tmp_path / "logs" / "log"), NOBODY)
    assert (tmp_path / "secret").stat().st_uid == 0


def test_a_fifo_without_a_reader_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError) as caught:
        FileSink(str(tmp_path / "fifo"))
    assert caught.value.errno == errno.ENXIO
    with pytest.raises(CannotStart, match=r"cannot write the log .*fifo: no such device"):
        logs_for({"nodaemon": True}, str(tmp_path / "fifo"), (-1, -1))


def test_a_full_pipe_that_does_not_block_is_written_to_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sinks, "POLL_MILLISECONDS", 1)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    text = "x" * 200_000
    sink = StreamSink(writer)
    with pytest.raises(BlockingIOError):
        sink.write(line(text))
    data = b""
    while len(data) <= len(text):
        data += os.read(reader, 65536)
        if len(data) <= len(text):
            try:
                sink.write([])
            except BlockingIOError:
                continue
    assert data.decode() == f"{text}\n"
    for end in (reader, writer):
        os.close(end)


def test_what_a_reader_that_is_gone_did_not_get_is_counted() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    sink = StreamSink(writer)
    with pytest.raises(BrokenPipeError):
        sink.write([*line("a"), *line("b")])
    assert sink.give_up() == 2
    assert sink.give_up() == 0
    os.close(writer)


def test_syslog_gets_levels_and_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, str]] = []
    monkeypatch.setattr(sinks.syslog, "openlog", lambda *_arguments: None)
    monkeypatch.setattr(sinks.syslog, "syslog", lambda *one: seen.append(one))
    sink = SyslogSink("ftpservice")
    event = {"log_level": LogLevel.error, "log_format": "a\nb\0", "log_namespace": "x"}
    sink.write([("error", sink.text_of(event) or "")])
    error = sinks.syslog.LOG_ERR
    assert seen == [(error, "[x#error] a"), (error, "b\\x00")]


def test_only_the_journal_gets_level_prefixes(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        status = os.fstat(out.fileno())
        environment = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert sinks.is_journal(out.fileno(), environment)
        assert not sinks.is_journal(out.fileno(), {"JOURNAL_STREAM": "8:1"})
        assert not sinks.is_journal(out.fileno(), {})
        StreamSink(out.fileno(), level_prefix=True).write([("warn", "a\n"), ("info", "b\n")])
    assert (tmp_path / "out").read_text() == "<4>a\n<6>b\n"


@pytest.mark.parametrize("apart", [False, True])
def test_one_thread_writes_if_both_standard_streams_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apart: bool
) -> None:
    """With ``2>&1`` and a full pipe, two would write into the middle of each other's lines."""
    with (
        open(tmp_path / "output", "w", encoding="utf-8") as out,
        open(tmp_path / ("errors" if apart else "output"), "w", encoding="utf-8") as err,
    ):
        monkeypatch.setattr(sys, "__stdout__", out)
        monkeypatch.setattr(sys, "__stderr__", err)
        logs = logs_for({"nodaemon": True}, None, (-1, -1))
        assert (logs.errors is not logs.terminal) is apart
        logs.close()
