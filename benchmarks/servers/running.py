"""A server process: started, waited for, its use told, stopped with all its descendants."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

from benchmarks.processes import cpu_seconds, family, memory
from benchmarks.programs import KEEPER
from benchmarks.servers.recipe import Place, Start

__all__ = ["Running", "Unusable", "free_port"]

PATIENCE = 20.0
MOMENT = 0.02
SETTLING = 2.0
PORTS = range(20_000, 30_000)
"""Below those that the system gives to clients."""


class Unusable(Exception):
    """The server did not do its job; the text says how."""


def free_port() -> int:
    """Return a port on which nobody listens now."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as end, contextlib.suppress(OSError):
            end.bind(("127.0.0.1", port))
            return port


class Running:
    """A server that greets; raises `Unusable` if it does not."""

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
                stdin=log,  # where vsftpd complains
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._greeted()
            time.sleep(MOMENT * 5)
            if self._process.poll() is not None:
                raise Unusable(f"it does not stay: {self.complaint()}")
            self._processes = len(family(self._process.pid))
        except BaseException:
            self.stop()
            raise

    @property
    def cpu(self) -> float:
        """The CPU seconds used so far, sessions that have ended included once they are reaped."""
        self._settle()
        return cpu_seconds(self._process.pid)

    @property
    def memory(self) -> int:
        """The bytes of anonymous memory of all its processes."""
        return memory(self._process.pid)

    def stall(self) -> str:
        """Return what its meter says, which starts anew."""
        if self._meter is None:
            raise Unusable("it has no stall meter")
        self._meter.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + PATIENCE
        while not self._meter.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Unusable(f"its stall meter is silent: {self.complaint()}")
            time.sleep(MOMENT)
        return self._meter.read_text(encoding="utf-8")

    def complaint(self) -> str:
        """Return the last line that it wrote."""
        text = _read(self._log) or _read(self._log.with_name("twisted.log"))
        lines = text.strip().splitlines()
        return lines[-1][:200] if lines else "it says nothing"

    def stop(self) -> None:
        """End it and all that it started."""
        self._settle()
        if self._process.poll() is None:
            everyone = family(self._process.pid)
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
            for number in everyone[1:]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
        self._process.wait()

    def _settle(self) -> None:
        """Let the processes of sessions end, and be reaped by who started them."""
        deadline = time.monotonic() + SETTLING
        while len(family(self._process.pid)) > self._processes and time.monotonic() < deadline:
            time.sleep(MOMENT)

    def _greeted(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError):
                _greeting(self.port)
                return
            time.sleep(MOMENT)
        raise Unusable(f"it does not start: {self.complaint()}")


def _greeting(port: int) -> None:
    """Hear the greeting and leave; raises `OSError` if nobody greets."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as end:
        if not end.recv(4).startswith((b"220", b"OK ")):
            raise ConnectionError
        end.sendall(b"QUIT\r\n")
        while end.recv(4096):
            continue


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
