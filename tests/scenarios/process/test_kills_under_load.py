"""Workers and the main process are killed while 20 sessions upload: what was confirmed is there."""

from __future__ import annotations

import ftplib
import io
import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.process.test_workers import is_refused
from tests.support.service_process import PATIENCE, Program
from tests.support.worker_service import (
    FAST_HASH,
    LOOPBACK,
    SERVE,
    ask,
    children,
    is_alive,
    login,
    wait_for,
)

SESSIONS, MOST_SESSIONS = 20, 25
MOST_BYTES = 100_000
GRACE = 5
NEXT_FILES = 40
"""Uploads that are confirmed before the next kill."""


class Load:
    """Sessions that upload small files, each until `stop`; a lost one logs in again."""

    def __init__(self, port: int) -> None:
        self.confirmed: dict[str, bytes] = {}
        self._port = port
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(one,)) for one in range(SESSIONS)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def wait_for_more(self) -> None:
        """Wait until further uploads are confirmed."""
        wanted = len(self.confirmed) + NEXT_FILES
        wait_for(lambda: len(self.confirmed) >= wanted, "no uploads are confirmed")

    def stop(self) -> None:
        """End the sessions, each after its file."""
        self._ends.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE)

    def _run(self, number: int) -> None:
        files = self._files(number)
        while not self._ends.is_set():
            with suppress(OSError, EOFError, ftplib.Error), closing(login(self._port)) as client:
                while not self._ends.is_set():
                    name, content = next(files)
                    client.storbinary(f"STOR {name}", io.BytesIO(content))
                    self.confirmed[name] = content
            self._ends.wait(0.01)

    @staticmethod
    def _files(number: int) -> Iterator[tuple[str, bytes]]:
        chance = random.Random(number)
        while True:
            content = chance.randbytes(chance.randrange(MOST_BYTES))
            yield f"{number}-{chance.randrange(10**12)}", content


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Program]:
    account = f"demo:{FAST_HASH}:/demo:full,admin:quota=1G\n"
    (tmp_path / "accounts").write_text(account)
    words = [*SERVE, LOOPBACK, "--auth=passwd:accounts", f"--grace={GRACE}"]
    with Program([*words, f"--max-sessions-per-user={MOST_SESSIONS}"], tmp_path) as served:
        served.port()
        (tmp_path / "var" / "files" / "demo").mkdir(parents=True, exist_ok=True)
        yield served


def assert_all_there(load: Load, directory: Path) -> None:
    for name, content in load.confirmed.items():
        assert (directory / "var" / "files" / "demo" / name).read_bytes() == content, name


def stored_bytes(directory: Path) -> int:
    """Return the size of all files, partial uploads included."""
    return sum(one.stat().st_size for one in (directory / "var/files/demo").rglob("*"))


def usage(directory: Path, **words: Any) -> int:
    found: int = ask(directory, "quota", user="demo", **words)["bytes"]
    return found


def test_killed_workers_under_load(running: Program, tmp_path: Path) -> None:
    """Files are there, and sessions, places and the quota are counted as they are."""
    with Load(running.port()) as load:
        for _ in range(3):
            load.wait_for_more()
            kill_a_worker(running)
            load.wait_for_more()
    assert_all_there(load, tmp_path)
    wait_for(lambda: ask(tmp_path, "who") == [], "sessions are shown that have ended")
    assert_places(running)
    wait_for(lambda: ask(tmp_path, "who") == [])
    assert usage(tmp_path, recount=True) == stored_bytes(tmp_path)
    assert running.stopped(signal.SIGTERM) == 0
    assert "Traceback" not in running.output


def kill_a_worker(running: Program) -> None:
    """Kill a worker, and wait for another one."""
    victim = children(running.process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: victim not in children(running.process.pid))
    wait_for(lambda: len(children(running.process.pid)) == 2, "no worker has taken its place")


def assert_places(running: Program) -> None:
    """As many sessions as the limit says are accepted, and none more."""
    with ExitStack() as stack:
        for _ in range(MOST_SESSIONS):
            stack.enter_context(closing(login(running.port())))
        with pytest.raises(ftplib.error_temp, match="421"):
            login(running.port())


def test_a_killed_main_process_under_load(running: Program, tmp_path: Path) -> None:
    """Nothing listens or runs any more, soon after the grace period at the latest."""
    port = running.port()
    with Load(port) as load:
        load.wait_for_more()
        workers = children(running.process.pid)
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait(PATIENCE)
        wait_for(lambda: is_refused(port), "the port is still open")
        load.stop()
        wait_for(lambda: not any(map(is_alive, workers)), "a worker is left")
    assert_all_there(load, tmp_path)
