"""A command that is told of events or, as a gate, asked."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from threading import Lock
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from zope.interface import implementer

from ftpservice.activity.hooks.command_process import CommandOutcome, CommandProcess
from ftpservice.activity.hooks.event_documents import environment_of, request_document
from ftpservice.activity.hooks.hook_settings import HookSettings
from ftpservice.backends.gates.run_record import HOOK_OUTCOMES, RunRecord
from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import BlockingPool, BlockingRunner, PoolOverloaded
from ftpservice.events import Event
from ftpservice.storage.gates import (
    GateAnswer,
    GateRequest,
    IDeleteGate,
    IHeldFile,
    ILoginGate,
    IUploadGate,
)
from ftpservice.wire.units import count_text

__all__ = ["CommandGate", "CommandHook", "GateFailed", "HookCommand"]

log = Logger("ftpservice.hooks")

COPY_SIZE = 1 << 20
STOP_SECONDS = 5.0
"""How long the end of the service waits for hooks."""
REFUSES = 1
"""The exit status for a no."""


class GateFailed(Exception):
    """A gate gave no answer; ``str`` of it says why."""


class HeldDescriptor:
    """A descriptor, which whoever takes it first has to close."""

    def __init__(self, descriptor: int) -> None:
        self.number = self._descriptor = descriptor
        self._lock = Lock()

    def take(self) -> int:
        """Return the descriptor, to the first caller; -1 afterwards."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
        return descriptor

    def close(self) -> None:
        """Close it, unless another one has taken it."""
        descriptor = self.take()
        if descriptor >= 0:
            os.close(descriptor)


class HookCommand:
    """The command of a hook, so many times at once, in threads of its own."""

    def __init__(self, settings: HookSettings, reactor: Any) -> None:
        self.settings = settings
        self._reactor = reactor
        most = settings.max_running
        self._pool: BlockingRunner = BlockingPool(
            reactor, f"hook {settings.name}", threads=most, waiting=most + settings.max_waiting
        )
        self._running: set[CommandProcess] = set()
        self._ending: IDelayedCall | None = None
        self._ended = 0

    @property
    def pending(self) -> int:
        """The calls that run or wait."""
        return len(self._running)

    async def run(
        self, document: Mapping[str, Any], file: HeldDescriptor | None = None
    ) -> CommandOutcome:
        """Run it with a document; raises `OSError` and `PoolOverloaded`.

        It inherits ``file``, which is closed. If the wait is cancelled, the command is ended.
        """
        settings, descriptor = self.settings, None
        if file is not None:
            descriptor, document = file.number, {**document, "file": f"/dev/fd/{file.number}"}
        environment = environment_of(document, os.environ) | {"FTPSERVICE_HOOK": settings.name}
        given = json.dumps(document).encode() + b"\n"
        process = CommandProcess(
            settings.command, environment, given, settings.time_limit, descriptor
        )
        self._running.add(process)
        try:
            return await self._pool.run(_run_in_thread, process, file)
        except CancelledError:
            process.stop()
            raise
        finally:
            self._running.discard(process)
            if file is not None:
                file.close()

    def stop(self, seconds: float = 0.0) -> Deferred[int]:
        """Refuse further calls, and end what runs after ``seconds``; fires with their number."""
        self.end_after(seconds)
        return self.retire()

    def retire(self) -> Deferred[int]:
        """Refuse further calls; fires when those before have ended, with how many were ended."""
        return self._pool.stop().addCallback(self._stopped)

    def end_after(self, seconds: float) -> None:
        """End what runs and waits, after a time."""
        if seconds and self._running:
            self._ending = self._reactor.callLater(seconds, self._end_all)
        else:
            self._end_all()

    def _end_all(self) -> None:
        for process in self._running:
            process.stop()
        self._ended += len(self._running)

    def _stopped(self, _none: None) -> int:
        ending, self._ending = self._ending, None
        if ending is not None and ending.active():
            ending.cancel()
        return self._ended


def _run_in_thread(process: CommandProcess, file: HeldDescriptor | None) -> CommandOutcome:
    if file is None:
        return process.run()
    taken = file.take()
    if taken < 0:  # nobody waits any more
        process.stop()
    try:
        return process.run()
    finally:
        if taken >= 0:
            os.close(taken)


