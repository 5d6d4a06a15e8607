"""What ``twistd ftpservice`` asks for; the only place that knows which reactor it is."""

from __future__ import annotations

import gc
from collections.abc import Sequence

from twisted.application.service import IService
from twisted.python import usage

from ftpservice.service import options
from ftpservice.service.assembly import assemble
from ftpservice.service.console import console_for
from ftpservice.service.ending import renew_on_hangup, stop_on_signals
from ftpservice.service.failures import CannotStart

__all__ = ["Options", "makeService", "spare_the_collector"]


class Options(options.Options):
    """The options, for a person at a terminal: what is wrong is one line, then the end."""

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read the command line; exits with status 1 after one line if it is no good."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise SystemExit(f"ftpservice: {error}") from None


def makeService(options: options.Options) -> IService:
    """Build the service that ``options`` describe; exits like `Options` if it cannot be."""
    from twisted.internet import reactor

    console = console_for(options.parent)
    try:
        service = assemble(options, reactor, console)
    except CannotStart as error:
        raise SystemExit(f"ftpservice: {error.line}") from None
    if options.parent is not None:
        reactor.callWhenRunning(stop_on_signals, reactor, service.hurry)
        reactor.callWhenRunning(renew_on_hangup, reactor, service.renew)
        reactor.callWhenRunning(spare_the_collector)
    return service


def spare_the_collector() -> None:
    """Have the garbage collector pass over what is here to stay; its pauses become short."""
    gc.collect()
    gc.freeze()
