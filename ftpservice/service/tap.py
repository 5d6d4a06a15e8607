"""What ``twistd ftpservice`` asks for; the only place that knows which reactor it is."""

from __future__ import annotations

import atexit
import fcntl
import gc
import os
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from twisted.application.service import IService
from twisted.python import usage

from ftpservice.service.assembly import assemble, owner_for
from ftpservice.service.log.setup import logs_for
from ftpservice.service.operator_console import console_for
from ftpservice.service.settings import options
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.signals import reload_on_sighup, reopen_on_sigusr1, stop_on_signals
from ftpservice.service.start_check import start_warnings

__all__ = ["Options", "freeze_gc", "makeService", "reserve_descriptor_table"]


class Options(options.ServiceOptions):
    """The options, for a person at a terminal: what is wrong is one line, then the end."""

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read the command line; exits with status 1 after one line if it is no good."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise SystemExit(f"ftpservice: {error}") from None
        if self["check"]:
            run_start_check(self)


def run_start_check(options: options.ServiceOptions) -> NoReturn:
    """Do what ``--check`` asks for: exits with status 0, or with 1 after one line."""
    from twisted.internet import reactor

    try:
        for line in start_warnings(options, reactor):
            sys.stderr.write(f"ftpservice: warning: {line}\n")
    except CannotStart as error:
        raise SystemExit(f"ftpservice: {error.line}") from None
    sys.stdout.write("ftpservice: the settings are good\n")
    raise SystemExit(0)


def makeService(options: options.ServiceOptions) -> IService:
    """Build the service that ``options`` describe; exits like `Options` if it cannot be."""
    from twisted.internet import reactor

    try:
        logs = logs_for(options.parent, options.settings.log_file, owner_for(options))
        console = console_for(options.parent, logs)
        service = assemble(options, reactor, console, logs)
    except CannotStart as error:
        raise SystemExit(f"ftpservice: {error.line}") from None
    if options.parent is not None:
        atexit.register(logs.close)
        reactor.callWhenRunning(logs.start)
        reactor.callWhenRunning(reopen_on_sigusr1, reactor, logs.reopen)
        reactor.callWhenRunning(stop_on_signals, reactor, service.hurry)
        reactor.callWhenRunning(reload_on_sighup, reactor, service.renew)
        reactor.callWhenRunning(freeze_gc)
        reactor.callWhenRunning(reserve_descriptor_table)
    return service


def freeze_gc() -> None:
    """Have the garbage collector pass over what is here to stay; its pauses become short."""
    gc.collect()
    gc.freeze()


def reserve_descriptor_table(most: int = 8192) -> None:
    """Let the kernel's table of our descriptors be large from the start.

    Linux lets it grow when it is full, and a process with threads waits for all processors then: up
    to 20 ms and more, in the middle of an ``accept``. It does not shrink again.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    last = most if limit == resource.RLIM_INFINITY else min(most, limit)
    with suppress(OSError), open(os.devnull, "rb") as file:
        os.close(fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, last - 1))
