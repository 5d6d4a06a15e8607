"""One worker process as the main process sees it: its channel, its sessions, its state."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger

from ftpservice.concurrency.timers import Deadline
from ftpservice.workers.channel import Channel, Handlers
from ftpservice.workers.event_receiver import EventReceiver
from ftpservice.workers.launch import Launch, LaunchedProcess
from ftpservice.workers.remote_sessions import RemoteSessions
from ftpservice.workers.session_board import BoardColumn
from ftpservice.workers.state_watch import StateWatch

__all__ = ["Worker"]

log = Logger("ftpservice.workers")

MAX_UNREAD_BYTES = 16 * 1024 * 1024
"""Bytes that a worker may leave unread; then it is ended, since it hangs."""
START_SECONDS = 300.0
"""The longest time in which a worker has to say that it accepts connections: far more than a
machine under load takes, since one that is ended and started again without end serves nobody."""
STOP_SECONDS = 60.0
"""How long a worker may take to end at a stop, when it has no session: its threads finish."""
END_SECONDS = 5.0
"""How long a process may live after it has closed its channel."""


class Worker:
    """A process from its start to its end; ``ended`` is called once with why it has ended."""

    def __init__(
        self,
        column: BoardColumn,
        sessions: RemoteSessions,
        reactor: Any,
        ended: Callable[[Worker, str], object],
    ) -> None:
        self.column = column
        self.sessions = sessions
        self._reactor = reactor
        self._ended = ended
        self.is_ready = self.is_stopping = False
        self.is_retired = False
        """Whether it has the program of before an upgrade: its end is expected."""
        self.is_marked = False
        """Whether it has received all that was sent before `hand_over`."""
        self.has_ended = False
        self.failure = ""
        """Why it could not start, in its own words."""
        self.working: int | None = 0
        """Sessions that carry out a command, as it told after it had to finish; None: not yet."""
        self.counted: Callable[[], object] = bool
        """Called when it tells."""
        self.watch = StateWatch(reactor, lambda: self.pid)
        self.since = reactor.seconds()
        self._process: LaunchedProcess | None = None
        self.channel: Channel | None = None
        self._status: int | None = None
        self.is_cut = False
        self.events = EventReceiver(sessions, self.send, partial(_tell_loss, self))
        self._time_limit = Deadline(reactor, self._is_late)

    @property
    def pid(self) -> int:
        """The process; 0 before there is one."""
        return 0 if self._process is None else self._process.pid

    def start(
        self,
        launch: Launch,
        descriptors: Sequence[int],
        handlers: Handlers,
        first: Callable[[], tuple[Any, ...]],
    ) -> None:
        """Start the process; ``first`` returns the message that it gets first."""

        def started(result: tuple[LaunchedProcess, socket.socket]) -> None:
            self.adopt(*result, handlers)
            self._time_limit.set(START_SECONDS)
            self.send(*first())
            if self.is_stopping:
                self.kill()

        launching: Any = maybeDeferred(launch, descriptors, self.process_ended)
        launching.addCallback(started)
        launching.addErrback(lambda failure: self.not_started(failure.value))

    def not_started(self, error: BaseException) -> None:
        """Note that there is no process, or none that can be used: that one is ended."""
        self.kill()
        self.is_cut, self._status = True, 0
        self.failure = self.failure or f"a worker could not be started: {error}"
        self._check_end()

    def adopt(self, process: LaunchedProcess, own: socket.socket, handlers: Handlers) -> Channel:
        """Use a process that was started, and its channel."""
        self._process = process
        mine: dict[str, Callable[..., object]] = {
            "failed": partial(setattr, self, "failure"),
            "events": self.events.happened,
            "lost": self.events.lost,
            "progress": self.sessions.progress,
            "working": self._is_working,
            "state": self.watch.told,
        }
        self.channel = channel = Channel({**handlers, **mine}, self._cut)
        channel.adopt(own, self._reactor)
        return channel

    def ready(self) -> None:
        """Note that it accepts connections."""
        self.is_ready = True
        self._time_limit.clear()

    def send(self, name: str, *values: Any) -> None:
        """Send a message; a process that reads none for long is ended."""
        channel = self.channel
        if channel is None or self.is_cut:
            return
        channel.send(name, *values)
        if channel.unread_bytes > MAX_UNREAD_BYTES:
            log.error("worker {pid} hangs and is ended", pid=self.pid)
            self.kill()

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            self._process.kill()

    def finish(self, reason: str) -> None:
        """Have its sessions end after their commands in progress, and it tell how many have one."""
        if self.is_ready and not self.is_cut:
            self.working = None
            self.send("finish_all", reason)

    def stop(self, grace: float | None = None) -> None:
        """Have it end; with ``grace``, when its transfers have ended, or after so many seconds."""
        self.is_stopping = True
        if grace is None:
            self.send("stop")
        else:
            self.send("retire", grace)
        if not self.is_cut:
            self._time_limit.set(STOP_SECONDS + (grace or 0.0))

    def _is_late(self) -> None:
        if not self.is_ready and not self.is_cut:
            log.error("worker {pid} was not ready in time and is ended", pid=self.pid)
        elif self.is_stopping and not self.is_cut:
            log.error("worker {pid} did not stop in time and is ended", pid=self.pid)
        self.kill()

    def _is_working(self, count: int) -> None:
        self.working = count
        self.counted()

    def _cut(self) -> None:
        """Its channel has ended: it will end soon, or has."""
        self.is_cut = True
        self.watch.stop()
        self._time_limit.set(END_SECONDS)
        self._check_end()

    def process_ended(self, status: int) -> None:
        """Note the end of the process."""
        self._status = status
        self._check_end()

    def _check_end(self) -> None:
        """Note the end, once nothing more can come from the process."""
        if self.has_ended or not self.is_cut or self._status is None:
            return
        self.has_ended = True
        self._time_limit.clear()
        self.working = 0
        self.counted()
        self.events.end(self.column.events)
        self.column.clear()
        self._ended(self, _why(self._status))


def _why(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"


def _tell_loss(worker: Worker, count: int) -> None:
    log.error("{count} events of worker {pid} were lost", count=count, pid=worker.pid)
