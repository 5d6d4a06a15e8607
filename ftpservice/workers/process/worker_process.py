"""A worker process: it serves the sessions that it accepts, and does what the main process says.

When the main process is gone, it accepts no more connections, lets the transfers that run finish
within the grace period, and ends. What happens meanwhile is kept for the next main process.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger, globalLogPublisher
from twisted.python import usage

from ftpservice.service.process_memory import (
    freeze_gc,
    limit_malloc,
    reserve_descriptor_table,
    trim_malloc,
)
from ftpservice.service.settings.errors import CannotStart, error_text
from ftpservice.workers.channel import Channel
from ftpservice.workers.last_events import LastEvents
from ftpservice.workers.log_forwarder import LogForwarder
from ftpservice.workers.process.remote_report import RemoteReport
from ftpservice.workers.process.state_reports import StateReports
from ftpservice.workers.process.worker_assembly import WorkerPlan, WorkerService, assemble_worker

if TYPE_CHECKING:
    from ftpservice.workers.process.worker_traces import WorkerTraces

__all__ = ["WorkerProcess"]

log = Logger("ftpservice.workers")

UPGRADED_TEXT = "The service was upgraded; connect again."
MAX_ORPHAN_SECONDS = 60.0
"""How long beyond the grace period a process without its main process may take to end."""


class WorkerProcess:
    """Carries out the messages of the main process."""

    begun: Callable[[], object] = bool
    """Called when it is about to serve, or cannot start."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        handlers: dict[str, Callable[..., object]] = {
            "start": self._start,
            "stop": lambda: ensureDeferred(self.stop()).addErrback(self.unexpected),
            "mark": lambda: self._channel.send("marked"),
            "retire": lambda grace: _retire(self, grace),
            "close": lambda: self._serving("close")(),
            "refuse": self._refuse,
            "finish": self._finish,
            "disconnect": self._disconnect,
            "finish_all": self._finish_all,
            "disconnect_all": lambda reason: _at_factory(self.service, "disconnect_all", reason),
            "disconnect_where": lambda *what: _at_factory(self.service, "disconnect_where", *what),
            "abort_all": lambda: _at_factory(self.service, "abort_all"),
            "bans": lambda bans: self._serving("use_bans")(bans),
            "bans changed": lambda *what: self._serving("change_bans")(*what),
            "peer": lambda column, message: self._serving("peer")(column, message),
            "gone": lambda column: self._serving("gone")(column),
            "settings": lambda text: self._serving("use_settings")(text),
            "trace": self._trace,
            "untrace": self._trace,
            "data_turn": lambda *facts: _at_shared_port(self.service, "turn", *facts),
            "data_doubt": lambda number: _at_shared_port(self.service, "doubt", number),
            "certificates": lambda copies: self._serving("use_certificates")(copies),
        }
        self._channel = Channel(handlers, self._lost)
        self._report = RemoteReport(self._channel, reactor)
        handlers["reported"] = self._report.answered
        self.service: WorkerService | None = None
        self._reports: StateReports | None = None
        self._traces: WorkerTraces | None = None
        self.is_ending = self.is_retiring = False

    def connect(self, own: socket.socket) -> None:
        """Use a connected socket as the channel."""
        self._channel.adopt(own, self._reactor)

    def _serving(self, name: str) -> Callable[..., object]:
        """Return a method of the service; one that does nothing while there is none."""
        return getattr(self.service, name) if self.service is not None else _ignore

    def _start(self, plan: WorkerPlan) -> None:
        """Begin to serve, or say why that is not possible, and end."""
        limit_malloc()
        try:
            service = assemble_worker(plan, self._channel, self._report, self._reactor)
            service.start()
            service.factory.session_refusal = plan["refusal"]  # the start of a port has reset it
        except (CannotStart, usage.UsageError) as error:
            line = error.line if isinstance(error, CannotStart) else error_text(error)
            self._channel.send("failed", line)
            self._end()
            return
        except BaseException as error:
            self._channel.send("failed", f"a worker could not start: {error!r}")
            self._end()
            raise
        self.service = service
        self.begun()
        globalLogPublisher.addObserver(LogForwarder(self._channel, self._reactor))
        freeze_gc()
        reserve_descriptor_table()
        trim_malloc(self._reactor)
        working = partial(getattr, service.factory, "working_count")
        self._reports = StateReports(self._channel, service.state, working, self._reactor)
        self._reports.start()
        self._channel.send("ready")

    def _refuse(self, reason: str | None) -> None:
        if self.service is not None:
            self.service.factory.session_refusal = reason

    def _sessions(self, numbers: Iterable[int]) -> Iterable[Any]:
        if self.service is None:
            return ()
        known = self.service.factory.sessions
        return [known[number] for number in numbers if number in known]

    def _finish(self, numbers: Sequence[int], reason: str) -> None:
        for session in self._sessions(numbers):
            session.finish_and_disconnect(reason)

    def _disconnect(self, numbers: Sequence[int], reason: str) -> None:
        for session in self._sessions(numbers):
            session.disconnect(reason)

    def _trace(self, number: int, request: Mapping[str, Any] | None = None) -> None:
        """Begin a trace, or end it; what that takes is loaded at the first one."""
        from ftpservice.workers.process.worker_traces import WorkerTraces

        if self.service is None:
            return
        if self._traces is None:
            self._traces = WorkerTraces(self._channel, self.service.factory)
        if request is None:
            self._traces.stop(number)
        else:
            self._traces.start(number, request)

    def _finish_all(self, reason: str) -> None:
        if self.service is not None:
            self.service.factory.finish_and_disconnect_all(reason)
        if self._reports is not None:
            self._reports.tell_working()

    async def stop(self) -> None:
        """End: nothing has to wait for sessions any more."""
        if self.is_ending:
            return
        self.is_ending = True
        if self.service is not None:
            await self.service.release()
        self._end()

    def _end(self) -> None:
        self.begun()
        self.is_ending = True
        if self._reports is not None:
            self._reports.stop()
        self._channel.close()

    def _lost(self) -> None:
        """The channel is closed, by this process or because the main process is gone."""
        if self.is_ending or self.service is None:
            self._reactor.callWhenRunning(self._reactor.stop)
            return
        self.is_ending = True
        self._report.close()
        self.service.factory.portal.realm.quotas.directory.cut_off()
        self.service.factory.peers.close()
        _at_shared_port(self.service, "close")
        kept = self.service.keep_last_events()
        grace = self.service.options.settings.grace
        self._reactor.callLater(grace + MAX_ORPHAN_SECONDS, os._exit, 1)
        ensureDeferred(self._end_alone(grace, kept)).addErrback(self.unexpected)

    async def _end_alone(self, grace: float, kept: LastEvents | None) -> None:
        assert self.service is not None
        await self.service.end_sessions(grace)
        await self.service.release()
        if kept is not None:
            await kept.finish()
        self._reactor.stop()

    def unexpected(self, failure: Any) -> None:
        """End at once: nothing can be said to end otherwise."""
        log.failure("a worker could not end as it should", failure)
        sys.stderr.write(failure.getTraceback())
        os._exit(1)


def _at_factory(service: WorkerService | None, what: str, *values: Any) -> None:
    """Call a method of the factory, if there is one."""
    if service is not None:
        getattr(service.factory, what)(*values)


def _at_shared_port(service: WorkerService | None, what: str, *facts: Any) -> None:
    """Call a method of the shared passive port, if there is one."""
    port = None if service is None else service.factory.shared_port
    if port is not None:
        getattr(port, what)(*facts)


def _ignore(*_values: Any) -> None:
    """Do nothing: the service has not begun."""


def _retire(process: WorkerProcess, grace: float) -> None:
    """End when no session has a transfer: workers of a new program accept the connections."""
    service = process.service
    if service is None or process.is_ending or process.is_retiring:
        return
    process.is_retiring = True

    async def finish() -> None:
        await service.end_sessions(grace, UPGRADED_TEXT)
        await process.stop()

    ensureDeferred(finish()).addErrback(process.unexpected)
