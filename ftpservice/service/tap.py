"""The ``twistd`` plugin: options and service, with the reactor of the process."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Sequence
from getopt import GetoptError
from typing import Any, NoReturn, cast

from twisted.application.service import IService
from twisted.python import usage

from ftpservice.concurrency.steady_clock import use_steady_clock
from ftpservice.service.assembly import assemble
from ftpservice.service.cluster.cluster_setup import refuse_unusable_database
from ftpservice.service.log.setup import logs_for
from ftpservice.service.operator_console import console_for
from ftpservice.service.privileges import Privileges, owner_for
from ftpservice.service.process_memory import (
    freeze_gc,
    limit_malloc,
    reserve_descriptor_table,
    trim_malloc,
)
from ftpservice.service.settings import options
from ftpservice.service.settings.errors import CannotStart, WrongCommandLine
from ftpservice.service.settings.options import UnexpectedArgument
from ftpservice.service.signals import (
    accept_signals,
    reload_on_sighup,
    reopen_on_sigusr1,
    stop_on_signals,
)
from ftpservice.service.start_check import start_warnings
from ftpservice.service.upgrade_trial import TrialStart
from ftpservice.workers.handover import Handover

__all__ = ["Options", "installed_reactor", "makeService"]


class Options(options.ServiceOptions):
    """The options of ``twistd ftpservice``: an error ends the process with one line."""

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line; exits with status 1 and one line on an error."""
        handover = self.handover = Handover.taken()
        if handover is not None and self.parent is not None:
            handover.apply_to(self.parent)
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            is_unknown = isinstance(error, UnexpectedArgument) or isinstance(
                error.__context__, GetoptError
            )
            ends = WrongCommandLine if is_unknown else SystemExit
            raise ends(f"ftpservice: {error}") from None
        if self["check"]:
            run_start_check(self)


def installed_reactor() -> Any:
    """Return the reactor of this process, whose timers do not depend on the time of day."""
    from twisted.internet import reactor

    use_steady_clock(reactor)
    return reactor


def run_start_check(options: options.ServiceOptions) -> NoReturn:
    """Run ``--check``: exits with status 0, or with status 1 and one line."""
    try:
        for line in start_warnings(options, installed_reactor()):
            sys.stderr.write(f"ftpservice: warning: {line}\n")
    except CannotStart as error:
        raise SystemExit(f"ftpservice: {error.line}") from None
    sys.stdout.write("ftpservice: the settings are valid\n")
    raise SystemExit(0)


def makeService(options: options.ServiceOptions) -> IService:
    """Build the service for ``options``; exits with status 1 and one line on an error."""
    reactor = installed_reactor()
    limit_malloc()
    try:
        if options.parent is not None:
            Privileges(options, str).refuse_root()
        settings, owner = options.settings, owner_for(options)
        if options.handover is not None and options.handover.is_trial:
            return _trial(options, reactor)
        logs = logs_for(options.parent, settings.log_file, owner, settings.is_json_log)
        console = console_for(options.parent, logs)
        service = assemble(options, reactor, console, logs)
    except CannotStart as error:
        raise SystemExit(f"ftpservice: {error.line}") from None
    if options.parent is not None:
        privileges = Privileges(options, lambda line: console.write_lines([line]))
        service.drop_privileges = privileges.drop
        # What twistd would do leaves groups of root in some cases, and is not checked.
        options.parent["uid"] = options.parent["gid"] = None
        atexit.register(logs.close)
        reactor.callWhenRunning(logs.start)
        reactor.callWhenRunning(reopen_on_sigusr1, reactor, service.reopen_steps)
        requested = service.stop_requested
        reactor.callWhenRunning(stop_on_signals, reactor, service.skip_grace, requested)
        reactor.callWhenRunning(reload_on_sighup, reactor, service.reload)
        if options.handover is not None:
            reactor.callWhenRunning(accept_signals)
            reactor.callWhenRunning(options.parent.update, options.handover.program)
        reactor.callWhenRunning(freeze_gc)
        reactor.callWhenRunning(reserve_descriptor_table)
        reactor.callWhenRunning(trim_malloc, reactor)
    return service


def _trial(options: options.ServiceOptions, reactor: Any) -> IService:
    """Return what tries whether the service would start."""
    handover = options.handover
    assert handover is not None
    console = console_for(options.parent)
    service = assemble(options, reactor, console)
    refuse_unusable_database(options.settings)
    if service.begin_workers is None:
        raise CannotStart("--workers 1: an upgrade needs 2 or more; restart the service instead")
    privileges = Privileges(options, bool)
    service.drop_privileges = privileges.drop
    cast(dict[str, Any], options.parent).update(uid=None, gid=None)
    return TrialStart(service, handover, reactor)