class CommandHook:
    """Tells a command of events; what waits is bounded."""

    def __init__(self, settings: HookSettings, reactor: Any) -> None:
        self._command = HookCommand(settings, reactor)
        self._name = settings.name
        self._dropped = 0
        self.record = RunRecord(settings.name, HOOK_OUTCOMES)

    @property
    def pending(self) -> int:
        """The events of which the command is being told, and those that wait."""
        return self._command.pending

    def deliver(self, _event: Event, document: Mapping[str, Any]) -> None:
        """Run the command, soon."""
        Task(self._run(document)).done.addErrback(_unexpected, self._name)

    async def _run(self, document: Mapping[str, Any]) -> None:
        started = time.time()
        try:
            outcome = await self._command.run(document)
        except PoolOverloaded:
            self._drop()
            return
        except OSError as error:
            self.record.add_delivery(document, started, "failed")
            log.error("the hook {name} failed: {reason}", name=self._name, reason=error.strerror)
            return
        has_failed = bool(outcome.status or outcome.is_timed_out)
        self.record.add_delivery(document, started, "failed" if has_failed else "delivered")
        if has_failed:
            reason = outcome.reason()
            log.error("the hook {name} failed: {reason}", name=self._name, reason=reason)
        elif outcome.output:
            text = outcome.output.decode("utf-8", "replace").strip()
            log.info("the hook {name}: {text}", name=self._name, text=text)
        if self._dropped:
            count, self._dropped = self._dropped, 0
            self._report_missed(count)

    def _drop(self) -> None:
        if not self._dropped:
            log.error("the hook {name} is too slow: events are dropped", name=self._name)
        self._dropped += 1
        self.record.count("dropped")

    def start(self) -> None:
        """Do nothing: threads begin with the first event."""

    def stop(self) -> Deferred[None]:
        """Wait a little for what runs and waits, then end it; what is lost is counted."""
        return self._command.stop(STOP_SECONDS).addCallback(self._stopped)

    def retire(self) -> Deferred[None]:
        """Wait for what runs and waits, without a limit but its own; take nothing more."""
        return self._command.retire().addCallback(self._stopped)

    def hurry(self) -> None:
        """End in a little while what `retire` waits for."""
        self._command.end_after(STOP_SECONDS)

    def _stopped(self, ended: int) -> None:
        lost = ended + self._dropped
        if lost:
            self._report_missed(lost)

    def _report_missed(self, count: int) -> None:
        missed = count_text(count, "event")
        log.error("the hook {name} has missed {missed}", name=self._name, missed=missed)


@implementer(IUploadGate, IDeleteGate, ILoginGate)
class CommandGate:
    """Asks a command: exit status 0 is yes, 1 no, and any other a failure.

    The first line of its output is the text of a no. With a yes, output that begins with ``{`` is
    JSON with another ``name``, and whether that has to be ``unique``.
    """

    def __init__(self, settings: HookSettings, reactor: Any) -> None:
        self._command = HookCommand(settings, reactor)

    async def check_upload(self, request: GateRequest, upload: IHeldFile) -> GateAnswer:
        """Ask about an upload, which the command reads by ``file``."""
        return await self._answer(request, await _opened(upload))

    async def check_delete(self, request: GateRequest) -> GateAnswer:
        """Ask about a deletion."""
        return await self._answer(request)

    async def check_login(self, request: GateRequest) -> GateAnswer:
        """Ask about a login."""
        return await self._answer(request)

    async def _answer(self, request: GateRequest, file: HeldDescriptor | None = None) -> GateAnswer:
        outcome = await self._command.run(request_document(request), file)
        text = outcome.output.decode("utf-8", "replace").strip()
        if outcome.is_timed_out or outcome.status not in (0, REFUSES):
            raise GateFailed(outcome.reason())
        if outcome.status == REFUSES:
            return GateAnswer(False, text.partition("\n")[0])
        return _renaming_answer(text) if text.startswith("{") else GateAnswer(True)

    def stop(self) -> Deferred[int]:
        """End what runs."""
        return self._command.stop()


def _renaming_answer(text: str) -> GateAnswer:
    try:
        found = json.loads(text)
        name, is_unique = found.get("name", ""), found.get("unique", False)
    except (ValueError, RecursionError):
        raise GateFailed("its output is not JSON") from None
    if not isinstance(name, str) or not isinstance(is_unique, bool):
        raise GateFailed("its output has no name of a file, or unique is not true or false")
    return GateAnswer(True, name=name, is_unique=is_unique)


async def _opened(upload: IHeldFile) -> HeldDescriptor:
    """Open an upload once more, with a position of its own; one in memory is copied."""
    held = upload.descriptor()
    if held is not None:
        return HeldDescriptor(os.open(f"/proc/self/fd/{held}", os.O_RDONLY | os.O_CLOEXEC))
    copied = os.memfd_create("ftpservice-upload", os.MFD_CLOEXEC)
    try:
        position = 0
        while data := await upload.read(position, COPY_SIZE):
            position += os.write(copied, data)
        return HeldDescriptor(os.open(f"/proc/self/fd/{copied}", os.O_RDONLY | os.O_CLOEXEC))
    finally:
        os.close(copied)


def _unexpected(failure: Any, name: str) -> None:
    if not failure.check(CancelledError):
        log.failure("the hook {name} failed", failure, name=name)
