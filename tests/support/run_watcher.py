"""Ends what a run of tests has started when the run itself is killed.

As a program it is the watcher: a process beside the run, to which the run names processes, mounts
and directories, a line of JSON each. When its standard input ends, as the run does, however that
ends, it kills the processes with all that they have started, unmounts, and removes the directories.

A worker of pytest-xdist whose main process is killed waits for its threads without end: the watcher
kills it after a moment.

PR_SET_PDEATHSIG would end a process with the *thread* that has started it, and unmounts nothing.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["end_with_run", "remove_with_run", "unmount_with_run", "watch_run"]

QUIT_SECONDS = 1.0
"""How long a process may take to end after the signal that it is given first."""
ORPHAN_SECONDS = 5.0
"""How long a worker of pytest-xdist may take to end after its main process."""
ROUNDS = 3
"""Looks for what was started while others were killed."""

P = TypeVar("P", bound="subprocess.Popen[Any]")


def end_with_run(process: P, first: int = signal.SIGKILL) -> P:
    """Have a process, and those that it starts, end with the run; returns it."""
    _tell(process=process.pid, signal=int(first))
    return process


def unmount_with_run(mountpoint: Path | str) -> None:
    """Have something that is mounted there be unmounted; what was named last comes first."""
    _tell(mount=str(mountpoint))


def remove_with_run(directory: Path) -> None:
    """Have a directory be removed."""
    _tell(directory=str(directory))


_watchers: dict[int, subprocess.Popen[bytes]] = {}
"""By the process that has started it: one that was forked has its own."""


def watch_run() -> subprocess.Popen[bytes]:
    """Start the watcher, unless there is one."""
    found, is_worker = _watchers.get(os.getpid()), "PYTEST_XDIST_WORKER" in os.environ
    if found is None or found.poll() is not None:
        run = [str(os.getpid()), str(os.getppid())] if is_worker else []
        found = subprocess.Popen(
            [sys.executable, "-S", "-E", __file__, *run],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            bufsize=0,
        )
        _watchers[os.getpid()] = found
        atexit.register(_end, found)
    return found


def _end(watcher: subprocess.Popen[bytes]) -> None:
    if watcher is _watchers.get(os.getpid()):
        assert watcher.stdin is not None
        watcher.stdin.close()
        watcher.wait()


def _tell(**facts: object) -> None:
    stream = watch_run().stdin
    assert stream is not None
    stream.write(json.dumps(facts).encode() + b"\n")


class Watcher:
    """What is to be ended. Processes are known by descriptors: numbers are used again."""

    def __init__(self) -> None:
        self._processes: dict[int, int] = {}
        """Descriptors by number."""
        self._first: dict[int, int] = {}
        """The signals that are sent before all are killed, by number."""
        self._mounts: list[str] = []
        self._directories: list[str] = []

    def run(self) -> None:
        """Take lines until there are no more, and end what is left then."""
        for line in sys.stdin.buffer:
            facts = json.loads(line)
            if "process" in facts:
                self._note(facts["process"])
                self._first[facts["process"]] = facts["signal"]
            self._mounts += [facts["mount"]] if "mount" in facts else []
            self._directories += [facts["directory"]] if "directory" in facts else []
            self._forget_ended()
        self._end_processes()
        mounted = Path("/proc/self/mounts").read_text()
        for place in reversed(self._mounts):
            if f" {place} " in mounted:
                subprocess.run(["umount", "--lazy", place], check=False)
        for place in self._directories:
            shutil.rmtree(place, ignore_errors=True)

    def _note(self, number: int) -> None:
        if number not in self._processes:
            with suppress(ProcessLookupError):
                self._processes[number] = os.pidfd_open(number)

    def _forget_ended(self) -> None:
        for number, descriptor in tuple(self._processes.items()):
            if _has_ended(descriptor, 0.0):
                os.close(descriptor)
                del self._processes[number]
                self._first.pop(number, None)

    def _note_children(self) -> None:
        """Note what the processes have started, and what that has."""
        self._forget_ended()
        known: set[int] = set()
        while new := self._processes.keys() - known:
            known |= new
            for number in new:
                for child in _children(number):
                    self._note(child)

    def _end_processes(self) -> None:
        self._note_children()
        gentle = {
            self._processes[number]: first
            for number, first in self._first.items()
            if number in self._processes and first != signal.SIGKILL
        }
        for descriptor, first in gentle.items():
            _send(descriptor, signal.SIGCONT)
            _send(descriptor, first)
        ends = time.monotonic() + QUIT_SECONDS
        for descriptor in gentle:
            _has_ended(descriptor, ends - time.monotonic())
        for _ in range(ROUNDS):
            self._note_children()
            for descriptor in self._processes.values():
                _send(descriptor, signal.SIGKILL)
            for descriptor in self._processes.values():
                _has_ended(descriptor, QUIT_SECONDS)


def _end_orphan(worker: int, main: int) -> None:
    """Kill a worker of pytest-xdist that goes on after its main process."""
    _has_ended(main, None)
    if not _has_ended(worker, ORPHAN_SECONDS):
        _send(worker, signal.SIGKILL)


def _send(descriptor: int, number: int) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, number)


def _has_ended(descriptor: int, seconds: float | None) -> bool:
    """Wait for the end of a process (None: however long); return whether it has ended."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if seconds is None else max(0.0, seconds) * 1000))


def _children(number: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{number}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    if sys.argv[1:]:
        worker_and_main = [os.pidfd_open(int(word)) for word in sys.argv[1:]]
        threading.Thread(target=_end_orphan, args=worker_and_main, daemon=True).start()
    Watcher().run()
