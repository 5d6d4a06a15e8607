"""A server process: start, readiness, CPU time and memory, stop with all its descendants."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from benchmarks.processes import cpu_of, cpu_seconds, family, memory
from benchmarks.programs import KEEPER
from benchmarks.servers.recipe import Place, Start

__all__ = ["Running", "Unusable"]

TIMEOUT_SECONDS = 20.0
POLL_SECONDS = 0.02
SETTLE_SECONDS = 2.0


class Unusable(Exception):
    """The server failed; the text gives the reason."""


class Running:
    """A running server; raises `Unusable` if it sends no greeting."""

    def __init__(self, start: Start, place: Place) -> None:
        self.user = start.user
        self.simple = start.simple
        self.port = place.port
        self._meter = start.meter
        self._processes = 2
        self._log = place.work / "output.log"
        with self._log.open("w+b") as log:
            self._process = subprocess.Popen(
                [str(word) for word in (place.programs / KEEPER, *start.command)],
                cwd=place.work,
                env=os.environ | dict(start.environment),
                stdin=log,  # vsftpd writes errors to its standard input
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._greeted()
            time.sleep(POLL_SECONDS * 5)
            if self._process.poll() is not None:
                raise Unusable(f"the server exited: {self.complaint()}")
            self._processes = len(family(self._process.pid))
        except BaseException:
            self.stop()
            raise

    @property
    def cpu(self) -> float:
        """CPU seconds used so far, including ended session processes once they are reaped."""
        self._settle()
        return cpu_seconds(self._process.pid)

    @property
    def cpu_of_processes(self) -> dict[int, float]:
        """CPU seconds of each process that runs; first of the keeper, then of what it started."""
        return {number: cpu_of(number) for number in family(self._process.pid)}

    @property
    def memory(self) -> int:
        """Bytes of anonymous memory of all its processes."""
        return memory(self._process.pid)

    def stall(self) -> str:
        """Return the output of the stall meter and reset it."""
        if self._meter is None:
            raise Unusable("the server has no stall meter")
        self._meter.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not self._meter.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Unusable(f"no output from the stall meter: {self.complaint()}")
            time.sleep(POLL_SECONDS)
        return self._meter.read_text(encoding="utf-8")

    def complaint(self) -> str:
        """Return the last line of the server's output."""
        text = _read(self._log) or _read(self._log.with_name("twisted.log"))
        lines = text.strip().splitlines()
        return lines[-1][:200] if lines else "it says nothing"

    def stop(self) -> None:
        """Stop the server with all its child processes."""
        self._settle()
        if self._process.poll() is None:
            everyone = family(self._process.pid)
            self._process.terminate()
            try:
                self._process.wait(TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
            for number in everyone[1:]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
        self._process.wait()

    def _settle(self) -> None:
        """Wait until session processes have ended and are reaped by their parent."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while len(family(self._process.pid)) > self._processes and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def _greeted(self) -> None:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError):
                _greeting(self.port)
                return
            time.sleep(POLL_SECONDS)
        raise Unusable(f"the server did not start: {self.complaint()}")


def _greeting(port: int) -> None:
    """Read the greeting and disconnect; raises `OSError` if there is none."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as end:
        if not end.recv(4).startswith((b"220", b"OK ")):
            raise ConnectionError
        end.sendall(b"QUIT\r\n")
        while end.recv(4096):
            continue


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
