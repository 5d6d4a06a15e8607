"""A scripted server of the simple protocol on a network in memory, and a client of it."""

from twisted.internet.protocol import Protocol

from ftpservice_client import Destination, Scheme, Settings, connect
from ftpservice_client.testing.network import MemoryNetwork
from tests.support.scripted_server import outcome

__all__ = ["ScriptedSimpleServer"]

DEFAULT_REPLIES = {
    "": "OK ftpservice simple/1",
    "USER": "OK password",
    "PASS": "OK in",
    "QUIT": "OK bye",
}


class ScriptedSimpleConnection(Protocol):
    """One connection."""

    def __init__(self, server):
        self.server = server
        self.text = b""

    def connectionMade(self):
        self.say(self.server.replies[""])

    def say(self, what):
        if callable(what):
            what(self)
        elif isinstance(what, bytes):
            self.transport.write(what)
        elif what:
            self.transport.write(what.encode() + b"\n")

    def dataReceived(self, data):
        *lines, self.text = (self.text + data).split(b"\n")
        for line in lines:
            verb = line.decode("latin-1").partition(" ")[0]
            self.server.commands.append(line)
            if verb in self.server.replies:
                self.say(self.server.replies[verb])


class ScriptedSimpleServer:
    """Replies by verb (``""`` is the greeting); records the commands."""

    def __init__(self, **replies):
        self.replies = DEFAULT_REPLIES | replies
        self.commands = []
        self.connections = []
        self.network = MemoryNetwork()
        self.network.listen(self._accept, 1452)

    def _accept(self, _address):
        self.connections.append(ScriptedSimpleConnection(self))
        return self.connections[-1]

    def start(self, **settings):
        destination = Destination(Scheme.SIMPLE, "127.0.0.1", 1452, "ann", "secret")
        return connect(
            destination, reactor=self.network, settings=Settings(**({"netrc": None} | settings))
        )

    def client(self, **settings):
        client = outcome(self.start(**settings), self.network)
        assert not isinstance(client, BaseException), client
        return client
