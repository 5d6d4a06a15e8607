"""A worker that starts is ended when its main process is gone, and by no signal."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service_process import PATIENCE, checkout_environment

BUSY = "import threading\nprint('imported', flush=True)\nthreading.Event().wait()\n"
"""Code that is imported without end."""
WATCH = """
import socket, sys, threading
from ftpservice.workers.process.start_watch import StartWatch
watch = StartWatch(socket.socket(fileno=int(sys.argv[1])))
{}
print('imported', flush=True)
sys.stdin.read()
print('served', flush=True)
"""


class Starting:
    """A process that starts, and our end of its channel."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self.own, other = socket.socketpair()
        with other:
            self.process = subprocess.Popen(
                [sys.executable, *words, str(other.fileno())],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[other.fileno()],
                text=True,
            )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "imported\n"

    def end(self) -> None:
        self.own.close()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Starting]:
    """A worker that takes long to import what it needs."""
    package = tmp_path / "twisted"
    package.mkdir()
    (package / "__init__.py").write_text(BUSY)
    environment = checkout_environment()
    environment["PYTHONPATH"] = os.pathsep.join((str(tmp_path), environment["PYTHONPATH"]))
    starting = Starting(["-P", "-m", "ftpservice.workers.process"], environment)
    yield starting
    starting.end()


def test_a_worker_that_starts_ends_with_its_main_process(worker: Starting) -> None:
    """It does not keep the ports that it has inherited."""
    worker.own.sendall(b"what it will read later")
    worker.own.close()
    assert worker.process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]
)
def test_signals_for_the_main_process_do_not_end_a_worker_that_starts(
    worker: Starting, number: int
) -> None:
    worker.process.send_signal(number)
    worker.own.close()
    assert worker.process.wait(PATIENCE) == 0, "it was not the signal"


def test_one_that_has_begun_is_not_ended() -> None:
    starting = Starting(["-c", WATCH.format("watch.stop()")], checkout_environment())
    starting.own.close()
    output, _ = starting.process.communicate(timeout=PATIENCE)
    assert output == "served\n"
    assert starting.process.returncode == 0
