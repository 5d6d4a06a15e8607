"""Begins a worker process; its only argument is the descriptor of its channel."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import Any

from twisted.logger import ILogObserver, LogEvent, globalLogBeginner
from zope.interface import provider

from ftpservice.concurrency.steady_clock import use_steady_clock
from ftpservice.workers.process.worker_process import WorkerProcess

__all__ = ["main"]

SIGNALS_OF_MAIN = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""The main process gets them and tells its workers; a service manager may send them to all."""


@provider(ILogObserver)
def _forget(_event: LogEvent) -> None:
    """Drop what is logged before the main process can get it: it has said the same."""


def main() -> None:
    """Serve until the main process says that it is enough, or is gone."""
    for number in SIGNALS_OF_MAIN:
        signal.signal(number, signal.SIG_IGN)
    globalLogBeginner.beginLoggingTo([_forget], redirectStandardIO=False)
    own = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(own.fileno(), False)
    own.setblocking(False)
    from twisted.internet import reactor

    serving: Any = reactor
    use_steady_clock(serving)
    WorkerProcess(serving).connect(own)
    serving.run(installSignalHandlers=False)


if __name__ == "__main__":
    main()
