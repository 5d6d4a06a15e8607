"""Runs a Python program with a recorder of its function calls, for ``benchmarks.steps``.

``python steps_counter.py MODE IN OUT PROGRAM [words]``: from then on the program runs as by
itself. On the descriptor IN come orders, one a line; each is answered by a line on OUT:

- ``rest``: let the timers that are due within `STEP` seconds run.
- ``go``: record what is called from now on, on every thread but the one that obeys.
- ``tail``: as ``rest``, and what the timers do is recorded.
- ``stop``: record no more; the answer is JSON with the calls.

The other answers are the number of the thread that obeys. It waits in ``read``, is no
`threading.Thread` and has no profile function. Nothing has one if MODE is ``silent``, for strace;
``stop`` then tells with true or false whether timers ran. The clock stands still from the first
order on: otherwise it is chance whether a timer runs during an operation, and everything seems
slow to the server.

With the word ``client`` for PROGRAM, and a URL, a number of runs and the server's process behind
it, this is a client that measures itself. It looks for events only when the server and its own
threads are at rest, so that what arrives together is always the same.

Standard library only, so that this module enters nothing of what is measured beforehand.
"""

from __future__ import annotations

import _thread
import contextlib
import gc
import json
import os
import runpy
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["Clock", "Recorder", "main", "settle"]

STEP = 0.1
"""Seconds that the reactor's clock goes on by at a time."""
QUIET = 0.1
"""Seconds without a call after which the client's operation is over."""

MOMENT = 0.002
PATIENCE = 30.0

Call = tuple[int, int, str, str, str]


def module_file(frame: FrameType) -> str:
    """Return where a frame's code is written; that of a dataclass's ``__init__`` is its module."""
    name = frame.f_code.co_filename
    if name.startswith("<") and not name.startswith("<frozen"):
        return str(frame.f_globals.get("__file__") or name)
    return name


def settle(*processes: int) -> None:
    """Wait until all threads but this one sleep, thrice in a row, and none ran in between."""
    deadline = time.monotonic() + PATIENCE
    quiet, seen = 0, _activity(processes)
    while quiet < 2:
        time.sleep(MOMENT)
        now = _activity(processes)
        quiet, seen = (quiet + 1 if now is not None and now == seen else 0), now
        if time.monotonic() > deadline:
            raise RuntimeError("a process is never at rest")


def _activity(processes: tuple[int, ...]) -> list[str] | None:
    """Return how often each thread was switched; None if one does not sleep."""
    own = str(threading.get_native_id())
    folders = [f"/proc/{process}/task" for process in processes]
    tasks = [(folder, name) for folder in folders for name in os.listdir(folder) if name != own]
    found = []
    for folder, name in sorted(tasks):
        status = _status(f"{folder}/{name}/status")
        if status and "State:\tS" not in status:
            return None
        found.append(name + status[status.find("voluntary_ctxt") :])
    return found


