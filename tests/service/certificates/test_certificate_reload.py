"""Certificates are read anew when their files have changed, and only then."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher

from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.net.tls.server import CertificateError
from ftpservice.service.certificates.certificate_reload import (
    POLL_SECONDS,
    CertificateReload,
    file_versions,
)


class Certificate:
    fingerprint = "AA:BB"


class Reloading:
    """Counts how often it reads its files."""

    certificates = (Certificate,)

    def __init__(self) -> None:
        self.reloads = 0
        self.problem: Exception | None = None

    def reload(self) -> None:
        self.reloads += 1
        if self.problem is not None:
            raise self.problem


class Watched:
    """A renewal with clocks, and a file to change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("one", 1)
        self.tls, self.clock, self.pool = Reloading(), Clock(), InlineRunner()
        paths = [path, path.with_suffix(".key")]
        self.renewal = CertificateReload(
            self.tls,  # type: ignore[arg-type]  # as much of it as is used
            paths,
            file_versions(paths),
            self.clock,
            lambda reactor: self.pool,
        )
        self.renewal.startService()

    def write(self, text: str, when: int) -> None:
        self.path.write_text(text)
        os.utime(self.path, (when, when))

    def looks(self, times: int) -> int:
        for _ in range(times):
            self.clock.advance(POLL_SECONDS)
        return self.tls.reloads


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(tmp_path / "a.pem")
    yield watched
    if watched.renewal.running:
        watched.renewal.stopService()
    assert watched.clock.getDelayedCalls() == []


@pytest.fixture
def said() -> Iterator[list[str]]:
    """The lines in the log."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_namespace") == "ftpservice.tls":
            lines.append(str(event.get("line", event.get("log_failure"))))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def test_files_that_stay_are_left_alone(watched: Watched, said: list[str]) -> None:
    assert watched.looks(5) == 0
    assert said == []


def test_a_change_is_read_once_when_it_has_settled(watched: Watched, said: list[str]) -> None:
    watched.write("two", 2)
    assert watched.looks(1) == 0
    watched.write("three", 3)
    assert watched.looks(1) == 0
    assert watched.looks(1) == 1
    assert watched.looks(5) == 1
    assert said == ["certificates read again: SHA-256 AA:BB"]


def test_a_file_that_vanishes_and_comes_back_is_read(watched: Watched) -> None:
    watched.path.unlink()
    assert watched.looks(2) == 1
    watched.write("again", 9)
    assert watched.looks(2) == 2


def test_an_error_is_logged_once_and_changes_nothing(watched: Watched, said: list[str]) -> None:
    watched.tls.problem = CertificateError("a.pem: expired")
    watched.write("two", 2)
    assert watched.looks(5) == 1
    assert said == ["a.pem: expired; the previous certificates stay in use"]
    watched.tls.problem = None
    watched.write("three", 3)
    assert watched.looks(5) == 2


def test_reload_reads_the_files_at_once(watched: Watched, said: list[str]) -> None:
    watched.renewal.reload()
    assert watched.tls.reloads == 1
    assert len(said) == 1


def test_an_unexpected_error_is_logged_and_the_watch_continues(
    watched: Watched, said: list[str]
) -> None:
    watched.tls.problem = ZeroDivisionError("x")
    watched.renewal.reload()
    watched.tls.problem = None
    watched.write("two", 2)
    assert watched.looks(2) == 2
    assert "ZeroDivisionError" in said[0]


def test_a_stopped_one_reads_no_more(watched: Watched) -> None:
    assert watched.renewal.stopService().called
    watched.renewal.reload()
    watched.write("two", 2)
    assert watched.looks(5) == 0


def test_a_reload_whose_poll_has_ended_can_be_stopped(watched: Watched) -> None:
    watched.renewal._poll.stop()
    assert watched.renewal.stopService().called
