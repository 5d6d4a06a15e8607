"""The whole service with two workers, in a program without twistd: ``python embed_workers.py``."""

import sys

from twisted.internet import reactor
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver

from ftpservice.api import ServiceOptions, assemble
from ftpservice.events import TransferEnded

log = Logger("uploads")


def ended(event: TransferEnded) -> None:
    """Called in this process, whichever worker has the session."""
    log.info("{e.user} {e.path} {e.outcome}", e=event)


def main() -> None:
    """An error of the settings ends the program with one line (`CannotStart`)."""
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    options = ServiceOptions()
    options.parseOptions(["--listen", "tcp:2121", "--auth", "passwd:passwd.db", "--workers", "2"])
    ftp = assemble(options, reactor)
    ftp.parts.factory.event_sink.events.subscribe(ended, TransferEnded)
    ftp.startService()
    reactor.addSystemEventTrigger("before", "shutdown", ftp.stopService)
    reactor.run()


if __name__ == "__main__":
    main()
