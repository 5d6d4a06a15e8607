"""The service as a process: started, asked, killed, stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.processes import family
from benchmarks.soak.census import is_worker
from benchmarks.soak.installation import Installation

__all__ = ["NotAnswered", "SoakService"]

START_SECONDS = 60.0
STOP_SECONDS = 60.0
ANSWER_SECONDS = 20.0
POLL_SECONDS = 0.05
BANNER = b" is serving\n"
"""Printed when all workers accept connections."""
TWISTD = Path(sys.executable).parent / "twistd"


class NotAnswered(Exception):
    """The control socket gave no result; the text is its error, if there is one."""


class SoakService:
    """The service of an installation."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._output = installation.folder
        self._process: subprocess.Popen[bytes] | None = None
        self.runs = False
        """Whether it has started, and can be sent signals; one that starts would end by them."""

    @property
    def pid(self) -> int:
        """The first process."""
        assert self._process is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the first process has ended."""
        return self._process is None or self._process.poll() is not None

    @property
    def workers(self) -> list[int]:
        """The worker processes."""
        return [pid for pid in family(self.pid) if is_worker(pid)]

    def start(self) -> None:
        """Start it, and wait until it answers; raises `RuntimeError` if it does not."""
        command = [
            str(TWISTD), "--nodaemon", "--pidfile=", "ftpservice", "--allow-root",
            f"--config={self._installation.settings_file}",
        ]  # fmt: skip
        self._output = self._installation.folder / f"output.{time.time_ns()}.log"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=self._installation.folder,
                env=self._installation.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._wait_until_ready()
        self.runs = True

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        with self._installation.normal_time():
            while not self._is_ready():
                if self.has_ended or time.monotonic() > deadline:
                    raise RuntimeError(f"the service does not start: {self._last_output()}")
                time.sleep(POLL_SECONDS)

    def _is_ready(self) -> bool:
        try:
            self.request("who")
        except (NotAnswered, OSError):
            return False
        return BANNER in self._output.read_bytes() and self._greets()

    def _greets(self) -> bool:
        try:
            address = ("127.0.0.1", self._installation.ports["listen"])
            with socket.create_connection(address, ANSWER_SECONDS) as end:
                return end.recv(4).startswith(b"220")
        except OSError:
            return False

    def request(self, command: str, **parameters: Any) -> Any:
        """Ask on the control socket; raises `NotAnswered` and `OSError`."""
        line = json.dumps({"command": command, **parameters}).encode() + b"\n"
        with socket.socket(socket.AF_UNIX) as end:
            end.settimeout(ANSWER_SECONDS)
            end.connect(str(self._installation.data / "control.sock"))
            end.sendall(line)
            with end.makefile("rb") as file:
                answer = file.readline()
        if not answer:
            raise NotAnswered("closed")
        found = json.loads(answer)
        if not found["ok"]:
            raise NotAnswered(str(found["error"]))
        return found["result"]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the first process."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the first process; its workers have to end by themselves."""
        assert self._process is not None
        self.runs = False
        everyone = family(self.pid)
        self._process.kill()
        self._process.wait()
        _require_end(everyone[1:])

    def stop(self) -> int:
        """Stop it; return the exit status. Raises `RuntimeError` if a process stays."""
        assert self._process is not None
        everyone = family(self.pid)
        self._process.terminate()
        try:
            status = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"the service has not stopped after {STOP_SECONDS:g} s") from None
        _require_end(everyone[1:])
        return status

    def discard(self) -> None:
        """End it in any case."""
        if self._process is None:
            return
        everyone = family(self.pid)
        self._process.kill()
        self._process.wait()
        for pid in everyone[1:]:
            if is_worker(pid):
                os.kill(pid, signal.SIGKILL)

    def _last_output(self) -> str:
        lines = self._output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it says nothing"


def _require_end(processes: list[int]) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while left := [pid for pid in processes if is_worker(pid)]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"worker processes stay without the service: {left}")
        time.sleep(POLL_SECONDS)
