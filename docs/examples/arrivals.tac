"""The service, and a program that is run for each upload: ``twistd -ny docs/examples/arrivals.tac``.

``./arrived USER PATH`` is started when a file is whole and in its place; the client does not wait.
"""

from twisted.application import service
from twisted.internet import reactor
from twisted.internet.protocol import ProcessProtocol

from ftpservice.events import Event, Outcome, TransferEnded
from ftpservice.api import ServiceOptions, assemble


def run_arrived(event: Event) -> None:
    """Start the program; subscribers are called in the reactor's thread and must not block."""
    arrived = isinstance(event, TransferEnded) and event.upload
    if arrived and event.outcome is Outcome.COMPLETE:
        reactor.spawnProcess(ProcessProtocol(), "./arrived", ["arrived", event.user, event.path])


options = ServiceOptions()
options.parseOptions(["--listen", "tcp:2121:interface=127.0.0.1", "--auth", "passwd:passwd.db"])
ftp = assemble(options, reactor)
ftp.parts.factory.event_sink.events.subscribe(run_arrived)
application = service.Application("uploads that start a program")
ftp.setServiceParent(application)
