"""Replaces the program of the main process by the installed one, while sessions go on.

1. A trial (`Trial`) shows whether the installed program can start. If not, nothing has changed.
2. The main process ends what exists once (HTTP, journal, hooks, control socket), as at its stop,
   but neither workers nor ports. The workers serve their sessions and accept new ones meanwhile,
   and what they tell waits in their channels.
3. It becomes the installed program, by exec: the same process, with the same ports, channels and
   shared memory (`Handover`). So a service manager, a container or a terminal see one process that
   goes on, and no lock or file ever belongs to two.
4. The new program starts its own workers. When they accept connections, the ones of before accept
   no more: they end sessions with 421 when these have no transfer, and then themselves.

A node of a cluster stays the same node: the new program goes on with its run, its name and what is
held for its sessions (`node_handover`).
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.tcp import Port
from twisted.logger import Logger

from ftpservice import __version__
from ftpservice.cluster.node_handover import hand_over_node, keep_state, node_identity
from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import BlockingPool
from ftpservice.service.control_socket import BadRequest, ControlSocket
from ftpservice.service.lifecycle import FTPService
from ftpservice.service.main_factory import hand_over_workers
from ftpservice.service.sessions.session_shutdown import STOPPING_TEXT
from ftpservice.service.settings.errors import error_text
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.signals import HANDLED_SIGNALS
from ftpservice.service.upgrade_trial import Trial, TrialFailed
from ftpservice.service.worker_setup import WorkerSetup
from ftpservice.workers.handover import VARIABLE, Handover, socket_name
from ftpservice.workers.worker_handover import WorkerHandover, retired_workers

__all__ = ["Upgrade"]

log = Logger("ftpservice")

ANSWER_SECONDS = 0.05
"""Time for the answer to a request to be sent, before the control socket ends."""
NEEDS_WORKERS_TEXT = (
    "an upgrade that cuts no transfer needs workers: a single process takes its sessions with it; "
    "restart the service, with workers = 2 for the upgrades after this one"
)
EMBEDDED_TEXT = "the program that embeds the service restarts it itself"


class Upgrade:
    """Answers the request for an upgrade; ``workers`` are None if one process serves alone."""

    def __init__(
        self,
        options: ServiceOptions,
        service: FTPService,
        workers: WorkerSetup | None,
        reactor: Any,
    ) -> None:
        self._options = options
        self._service = service
        self._workers = workers
        self._reactor = reactor
        self._generation = 1 if options.handover is None else options.handover.generation
        self._command = [sys.executable, *sys.orig_argv[1:]]
        self._trial: Trial | None = None
        self._pool = BlockingPool(reactor, "upgrade", threads=1)
        self._sockets: dict[str, int] = {}
        self._control = -1
        self._refusal: str | None = None
        self._program_values: dict[str, Any] = {}
        self._end_state: Callable[[], object] = bool
        self._is_cancelled = self._is_taking = False
        """Whether the process ends instead, and whether the workers have been left to the other."""
        service.last_steps.append(self._stop)

    def requested(self, request: Mapping[str, Any]) -> Any:
        """Begin an upgrade, or tell how far it is (``ask``); raises `BadRequest`."""
        if request.get("ask"):
            return self._state()
        if self._options.parent is None:
            raise BadRequest(EMBEDDED_TEXT)
        if self._workers is None:
            raise BadRequest(NEEDS_WORKERS_TEXT)
        if self._trial is not None or not self._service.is_serving:
            raise BadRequest("the service starts or is upgraded already")
        self._trial = Trial(self._command, self._options.directory)
        return Task(self._upgrade(self._workers, self._trial)).done

    def _state(self) -> dict[str, Any]:
        retired = [] if self._workers is None else retired_workers(self._workers.supervisor)
        return {
            "version": __version__,
            "process": os.getpid(),
            "generation": self._generation,
            "is_serving": self._service.is_serving and self._trial is None,
            "earlier_workers": len(retired),
            "earlier_sessions": sum(worker.sessions.count for worker in retired),
        }

    async def _upgrade(self, workers: WorkerSetup, trial: Trial) -> Any:
        try:
            handover = Handover(
                self._generation,
                is_trial=True,
                sockets=dict(self._ports()),
                table=workers.factory.table.descriptor,
                data_ports=workers.data_ports.listening(),
                free_columns=_free_columns(workers),
                cluster=node_identity(workers.factory.cluster),
            )
            version = await self._pool.run(trial.run, handover)
            self._copy_ports()
        except TrialFailed as error:
            self._trial = None
            log.error("no upgrade: {reason}", reason=str(error))
            raise BadRequest(f"nothing has changed: {error}") from None
        except BaseException:
            self._trial = None
            raise
        grace = self._options.settings.grace
        state = self._state() | {"version": version, "grace": grace}
        self._reactor.callLater(ANSWER_SECONDS, self._hand_over, workers)
        return state

    def _ports(self) -> Iterator[tuple[str, int]]:
        """Yield the listening sockets, by their names in a `Handover`."""
        for listener, port in self._service.parts.listeners.bound:
            if isinstance(port, Port):
                yield socket_name(listener.option, listener.text), port.fileno()

    def _copy_ports(self) -> None:
        """Make the copies that the other program listens on; raises `TrialFailed`."""
        try:
            for name, descriptor in self._ports():
                self._sockets[name] = os.dup(descriptor)
        except OSError as error:
            self._close_copies()
            raise TrialFailed(error_text(error)) from None

    def _close_copies(self) -> None:
        """Close what the other program would have listened on."""
        control, self._control = self._control, -1
        copies = [*self._sockets.values(), *([control] if control >= 0 else [])]
        self._sockets.clear()
        for descriptor in copies:
            os.close(descriptor)

    def _hand_over(self, workers: WorkerSetup) -> None:
        """Stop what exists once, and then become the other program."""
        service, program = self._service, cast(dict[str, Any], self._options.parent)
        if service.is_stopping:
            self._close_copies()
            return
        log.info("the program is replaced by the installed one")
        service.console.manager.reloading()
        self._program_values = program_values = {"pidfile": program["pidfile"]}
        self._refusal = workers.factory.session_refusal  # before the stop
        program["pidfile"] = ""  # twistd would remove the file
        workers.leave()
        self._end_state = keep_state(workers.factory.cluster)
        service.stop_parts, service.cancel_handover = self._stop_parts, self._cancel
        service.is_handover_cancelled, service.workers_counted = self._ends_workers, None
        service.last_steps.remove(workers.close)

        async def take_workers() -> None:
            if self._is_cancelled:
                return
            self._is_taking = True
            taking = WorkerHandover(workers.supervisor, self._reactor)
            workers.marked = taking.marked
            complete = hand_over_workers(workers.factory)
            data_ports, handed = workers.data_ports.hand_over(await taking.begin())
            handover = Handover(
                self._generation + 1,
                program=program_values,
                sockets=self._sockets,
                control=self._control,
                **_memory(workers),
                refusal=self._refusal,
                free_columns=_free_columns(workers),
                data_ports=data_ports,
                workers=tuple(map(complete, handed)),
                cluster=hand_over_node(workers.factory.cluster),
            )
            atexit.register(self._replace_program, handover)

        service.last_steps.insert(0, take_workers)
        self._reactor.stop()

    def _stop_parts(self) -> Deferred[Any]:
        """Stop all parts but the ports: connections wait there."""
        service = self._service
        listeners = service.parts.listeners
        for _, port in listeners.bound:
            if isinstance(port, Port):
                port.stopReading()
        stopping = []
        for part in reversed(list(service)):
            if isinstance(part, ControlSocket):
                self._control = part.hand_over()
            elif part is not listeners:
                stopping.append(maybeDeferred(part.stopService))
        return DeferredList(stopping, consumeErrors=True)

    def _cancel(self) -> None:
        """End the process instead; called by the handler of a signal."""
        if not self._is_cancelled:
            self._is_cancelled = True
            self._reactor.callFromThread(self._stop_workers)

    def _stop_workers(self) -> None:
        """Have the workers accept no more, and finish, as in any other stop.

        If they have been left to the other program, they let transfers finish, and end alone.
        """
        workers, service = self._workers, self._service
        if workers is None or self._is_taking:
            return
        log.info("the program is not replaced: the service stops")
        service.console.manager.stopping("running transfers may finish")
        cast(dict[str, Any], self._options.parent).update(self._program_values)
        service.last_steps.append(workers.close)
        service.workers_counted = workers.supervisor.counted
        self._end_state()
        if not service.is_stopping:
            service.stop_parts, workers.factory.leaves_workers = None, False
            self._close_copies()
            return
        for part in service:
            if isinstance(part, ControlSocket) or part is service.parts.listeners:
                part.stopService()
        self._close_copies()
        workers.supervisor.broadcast("close")
        for worker in workers.supervisor.workers:
            worker.finish(STOPPING_TEXT)

    def _ends_workers(self) -> bool:
        """Return whether the workers end, which `_stop_workers` has told to finish."""
        workers = self._workers
        if workers is not None and self._is_cancelled:
            workers.factory.leaves_workers = False
        return self._is_cancelled

    async def _stop(self) -> None:
        if self._trial is not None:
            self._trial.kill()
        await self._pool.stop()

    def _replace_program(self, handover: Handover) -> None:
        """Become the other program; the last thing that this one does."""
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
        self._service.logs.close()
        if self._is_cancelled:
            return
        try:
            memory = handover.stored()
            for descriptor in (memory, *handover.descriptors):
                os.set_inheritable(descriptor, True)
            os.chdir(self._options.directory)
            environment = {**os.environ, VARIABLE: str(memory)}
            os.execve(self._command[0], self._command, environment)
        except OSError as error:
            line = f"ftpservice: {self._command[0]}: {error_text(error)}\n"
            os.write(2, line.encode(errors="replace"))
            os._exit(1)


def _free_columns(workers: WorkerSetup) -> int:
    """Return how many processes may run beside those that do."""
    return workers.board.columns - 1 - len(workers.supervisor.workers)


def _memory(workers: WorkerSetup) -> dict[str, Any]:
    """Return the descriptors of what the processes share, as a `Handover` has them."""
    return {
        "board": (workers.board.descriptor, workers.board.columns),
        "table": workers.factory.table.descriptor,
        "quotas": workers.quotas.descriptor,
    }
