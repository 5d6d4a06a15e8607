"""Begins a worker process; its only argument is the descriptor of its channel.

What takes long to import comes after the signals are ignored and the main process is watched.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import Any

from ftpservice.workers.process.start_watch import StartWatch

__all__ = ["main"]

SIGNALS_OF_MAIN = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""The main process gets them and tells its workers; a service manager may send them to all."""


def _forget(_event: object) -> None:
    """Drop what is logged before the main process can get it: it has said the same."""


def main() -> None:
    """Serve until the main process says that it is enough, or is gone."""
    for number in SIGNALS_OF_MAIN:
        signal.signal(number, signal.SIG_IGN)
    own = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(own.fileno(), False)
    own.setblocking(False)
    watch = StartWatch(own)
    from twisted.internet import reactor
    from twisted.logger import globalLogBeginner

    from ftpservice.concurrency.steady_clock import use_steady_clock
    from ftpservice.workers.process.worker_process import WorkerProcess

    serving: Any = reactor
    observer: Any = _forget
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    use_steady_clock(serving)
    process = WorkerProcess(serving)
    process.begun = watch.stop
    process.connect(own)
    serving.run(installSignalHandlers=False)


if __name__ == "__main__":
    main()
