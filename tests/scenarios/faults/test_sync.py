"""``--durable``: 226 follows the sync of file, name and directory, in this order."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftpservice.backends.local.partials import partial_file
from ftpservice.control import reply_writer
from tests.support.raw_client import RunningService, Wire, in_thread, reset, started, starting
from tests.support.restartable_service import hidden, noise, visible

FIXTURES = (started, starting)
OLD = b"old"
SIZES = pytest.mark.parametrize("size", [1000, 3_000_000])


class Trace:
    """Records system calls and replies in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[str] = []
        self.broken = ""
        self._fsync, self._rename = os.fsync, os.rename
        self._exclusive, self._send = partial_file.rename_exclusive, reply_writer.send_now
        monkeypatch.setattr(os, "fsync", self.fsync)
        monkeypatch.setattr(os, "rename", self.rename)
        monkeypatch.setattr(partial_file, "rename_exclusive", self.exclusive)
        monkeypatch.setattr(reply_writer, "send_now", self.send)

    def fsync(self, descriptor: int) -> None:
        kind = "directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        self.steps.append(f"fsync {kind} {os.fstat(descriptor).st_ino}")
        if self.broken == kind:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._fsync(descriptor)

    def rename(self, source: bytes, target: bytes, **places: int) -> None:
        self._rename(source, target, **places)
        self.steps.append(f"rename to {os.fsdecode(target)}")

    def exclusive(self, source: bytes, target: bytes, *places: int) -> None:
        self._exclusive(source, target, *places)
        self.steps.append(f"rename to {os.fsdecode(target)}")

    def send(self, transport: Any, data: bytes) -> bytes:
        self.steps.append(data[:3].decode())
        rest: bytes = self._send(transport, data)
        return rest


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch) -> Trace:
    """The record of the test."""
    return Trace(monkeypatch)


def session(server: Callable[..., RunningService], *options: str) -> tuple[RunningService, Wire]:
    """Serve a file and log in."""
    served = server(*options)
    (served.root / "a").write_bytes(OLD)
    wire = served.session()
    assert wire.code("TYPE I") == 200
    return served, wire


def inode(path: Path) -> int:
    return path.stat().st_ino


@in_thread
@SIZES
@pytest.mark.parametrize("command", ["STOR a", "STOR b", "STOU a", "APPE b"])
def test_order_of_sync_calls_before_226(
    server: Callable[..., RunningService], trace: Trace, command: str, size: int
) -> None:
    served, wire = session(server, "--durable")
    trace.steps.clear()
    assert wire.upload(command, noise(size)).code == 226
    name = {"STOU a": "a.1"}.get(command, command[-1])
    assert trace.steps == [
        "229",
        "150",
        f"fsync file {inode(served.root / name)}",
        f"rename to {name}",
        f"fsync directory {inode(served.root)}",
        "226",
    ]


@in_thread
@SIZES
def test_resumed_uploads_are_synced(
    server: Callable[..., RunningService], trace: Trace, size: int
) -> None:
    served, wire = session(server, "--durable")
    data = wire.accepted()
    assert wire.code("STOR b") == 150
    data.sendall(b"x")
    served.wait_for(lambda: served.factory.instances[0].context.running.moved == 1)
    reset(data)
    assert wire.reply().code == 426
    assert wire.code("REST 1") == 350
    assert wire.upload("STOR b", noise(size)).code == 226
    assert [step.split()[0] for step in trace.steps[-4:]] == ["fsync", "rename", "fsync", "226"]
    assert visible(served.root) == {"a": OLD, "b": b"x" + noise(size)}


@in_thread
@SIZES
def test_appends_are_synced_before_226(
    server: Callable[..., RunningService], trace: Trace, size: int
) -> None:
    served, wire = session(server, "--durable")
    assert wire.upload("APPE a", noise(size)).code == 226
    assert trace.steps[-2:] == [f"fsync file {inode(served.root / 'a')}", "226"]


@in_thread
@SIZES
def test_without_the_setting_nothing_is_synced(
    server: Callable[..., RunningService], trace: Trace, size: int
) -> None:
    _served, wire = session(server, "--tls=off")
    assert wire.upload("STOR a", noise(size)).code == 226
    assert not any("fsync" in step for step in trace.steps)


@in_thread
@SIZES
@pytest.mark.parametrize("command", ["STOR a", "STOR b", "STOU a", "APPE a"])
def test_a_failed_fsync_is_reported_and_not_resumed(
    server: Callable[..., RunningService], trace: Trace, command: str, size: int
) -> None:
    """After a failed fsync the kernel marks the lost pages clean: a second fsync would succeed."""
    served, wire = session(server, "--durable")
    trace.broken = "file"
    assert wire.upload(command, noise(size)).code == 451
    appended = noise(size) if command == "APPE a" else b""
    assert visible(served.root) == {"a": OLD + appended}
    assert not any(kept.stat().st_size for kept in hidden(served.root))  # only a note may be kept
    trace.broken = ""
    assert wire.upload("STOR a", b"new").code == 226
    assert not hidden(served.root)


@in_thread
@SIZES
def test_a_failed_fsync_of_the_directory_is_reported(
    server: Callable[..., RunningService], trace: Trace, size: int
) -> None:
    served, wire = session(server, "--durable")
    trace.broken = "directory"
    assert wire.upload("STOR a", noise(size)).code == 451
    assert visible(served.root) in ({"a": OLD}, {"a": noise(size)})
    assert not hidden(served.root)
