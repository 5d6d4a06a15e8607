"""``python -m tests.faults.injected FAULT serve ...``: the service, on a system that misbehaves.

It says what it meets on its standard output. The faults:

- ``none``
- ``held``: renaming a file takes until the file ``go-on`` is there;
- ``dies:FUNCTION:before`` (or ``after``): the process kills itself at that call of the storage.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from ftpservice.service.main import main

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


def dies(function: str, moment: str) -> None:
    """Have the process die before or after it calls a function of ``os``, once logged in."""
    real = getattr(os, function)

    def dying(*words: Any, **more: Any) -> Any:
        if moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        real(*words, **more)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(os, function, dying)


def inject(fault: str) -> None:
    """Have the system misbehave."""
    name, *words = fault.split(":")
    if name != "none":
        {"held": held, "dies": dies}[name](*words)


if __name__ == "__main__":
    inject(sys.argv.pop(1))
    main()
