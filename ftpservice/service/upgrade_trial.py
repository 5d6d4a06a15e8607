"""Tries whether the installed program can start with the settings of now, beside the one that runs.

The trial is a process that does what a start does up to the point where it would become visible: it
reads the settings, builds the service, takes copies of the listening sockets and starts workers,
which accept nothing: it ends when they are ready.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from ftpservice import __version__
from ftpservice.service.lifecycle import FTPService
from ftpservice.service.settings.errors import error_text
from ftpservice.workers.handover import VARIABLE, Handover

__all__ = ["Trial", "TrialFailed", "TrialStart"]

TRIAL_SECONDS = 90.0
"""The longest time in which a program has to start."""
OWN_PREFIX = "ftpservice: "
WARNING_PREFIX = OWN_PREFIX + "warning: "
MAX_REASON_LENGTH, MAX_VERSION_LENGTH = 500, 100


class TrialFailed(Exception):
    """The program cannot start; the text is one line."""


class Trial:
    """A process that runs ``command`` in ``directory``."""

    def __init__(self, command: Sequence[str], directory: str) -> None:
        self._command = command
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopping = False

    def run(self, handover: Handover) -> str:
        """Return the version that can start (blocks); raises `TrialFailed`.

        The handover gets the end of a pipe for the answer. No descriptor is left open.
        """
        try:
            reading, writing = os.pipe()
        except OSError as error:
            raise TrialFailed(error_text(error)) from None
        with open(reading, "rb", buffering=0) as answer:
            try:
                process = self._started(replace(handover, answer=writing))
            except OSError as error:
                raise TrialFailed(f"{self._command[0]}: {error_text(error)}") from None
            finally:
                os.close(writing)
            errors = self._errors_of(process)
            version = answer.read(MAX_VERSION_LENGTH).decode(errors="replace")
        if self._is_stopping:
            raise TrialFailed("the service is stopping")
        if process.returncode or not version:
            raise TrialFailed(_reason(errors, process.returncode))
        return version

    def _started(self, handover: Handover) -> subprocess.Popen[bytes]:
        memory = handover.stored()
        try:
            self._process = process = subprocess.Popen(
                self._command,
                cwd=self._directory,
                env={**os.environ, VARIABLE: str(memory)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(memory, *handover.descriptors),
                start_new_session=True,
            )
        finally:
            os.close(memory)
        if self._is_stopping:
            process.kill()
        return process

    def _errors_of(self, process: subprocess.Popen[bytes]) -> bytes:
        """Return what a process has written when it has ended; raises `TrialFailed`."""
        with process:  # closes our end, which a worker of the trial may have as well
            try:
                return process.communicate(timeout=TRIAL_SECONDS)[1]
            except subprocess.TimeoutExpired:
                process.kill()
                raise TrialFailed(f"it did not start within {TRIAL_SECONDS:g} s") from None

    def kill(self) -> None:
        """End the process: the service stops."""
        self._is_stopping = True
        if self._process is not None:
            self._process.kill()


def _reason(errors: bytes, status: int) -> str:
    """Return the line that says most."""
    lines = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
    own = [one for one in lines if one.startswith(OWN_PREFIX) and WARNING_PREFIX not in one]
    if own:
        return own[-1].removeprefix(OWN_PREFIX)[:MAX_REASON_LENGTH]
    if lines:
        return lines[-1].strip()[:MAX_REASON_LENGTH]
    return f"it was ended by signal {-status}" if status < 0 else f"it ended with status {status}"


class TrialStart(Service):
    """Starts ``service`` up to its workers, tells the version, and ends the process."""

    def __init__(self, service: FTPService, handover: Handover, reactor: Any) -> None:
        self._service = service
        self._handover = handover
        self._reactor = reactor

    def privilegedStartService(self) -> None:
        """Bind what is not inherited."""
        self._service.parts.listeners.privilegedStartService()

    def startService(self) -> None:
        """Start the workers when the reactor runs."""
        super().startService()
        self._service.drop_privileges()
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        assert self._service.begin_workers is not None
        self._service.begin_workers().addCallback(self._started)

    def _started(self, _none: None) -> None:
        try:
            os.write(self._handover.answer, __version__.encode())
        finally:  # the service may have ended meanwhile
            self._reactor.stop()

    def stopService(self) -> Deferred[Any]:
        """End the workers."""
        super().stopService()

        async def stop() -> None:
            parts = self._service.parts
            await parts.listeners.stopService()
            await parts.factory.release_resources()

        return Deferred.fromCoroutine(stop())
