"""A real virus scanner: clamd with one signature, on a port and in a directory of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.ports import reserved_port
from tests.support.run_watcher import end_with_run
from tests.support.service_process import PATIENCE

__all__ = ["EICAR", "Clamd"]

PROGRAM = shutil.which("clamd") or "/usr/sbin/clamd"
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-" + b"FILE!$H+H*"
"""The harmless file that every scanner finds."""
LOOK_SECONDS = 0.05


class Clamd:
    """A running clamd; a context manager."""

    def __init__(self, directory: Path) -> None:
        database = directory / "database"
        database.mkdir(parents=True)
        signature = EICAR.hex()
        (database / "test.ndb").write_text(f"Eicar-Test:0:*:{signature}\n")
        self._reserved = ExitStack()
        self.port = self._reserved.enter_context(reserved_port())
        configuration = directory / "clamd.conf"
        configuration.write_text(
            f"DatabaseDirectory {database}\nTCPSocket {self.port}\nTCPAddr 127.0.0.1\n"
            f"Foreground yes\nTemporaryDirectory {directory}\n"
        )
        self._log = (directory / "clamd.log").open("wb")
        self._process = subprocess.Popen(
            [PROGRAM, "--config-file", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        end_with_run(self._process)

    def __enter__(self) -> Clamd:
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, "clamd has ended"
            assert time.monotonic() < deadline, "clamd does not answer"
            time.sleep(LOOK_SECONDS)
        return self

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as end:
                end.sendall(b"zPING\0")
                return end.recv(10) == b"PONG\0"
        except OSError:
            return False

    def __exit__(self, *_exception: object) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._log.close()
        self._reserved.close()
