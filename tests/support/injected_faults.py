"""``python -m tests.support.injected_faults FAULT ...``: the service, on a system that misbehaves.

Its log goes to the file ``log``. The faults:

- ``none``
- ``held``: renaming a file takes until the file ``go-on`` is there;
- ``dies:FUNCTION:NUMBER:before`` (or ``after``): the process kills itself at that call of ``os``.
- ``limited:BYTES``: no file may become larger.
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
    """Have renaming wait."""
    rename = os.rename

    def waiting(*words: Any, **more: Any) -> None:
        os.write(1, b"renaming\n")
        while not os.path.exists("go-on"):
            time.sleep(0.002)
        rename(*words, **more)

    os.rename = waiting


def dies(function: str, number: str, moment: str) -> None:
    """Have the process die before or after the so many-th call of a function of ``os``."""
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
    """Have the kernel refuse larger files."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))


def inject(fault: str) -> None:
    """Have the system misbehave."""
    name, *words = fault.split(":")
    if name != "none":
        {"held": held, "dies": dies, "limited": limited}[name](*words)


if __name__ == "__main__":
    inject(sys.argv.pop(1))
    program = ServerOptions()  # type: ignore[attr-defined]
    program.parseOptions(["--nodaemon", "--pidfile=", "--logfile=log", "ftpservice", *sys.argv[1:]])
    runApp(program)
