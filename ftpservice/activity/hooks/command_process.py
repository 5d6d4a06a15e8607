"""One run of a command: no shell, a process group of its own, a time limit, bounded output.

It blocks, so it runs in a thread. When its time is over, or it is stopped, the group gets TERM and
two seconds later KILL. When the command has ended, what it has left behind in its group is ended.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import IO

__all__ = ["CommandOutcome", "CommandProcess"]

MAX_OUTPUT_BYTES = 16 * 1024
"""Bytes of each of standard output and standard error that are kept."""
KILL_SECONDS = 2.0
"""Time between TERM and KILL."""
LOOK_SECONDS = 0.2
"""Time between two looks whether it is to be stopped."""
READ_SIZE = 64 * 1024


@dataclass(frozen=True)
class CommandOutcome:
    """How a command ended."""

    status: int
    """The exit status; negative: the number of a signal."""
    output: bytes
    errors: bytes
    is_timed_out: bool = False
    """Whether it was ended because of its time limit, or because it was stopped."""

    def reason(self) -> str:
        """Return how it failed, with the end of what it has said."""
        how = f"exit status {self.status}"
        if self.status < 0:
            how = f"signal {-self.status}"
        if self.is_timed_out:
            how = "ended by its time limit"
        text = (self.errors or self.output).decode("utf-8", "replace").strip()
        return f"{how}: {text[-1000:]}" if text else how


class CommandProcess:
    """A command, with ``given`` on its standard input; ``descriptor`` is left open for it."""

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        given: bytes,
        time_limit: float,
        descriptor: int | None = None,
    ) -> None:
        self._words = list(words)
        self._environment = dict(environment)
        self._given = given
        self._time_limit = time_limit
        self._descriptors = () if descriptor is None else (descriptor,)
        self._output: dict[str, bytearray] = {"output": bytearray(), "errors": bytearray()}
        self._is_stopped = False

    def stop(self) -> None:
        """End it soon; from any thread."""
        self._is_stopped = True

    def run(self) -> CommandOutcome:
        """Run it to its end (blocks); raises `OSError` if it cannot be started."""
        if self._is_stopped:
            return CommandOutcome(0, b"", b"stopped before it began", is_timed_out=True)
        deadline = time.monotonic() + self._time_limit
        process = subprocess.Popen(
            self._words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            cwd="/",
            start_new_session=True,
            pass_fds=self._descriptors,
            bufsize=0,
        )
        is_timed_out = False
        try:
            with ExitStack() as opened:
                pipes = (process.stdin, process.stdout, process.stderr)
                for pipe in pipes:
                    assert pipe is not None
                    opened.callback(pipe.close)
                    os.set_blocking(pipe.fileno(), False)
                is_timed_out = not self._talk(process, deadline)
                if is_timed_out:
                    _signal(process, signal.SIGTERM)
                    self._talk(process, time.monotonic() + KILL_SECONDS, may_stop=False)
                else:
                    self._read_rest(process)
        finally:
            _signal(process, signal.SIGKILL)
            status = process.wait()
        kept = {name: bytes(text) for name, text in self._output.items()}
        return CommandOutcome(status, **kept, is_timed_out=is_timed_out)

    def _talk(
        self, process: subprocess.Popen[bytes], deadline: float, may_stop: bool = True
    ) -> bool:
        """Write its input and read its output; return whether it has ended in time."""
        with ExitStack() as opened:
            ended = os.pidfd_open(process.pid)
            opened.callback(os.close, ended)
            selector = opened.enter_context(selectors.DefaultSelector())
            selector.register(ended, selectors.EVENT_READ, "ended")
            self._register(selector, process)
            while not (may_stop and self._is_stopped):
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                ready = [key for key, _events in selector.select(min(left, LOOK_SECONDS))]
                if any(key.data == "ended" for key in ready):
                    return True
                for key in ready:
                    self._move(selector, key)
            return False

    def _register(self, selector: selectors.BaseSelector, process: subprocess.Popen[bytes]) -> None:
        named = (("output", process.stdout), ("errors", process.stderr))
        for name, pipe in named:
            if pipe is not None and not pipe.closed:
                selector.register(pipe, selectors.EVENT_READ, name)
        if process.stdin is not None and not process.stdin.closed:
            selector.register(process.stdin, selectors.EVENT_WRITE, "given")

    def _move(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        """Move some bytes; a pipe that has ended is closed."""
        pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]
        if key.data == "given":
            with suppress(BlockingIOError):
                try:
                    self._given = self._given[os.write(pipe.fileno(), self._given) :]
                except BrokenPipeError:
                    self._given = b""  # it does not read its input
            if not self._given:
                selector.unregister(pipe)
                pipe.close()
        elif not self._read(key.data, pipe):
            selector.unregister(pipe)
            pipe.close()

    def _read(self, name: str, pipe: IO[bytes]) -> bool:
        """Read some bytes; return whether there may be more."""
        try:
            data = os.read(pipe.fileno(), READ_SIZE)
        except BlockingIOError:
            return True
        kept = self._output[name]
        kept += data[: MAX_OUTPUT_BYTES - len(kept)]
        return bool(data)

    def _read_rest(self, process: subprocess.Popen[bytes]) -> None:
        """Read what the pipes hold: the command has ended, but what it left behind may write."""
        for name, pipe in (("output", process.stdout), ("errors", process.stderr)):
            if pipe is not None and not pipe.closed:
                self._read(name, pipe)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to the group; the leader is not reaped, so the number is still its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
