"""Processes that use a shared table, each with a column of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from types import TracebackType

from ftpservice.concurrency.shared_table import SharedTable
from tests.support.service_process import PATIENCE

__all__ = ["TableProcess"]

TOP = Path(__file__).parents[2]
PROLOGUE = """
import sys
from ftpservice.concurrency import table_lock
from ftpservice.concurrency.shared_table import SharedTable
table_lock.LOCK_SECONDS = 30.0  # who has a lock may wait long for a busy processor
table = SharedTable.attach(int(sys.argv[1]), int(sys.argv[2]))
def say(text):
    sys.stdout.write(f"{text}\\n")
    sys.stdout.flush()
"""


class TableProcess:
    """A process that runs ``code`` with ``table`` and ``say``; killed at the end of ``with``."""

    def __init__(self, table: SharedTable, code: str) -> None:
        self.column = table.claim_column()
        descriptor = table.descriptor
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                PROLOGUE + textwrap.dedent(code),
                str(descriptor),
                str(self.column),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[descriptor],
            env={**os.environ, "PYTHONPATH": f"{TOP}{os.pathsep}{TOP / 'client'}"},
            text=True,
        )

    def line(self) -> str:
        """Return the next line that the process says; fails at its end, or after a while."""
        assert self.process.stdout is not None
        too_late = threading.Timer(2 * PATIENCE, self.process.kill)
        too_late.start()
        try:
            line = self.process.stdout.readline()
        finally:
            too_late.cancel()
        assert line, "the process has ended, or says nothing"
        return line.strip()

    def tell(self, line: str) -> None:
        """Send a line to the process."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """Kill the process (SIGKILL), and wait for its end."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> TableProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
