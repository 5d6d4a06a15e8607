"""The service as a process; ports are chosen by the system."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.run_watcher import end_with_run

__all__ = ["BUSY_SECONDS", "CHECKOUT", "PATIENCE", "Program", "checkout_environment"]

CHECKOUT = Path(__file__).parents[2]
PATIENCE = 30.0
"""Timeout in seconds."""
BUSY_SECONDS = 3.0
"""What a busy machine may add to a time that is asserted."""
URL = re.compile(r"ftp://\S+?:(\d+)/")


def checkout_environment() -> dict[str, str]:
    """Return an environment in which Python imports this checkout and its plugin."""
    paths = [str(CHECKOUT), str(CHECKOUT / "client")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


class Program:
    """A command that runs in a ``directory``, and the ``lines`` of its output.

    It is a context manager.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        directory: Path,
        environment: Mapping[str, str] | None = None,
        inherited: Sequence[int] = (),
    ) -> None:
        self.directory = directory
        self.lines: list[str] = []
        self._partial = b""
        self.process = subprocess.Popen(
            [str(word) for word in command],
            cwd=directory,
            env=checkout_environment() if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=inherited,
        )
        end_with_run(self.process)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def output(self) -> str:
        """The output so far."""
        return "\n".join(self.lines)

    def line(self, pattern: str) -> re.Match[str]:
        """Return the first match of ``pattern`` in the output; wait for it."""
        seen = 0
        deadline = time.monotonic() + PATIENCE
        while True:
            for text in self.lines[seen:]:
                if match := re.search(pattern, text):
                    return match
            seen = len(self.lines)
            assert self._read(deadline), f"no {pattern!r} in:\n{self.output}"

    def port(self) -> int:
        """Wait for the line with the URL; return its port."""
        return int(self.line(URL.pattern)[1])

    def stopped(self, number: int = signal.SIGINT) -> int:
        """Send a signal, read the remaining output, return the exit status."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Read the remaining output, return the exit status."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            continue
        return self.process.wait(PATIENCE)

    def _read(self, deadline: float) -> bool:
        assert self.process.stdout is not None
        number = self.process.stdout.fileno()
        ready, _, _ = select.select([number], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"timeout; output so far:\n{self.output}"
        data = os.read(number, 65536)
        *whole, self._partial = (self._partial + data).split(b"\n")
        self.lines += [line.decode("utf-8", "replace") for line in whole]
        return bool(data)
