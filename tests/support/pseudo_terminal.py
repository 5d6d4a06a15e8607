"""Runs the program on a pseudo-terminal, and the service as a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pexpect.fdpexpect import fdspawn

from tests.support.run_watcher import end_with_run
from tests.support.service_process import CHECKOUT, PATIENCE, Program, checkout_environment

__all__ = ["COMMAND", "ON_TERMINAL", "Terminal", "at_terminal", "environment", "service"]

COMMAND = (sys.executable, "-c", "from ftpservice_client.console.cli import main; main()")
ON_TERMINAL = (
    sys.executable,
    "-c",
    "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "from ftpservice_client.console.cli import main; main()",
)
"""`COMMAND`, with its standard input as the controlling terminal (for Ctrl-C)."""
SERVE = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[a-zA-Z]|[=>]|\][^\x07]*\x07)")
UNFINISHED = re.compile(r"\x1b(?:\[[0-9;?]*|\][^\x07]*)?$")


@contextmanager
def service(directory: Path, *words: str) -> Iterator[tuple[Program, int]]:
    """Run a service of ``directory / "files"`` for the account demo; yield it and its port."""
    (directory / "files").mkdir(exist_ok=True)
    command = [
        *(sys.executable, "-c", SERVE, "--nodaemon", "--pidfile=", "ftpservice", "--allow-root"),
        "--listen=tcp:0:interface=127.0.0.1",
        f"--root={directory / 'files'}",
        f"--auth=passwd:{CHECKOUT / 'passwd.db'}",
        f"--data-dir={directory / 'data'}",
        *words,
    ]
    with Program(command, directory) as running:
        yield running, running.port()


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a user whose home is ``home``; nothing of the tester's leaks in."""
    variables = {
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "TERM": "xterm",
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }
    kept = {name: text for name, text in checkout_environment().items() if name != "NO_COLOR"}
    return kept | variables


class Text(fdspawn):
    """The output of a terminal without escape sequences."""

    _unfinished = ""

    def read_nonblocking(self, size: int = 1, timeout: float | None = -1) -> str:
        text = self._unfinished + super().read_nonblocking(size, timeout)
        start = UNFINISHED.search(text)
        end = len(text) if start is None else start.start()
        self._unfinished = text[end:]
        return ESCAPES.sub("", text[:end])


class Terminal:
    """A terminal with the program: keys to type, output to wait for."""

    def __init__(self, number: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._side = Text(number, timeout=PATIENCE, encoding="utf-8", codec_errors="replace")

    def expect(self, pattern: str) -> str:
        """Wait for ``pattern``; return the output before it."""
        self._side.expect(pattern)
        return str(self._side.before)

    def type(self, text: str) -> None:
        """Type keys."""
        self._side.send(text)

    def enter(self, line: str) -> None:
        """Type a line and Enter."""
        self.type(f"{line}\r")

    def wait(self) -> int:
        """Wait for the program to exit; return its status."""
        return self.process.wait(PATIENCE)


@contextmanager
def at_terminal(
    words: Sequence[str], directory: Path, variables: Mapping[str, str]
) -> Iterator[Terminal]:
    """Run the program with ``words`` on a terminal of 100 columns and 30 lines."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(ours, (30, 100))
    process = subprocess.Popen(
        [*ON_TERMINAL, *words],
        cwd=directory,
        env=dict(variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    end_with_run(process)
    os.close(theirs)
    try:
        yield Terminal(ours, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        os.close(ours)
