"""Starts a worker process, and tells when it has ended.

A process is started anew (exec), never forked from one with threads and connections. It inherits
its end of the channel and the descriptors that it is told of, and its log goes over the channel.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Protocol

from ftpservice.concurrency.thread_pool import BlockingRunner, run_unattended

__all__ = ["Launch", "LaunchedProcess", "launch_worker", "watch_child"]

MODULE = "ftpservice.workers.process"
UNKNOWN_STATUS = 0


class LaunchedProcess(Protocol):
    """A process that was started."""

    pid: int

    def kill(self) -> None:
        """End it at once."""


Launch = Callable[[Iterable[int], Callable[[int], object]], Any]
"""Starts a process with descriptors; returns a Deferred of it and of our end of the channel.

The second argument is called with its status when it has ended (negative: the signal).
"""


class _WatchedProcess:
    """A child process, in the reactor until it has ended."""

    def __init__(
        self,
        pid: int,
        poll: Callable[[], int | None],
        reactor: Any,
        ended: Callable[[int], object],
    ) -> None:
        self.pid = pid
        self._poll = poll
        self._reactor = reactor
        self._ended = ended
        self._descriptor = os.pidfd_open(pid)
        reactor.addReader(self)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable at the end of the process."""
        return self._descriptor

    def logPrefix(self) -> str:
        """Return what the log calls it."""
        return "worker"

    def doRead(self) -> None:
        """Reap the process."""
        status = self._poll()
        if status is None:
            return
        self._reactor.removeReader(self)
        os.close(self._descriptor)
        self._descriptor = -1
        self._ended(status)

    def connectionLost(self, _reason: object) -> None:
        """Do nothing: the reactor ends."""

    def kill(self) -> None:
        """End the process at once."""
        if self._descriptor >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)


class _EndedProcess:
    """A child that had ended, and was reaped, before it could be watched."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        """Do nothing: another process may have its number now."""


def watch_child(reactor: Any, pid: int, ended: Callable[[int], object]) -> LaunchedProcess:
    """Return a child that the program of this process before this one has started.

    That program may have reaped it at its own end; its status is not known then.
    """

    def poll() -> int | None:
        found, status = os.waitpid(pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if found else None

    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        reactor.callLater(0, ended, UNKNOWN_STATUS)
        return _EndedProcess(pid)
    return _WatchedProcess(pid, poll, reactor, ended)


def launch_worker(pool: BlockingRunner, reactor: Any) -> Launch:
    """Return what starts worker processes, in a thread: an exec takes milliseconds."""

    def launch(descriptors: Iterable[int], ended: Callable[[int], object]) -> Any:
        own, other = socket.socketpair()
        own.setblocking(False)
        started = pool.run(_started, other.fileno(), tuple(descriptors))

        def watch(process: subprocess.Popen[bytes]) -> tuple[LaunchedProcess, socket.socket]:
            try:
                return _WatchedProcess(process.pid, process.poll, reactor, ended), own
            except BaseException:  # it cannot be watched: no descriptor is left
                process.kill()
                run_unattended(pool, process.wait)
                own.close()
                raise

        def close(result: Any) -> Any:
            other.close()
            return result

        def give_up(failure: Any) -> Any:
            own.close()
            return failure

        return started.addBoth(close).addCallbacks(watch, give_up)

    return launch


def _started(channel: int, descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Start a process (blocks)."""
    path = os.pathsep.join(one for one in sys.path if one)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", MODULE, str(channel)],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
        pass_fds=(channel, *descriptors),
        start_new_session=True,
    )