def _status(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
        return file.read()
    return ""


class Recorder:
    """Keeps thread, depth, function, its file and its caller's file of each call while it is on."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.is_on = False

    def install(self) -> None:
        """Have this thread and all that begin later be watched."""
        threading.setprofile(self._happened)
        sys.setprofile(self._happened)

    def _happened(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or not self.is_on or frame.f_code.co_filename == __file__:
            return
        before = frame.f_back
        depth, above = 0, before
        while above is not None:
            depth, above = depth + 1, above.f_back
        file = module_file(frame)
        caller = module_file(before) if before is not None else ""
        self.calls.append((_thread.get_ident(), depth, frame.f_code.co_qualname, file, caller))

    def start(self) -> None:
        """Begin anew."""
        self.calls = []
        self.is_on = True

    def stop(self) -> list[Call]:
        """Return what was called, in order; threads are numbered as they come."""
        self.is_on = False
        numbers: dict[int, int] = {}
        return [(numbers.setdefault(call[0], len(numbers)), *call[1:]) for call in self.calls]


class Clock:
    """`time.time` and the reactor's clock: true at first, later one that goes on when it is told.

    Otherwise what the recorder and `benchmarks.steps` take makes everything slow for the server.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.has_run = False
        """Whether timers ran at the last step."""
        self._recorder = recorder
        self._now: float | None = None
        self._true, self._counter = time.time, time.perf_counter
        self._then: bool | None = None
        """Whether the recorder is on when the reactor is awake; None: nothing was asked for."""

    def install(self) -> None:
        """Change the clock, before anybody imports its functions."""
        time.time = self._seconds
        time.perf_counter = self._elapsed

    def hold_reactor(self) -> None:
        """Have reactors wait for no timer, before there is one."""
        from twisted.internet.base import ReactorBase

        run, timeout = ReactorBase.runUntilCurrent, ReactorBase.timeout

        def run_until_current(reactor: Any) -> None:
            if self._then is not None:
                self._now = self._seconds() + STEP
                self.has_run = _is_due(reactor)
                self._recorder.is_on, self._then = self._then and self.has_run, None
            run(reactor)

        def timeout_of(reactor: Any) -> float | None:
            seconds = timeout(reactor)
            return None if seconds and self._now is not None else seconds

        ReactorBase.runUntilCurrent = run_until_current  # type: ignore[method-assign]
        ReactorBase.timeout = timeout_of  # type: ignore[method-assign]

    def _seconds(self) -> float:
        return self._true() if self._now is None else self._now

    def _elapsed(self) -> float:
        return self._counter() if self._now is None else self._now

    def advance(self, *, recorded: bool) -> None:
        """Go on by `STEP`; the reactor, which must be at rest, is woken unrecorded."""
        reactor = sys.modules.get("twisted.internet.reactor")
        if reactor is not None:
            self._recorder.is_on, self._then = False, recorded
            reactor.wakeUp()  # type: ignore[attr-defined]


def _is_due(reactor: Any) -> bool:
    """Return whether the reactor has a timer to run now."""
    now = reactor.seconds()
    calls = (*reactor._pendingTimedCalls, *reactor._newTimedCalls)
    return any(call.active() and call.getTime() <= now for call in calls)


def obey(recorder: Recorder, clock: Clock, silent: bool, orders: int, answers: int) -> None:
    """Do what comes on ``orders`` until it ends, and end the program then."""
    try:
        with os.fdopen(answers, "w", encoding="utf-8") as out:
            while order := os.read(orders, 100).decode().strip():
                print(json.dumps(_obeyed(recorder, clock, silent, order)), file=out, flush=True)
    finally:
        os._exit(1)  # whoever gave orders is gone, perhaps without a word


def _obeyed(recorder: Recorder, clock: Clock, silent: bool, order: str) -> Any:
    """Do what an order says, and return the answer."""
    if order == "go":
        recorder.start()
    elif order == "stop":
        return clock.has_run if silent else recorder.stop()
    else:
        clock.advance(recorded=order == "tail")
    return threading.get_native_id()


def poll_at_rest(recorder: Recorder, server: int) -> None:
    """Have the reactor look for events when all that may come has come."""
    from twisted.internet.epollreactor import EPollReactor

    poll = EPollReactor.doPoll

    def poll_later(reactor: Any, timeout: float | None) -> None:
        was_on, recorder.is_on = recorder.is_on, False
        settle(server, os.getpid())
        recorder.is_on = was_on
        poll(reactor, timeout)

    EPollReactor.doPoll = EPollReactor.doIteration = poll_later


def measure_client(recorder: Recorder, url: str, runs: int) -> None:
    """Move a file down and one up ``runs`` times each; print the calls of every run."""
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    from ftpservice_client import Settings, connect

    async def work(reactor: Any) -> None:
        client = await connect(url, reactor=reactor, settings=Settings(netrc=None))
        names: dict[str, Callable[[int], Any]] = {
            "client-download": lambda run: client.download("two", Path(f"down-{run}")),
            "client-upload": lambda run: client.upload(Path("two"), f"up-{run}"),
        }
        for name, move in names.items():
            for run in range(runs):
                recorder.start()
                await move(run)
                calls = await settled(reactor)
                print(json.dumps({"operation": name, "calls": calls}), flush=True)
        await client.quit()

    def settled(reactor: Any) -> Any:
        over: Any = Deferred()
        _thread.start_new_thread(wait, (reactor, over))
        return over

    def wait(reactor: Any, over: Any) -> None:
        seen = -1
        while seen != (seen := len(recorder.calls)):
            time.sleep(QUIET)
        reactor.callFromThread(over.callback, recorder.stop())

    react(lambda reactor: Deferred.fromCoroutine(work(reactor)))


def main() -> None:
    """Install the recorder and become the program."""
    mode, orders, answers, program, *words = sys.argv[1:]
    gc.disable()  # what it would call, and when, is chance
    recorder = Recorder()
    if mode == "calls":
        recorder.install()
    if program == "client":
        del sys.path[0]  # this directory has modules of common names
        poll_at_rest(recorder, int(words[2]))
        measure_client(recorder, words[0], int(words[1]))
        return
    clock = Clock(recorder)
    clock.install()
    if Path(program).name == "twistd":
        clock.hold_reactor()
    _thread.start_new_thread(obey, (recorder, clock, mode == "silent", int(orders), int(answers)))
    sys.argv = [program, *words]
    sys.path[0] = str(Path(program).parent)
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
