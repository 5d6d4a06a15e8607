"""Workers that outlive the program of their main process: handed over, adopted, and retired."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from ftpservice.concurrency.timers import Deadline
from ftpservice.events import Event
from ftpservice.workers.event_codec import encode_event, plain_values
from ftpservice.workers.launch import LaunchedProcess
from ftpservice.workers.supervisor import Supervisor
from ftpservice.workers.worker import Worker

__all__ = ["WorkerHandover", "adopt_worker", "retire_workers", "retired_workers"]

MARK_SECONDS = 2.0
"""How long a worker may take to tell that it has received all; then it hangs, and is ended."""
SETTLE_SECONDS = 0.001
"""The message of the last worker is carried out to its end."""
REAP_SECONDS, MAX_REAPS = 0.02, 50
"""How often, and how many times, to look whether workers that were killed have ended."""


class WorkerHandover:
    """Leaves the workers of ``supervisor`` to the next program.

    Each tells that it has received what was sent to it; what it sends after that is not read here.
    """

    def __init__(self, supervisor: Supervisor, reactor: Any) -> None:
        self._supervisor = supervisor
        self._marked: set[Worker] = set()
        self._done: Deferred[list[Mapping[str, Any]]] = Deferred()
        self._limit = Deadline(reactor, self._end)
        self._killed: set[Worker] = set()
        self._looks = 0

    def begin(self) -> Deferred[list[Mapping[str, Any]]]:
        """Fire with what the next program has to know of the workers.

        Those that start, and those that hang, are ended.
        """
        self._supervisor.replaces = False
        for worker in tuple(self._supervisor.workers):
            if worker.is_ready:
                worker.send("mark")
            else:
                worker.kill()
        self._limit.set(MARK_SECONDS)
        self._check()
        return self._done

    def marked(self, worker: Worker) -> None:
        """Read no more of what a worker sends: it has received all that was sent to it.

        One that tells so too late is not handed over: its end is noticed by its channel.
        """
        if worker.channel is not None and not (worker in self._killed or self._done.called):
            worker.channel.detach()
            self._marked.add(worker)
            self._check()

    def _check(self) -> None:
        if self._marked.issuperset(self._supervisor.workers):
            self._limit.set(SETTLE_SECONDS)

    def _end(self) -> None:
        """Kill the others, and wait for their end: the next program does not know them."""
        found, is_waiting = [], False
        for worker in tuple(self._supervisor.workers):
            if worker in self._marked and not worker.is_cut:
                found.append(_values_of(worker))
            else:
                is_waiting = self._looks < MAX_REAPS
                if worker not in self._killed:
                    self._killed.add(worker)
                    worker.kill()
        if is_waiting:
            self._looks += 1
            self._limit.set(REAP_SECONDS)
        else:
            self._done.callback(found)


def _values_of(worker: Worker) -> Mapping[str, Any]:
    """Return what `adopt_worker` needs."""
    channel: Any = worker.channel
    return {
        "process": worker.pid,
        "column": worker.column.number,
        "channel": channel.transport.fileno(),
        "unread": bytes(channel.received),
        "count": worker.events.count,
        "sessions": plain_values([encode_event(one) for one in worker.sessions.history()]),
    }


def adopt_worker(
    supervisor: Supervisor,
    handed: Mapping[str, Any],
    watch: Callable[[int, Callable[[int], object]], LaunchedProcess],
) -> list[Event]:
    """Go on with a worker of the program before this one; returns the events of its sessions.

    ``watch`` tells when a process ends. Without a worker that can be used, none is left behind.
    """
    own = socket.socket(fileno=handed["channel"])
    try:
        worker = supervisor.new_worker(handed["column"])
        worker.is_ready = worker.is_retired = True
        try:
            process = watch(handed["process"], worker.process_ended)
            events = list(worker.events.restore(handed["sessions"], handed["count"]))
            channel = worker.adopt(process, own, supervisor.handlers(worker))
        except BaseException:
            supervisor.workers.remove(worker)  # a stop would wait for its end
            raise
    except BaseException:
        own.close()  # the worker ends when it notices
        raise
    if handed["unread"]:
        channel.dataReceived(handed["unread"])
    return events


def retired_workers(supervisor: Supervisor) -> list[Worker]:
    """Return the workers of programs before this one."""
    return [worker for worker in supervisor.workers if worker.is_retired]


def retire_workers(supervisor: Supervisor, grace: float) -> None:
    """Have those end, with their transfers finished within ``grace`` seconds."""
    for worker in retired_workers(supervisor):
        worker.stop(grace)
