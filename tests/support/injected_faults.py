"""``python -m tests.support.injected_faults FAULT ...``: the service with an injected fault.

Its log goes to the file ``log``. The faults:

- ``none``
- ``held``: `os.rename` blocks until the file ``go-on`` exists.
- ``dies:FUNCTION:NUMBER:before`` (or ``after``): the process kills itself at that call of ``os``.
- ``limited:BYTES``: the maximum size of a file (RLIMIT_FSIZE).
"""

from __future__ import annotations

import itertools
import os
import resource
import signal
import sys
import time
from typing import Any

from twisted.scripts.twistd import ServerOptions, runApp

__all__: list[str] = []


def held() -> None:
    """Make `os.rename` wait for the file ``go-on``."""
    rename = os.rename

    def waiting(*words: Any, **more: Any) -> None:
        os.write(1, b"renaming\n")
        while not os.path.exists("go-on"):
            time.sleep(0.002)
        rename(*words, **more)

    os.rename = waiting


def dies(function: str, number: str, moment: str) -> None:
    """Kill the process before or after the call with that number of a function of ``os``."""
    real, calls = getattr(os, function), itertools.count(1)

    def dying(*words: Any, **more: Any) -> Any:
        last = next(calls) == int(number)
        if last and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*words, **more)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(os, function, dying)


def limited(size: str) -> None:
    """Limit the size of files."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))


def inject(fault: str) -> None:
    """Install a fault."""
    name, *words = fault.split(":")
    if name != "none":
        {"held": held, "dies": dies, "limited": limited}[name](*words)


if __name__ == "__main__":
    inject(sys.argv.pop(1))
    program = ServerOptions()  # type: ignore[attr-defined]
    program.parseOptions(
        ["--nodaemon", "--pidfile=", "--logfile=log", "ftpservice", "--allow-root", *sys.argv[1:]]
    )
    runApp(program)
