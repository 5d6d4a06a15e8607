"""Runs a Python program with a recorder of its function calls, for ``benchmarks.steps``.

``python steps_counter.py MODE IN OUT PROGRAM [arguments]`` runs the program, and obeys orders on
the descriptor IN, one per line. Each is answered by a line on OUT:

- ``rest``: run the timers that are due within `STEP` seconds.
- ``go``: start to record calls, on all threads except the one that obeys the orders.
- ``tail``: like ``rest``, with the calls of the timers recorded.
- ``stop``: stop recording; the answer is JSON with the calls.

The other answers are the number of the thread that obeys the orders. It waits in ``read``, is not a
`threading.Thread` and has no profile function. If MODE is ``silent``, for strace, no thread has
one; the answer to ``stop`` is then whether timers ran. The clock is stopped from the first order
on: otherwise it would be chance whether a timer runs during an operation, and the recorder would
make every operation seem slow to the server.

If PROGRAM is ``client``, followed by a URL, a number of runs and the process number of the server,
this process is a client that measures itself. It polls for events only while the server and its own
threads sleep, so that the same events always arrive together.

Standard library only, so that no measured module is imported beforehand.
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
from time import monotonic
from types import FrameType
from typing import Any

__all__ = ["Clock", "Recorder", "main", "settle"]

STEP = 0.1
"""Seconds by which the reactor's clock is advanced at a time."""
QUIET = 0.1
"""Seconds without a call after which an operation of the client has ended."""

POLL_SECONDS = 0.002
TIMEOUT_SECONDS = 30.0

Call = tuple[int, int, str, str, str]


def module_file(frame: FrameType) -> str:
    """Return the source file of a frame; for generated code of a dataclass, that of its module."""
    name = frame.f_code.co_filename
    if name.startswith("<") and not name.startswith("<frozen"):
        return str(frame.f_globals.get("__file__") or name)
    return name


def settle(*processes: int) -> None:
    """Wait until all other threads sleep, three times in a row, and none ran in between."""
    deadline = monotonic() + TIMEOUT_SECONDS
    quiet, seen = 0, _activity(processes)
    while quiet < 2:
        time.sleep(POLL_SECONDS)
        now = _activity(processes)
        quiet, seen = (quiet + 1 if now is not None and now == seen else 0), now
        if monotonic() > deadline:
            raise RuntimeError(f"the threads did not all sleep within {TIMEOUT_SECONDS:g} seconds")


def _activity(processes: tuple[int, ...]) -> list[str] | None:
    """Return the context switches of each thread; None if one does not sleep."""
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
    """Records thread, depth, function, its file and its caller's file of each call while on."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.is_on = False

    def install(self) -> None:
        """Set the profile function of this thread and of all later ones."""
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
        """Start a new recording."""
        self.calls = []
        self.is_on = True

    def stop(self) -> list[Call]:
        """Stop; return the calls in order. Threads are numbered by their first call."""
        self.is_on = False
        numbers: dict[int, int] = {}
        return [(numbers.setdefault(call[0], len(numbers)), *call[1:]) for call in self.calls]


class Clock:
    """The clocks of `time` and the reactor: real at first, later advanced only by orders.

    Otherwise the time of the recorder and of `benchmarks.steps` would make the server seem slow.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.has_run = False
        """Whether timers ran at the last step."""
        self._recorder = recorder
        self._now: float | None = None
        self._true, self._start = time.time, time.time() - time.monotonic()
        self._then: bool | None = None
        """Whether the recorder is on while the timers run; None: no order is pending."""

    def install(self) -> None:
        """Replace the clock, before other modules import its functions."""
        time.time = self._seconds
        time.perf_counter = time.monotonic = self._elapsed

    def hold_reactor(self) -> None:
        """Make reactors wait for events without a timeout; call it before there is a reactor."""
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
        return self._seconds() - self._start

    def advance(self, *, recorded: bool) -> None:
        """Advance by `STEP`; the reactor, which must be idle, is woken unrecorded."""
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
        os._exit(1)  # the process that gives orders has ended


def _obeyed(recorder: Recorder, clock: Clock, silent: bool, order: str) -> Any:
    """Obey an order; return the answer."""
    if order == "go":
        recorder.start()
    elif order == "stop":
        return clock.has_run if silent else recorder.stop()
    else:
        clock.advance(recorded=order == "tail")
    return threading.get_native_id()


def poll_at_rest(recorder: Recorder, server: int) -> None:
    """Make the reactor poll only while the server and the other threads sleep."""
    from twisted.internet.epollreactor import EPollReactor

    poll = EPollReactor.doPoll

    def poll_later(reactor: Any, timeout: float | None) -> None:
        was_on, recorder.is_on = recorder.is_on, False
        settle(server, os.getpid())
        recorder.is_on = was_on
        poll(reactor, timeout)

    EPollReactor.doPoll = EPollReactor.doIteration = poll_later


def measure_client(recorder: Recorder, url: str, runs: int) -> None:
    """Download and upload a file ``runs`` times each; print the calls of every run."""
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
    """Install the recorder and run the program."""
    mode, orders, answers, program, *words = sys.argv[1:]
    gc.disable()  # its calls would vary between runs
    recorder = Recorder()
    if mode == "calls":
        recorder.install()
    if program == "client":
        del sys.path[0]  # this directory has modules with common names
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
