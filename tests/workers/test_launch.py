"""A process is started with its channel and its descriptors, and its end is noticed."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred

from ftpservice.concurrency.thread_pool import BlockingPool
from ftpservice.workers import launch
from ftpservice.workers.launch import launch_worker, watch_child
from tests.support.loopback import until
from tests.support.open_resources import nothing_left


@async_yield_fixture
async def pool(reactor) -> AsyncIterator[BlockingPool]:
    pool = BlockingPool(reactor, "test", threads=1)
    yield pool
    await pool.stop()


async def started(reactor, pool, descriptors: tuple[int, ...] = ()) -> tuple[Any, Any, list[int]]:
    statuses: list[int] = []
    process, own = await launch_worker(pool, reactor)(descriptors, statuses.append)
    return process, own, statuses


@ensureDeferred
async def test_a_killed_process_is_reaped(reactor, pool) -> None:
    process, own, statuses = await started(reactor, pool)
    process.kill()
    await until(reactor, lambda: statuses)
    assert statuses == [-signal.SIGKILL]
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    process.kill()  # another process may have its number now
    own.close()


@ensureDeferred
async def test_it_ends_when_nobody_holds_the_other_end(reactor, pool) -> None:
    process, own, statuses = await started(reactor, pool)
    own.close()
    await until(reactor, lambda: statuses)
    assert statuses == [0]
    assert process.fileno() == -1


@ensureDeferred
async def test_it_inherits_what_it_is_told_and_nothing_else(
    reactor, pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "MODULE", "this")
    with socket.socket() as given, socket.socket() as other:
        other.set_inheritable(True)
        process, own, statuses = await started(reactor, pool, (given.fileno(),))
        found = os.listdir(f"/proc/{process.pid}/fd")
        assert str(given.fileno()) in found
        assert str(other.fileno()) not in found
        own.close()
        await until(reactor, lambda: statuses)


@ensureDeferred
async def test_a_program_that_is_missing_is_an_error(
    reactor, pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(FileNotFoundError):
        await launch_worker(pool, reactor)((), print)


@ensureDeferred
async def test_a_process_that_cannot_be_watched_is_ended(
    reactor, pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def refused(pid: int) -> int:
        begun.append(pid)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pidfd_open", refused)
    async with nothing_left():
        with pytest.raises(OSError, match="Too many open files"):
            await launch_worker(pool, reactor)((), print)
        await until(reactor, lambda: not Path(f"/proc/{begun[0]}").exists())


@ensureDeferred
async def test_a_child_of_the_program_before_is_watched(reactor) -> None:
    statuses: list[int] = []
    child = watch_child(reactor, sleeping(), statuses.append)
    child.kill()
    await until(reactor, lambda: statuses)
    assert statuses == [-signal.SIGKILL]


@ensureDeferred
async def test_a_child_that_the_program_before_has_reaped_counts_as_ended(reactor) -> None:
    pid = sleeping()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    statuses: list[int] = []
    child = watch_child(reactor, pid, statuses.append)
    assert statuses == []  # it is known first
    child.kill()
    await until(reactor, lambda: statuses)
    assert child.pid == pid


def sleeping() -> int:
    return os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
