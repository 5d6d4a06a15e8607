"""A scripted FTP server on a network in memory, and a client of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from ftpservice_client import Client, Destination, Scheme, Settings, connect
from ftpservice_client.testing.network import MemoryNetwork

__all__ = ["DEFAULT_REPLIES", "ScriptedServer", "outcome"]

ScriptedReply = str | bytes | Callable[["ScriptedConnection", str], object]
DEFAULT_REPLIES: dict[str, ScriptedReply] = {
    "": "220 hello",
    "USER": "331 password",
    "PASS": "230 in",
    "TYPE": "200 ok",
    "FEAT": "211-can\r\n MLST type*;size*;\r\n SIZE\r\n211 end",
    "PWD": '257 "/" here',
    "QUIT": "221 bye",
    "SIZE": "550 no",
}


class ScriptedConnection(Protocol):
    """One control connection."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self._text = b""

    def connectionMade(self) -> None:
        self.say(self.server.replies[""], "")

    def say(self, what: ScriptedReply, line: str) -> None:
        if callable(what):
            what(self, line)
        elif isinstance(what, bytes):
            self.transport.write(what)
        elif what:
            self.transport.write(f"{what}\r\n".encode())

    def dataReceived(self, data: bytes) -> None:
        *lines, self._text = (self._text + data).split(b"\r\n")
        for line in lines:
            text = line.decode()
            self.server.commands.append(text)
            verb = text.partition(" ")[0]
            if verb == "EPSV" and "EPSV" not in self.server.replies:
                self.say(f"229 ok (|||{self.server.open_port()}|)", text)
            else:
                self.say(self.server.replies.get(verb, "500 what?"), text)


class ScriptedDataConnection(Protocol):
    """One data connection: sends ``data`` of the server and closes, if ``ends_data`` is set."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.received = b""

    def connectionMade(self) -> None:
        self.server.data_connections.append(self)
        if self.server.data is not None:
            self.transport.write(self.server.data)
            if self.server.ends_data:
                self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        self.received += data


class ScriptedServer:
    """Replies by verb (``""`` is the greeting), and the content of data connections."""

    def __init__(self, says: Mapping[str, ScriptedReply], data: bytes | None = b"") -> None:
        self.replies = {**DEFAULT_REPLIES, **says}
        self.data = data
        self.ends_data = True
        self.commands: list[str] = []
        self.connections: list[ScriptedConnection] = []
        self.data_connections: list[ScriptedDataConnection] = []
        self.network = MemoryNetwork()
        self.network.listen(self._accept, 21)

    def _accept(self, _address: object) -> ScriptedConnection:
        self.connections.append(ScriptedConnection(self))
        return self.connections[-1]

    def open_port(self) -> int:
        return self.network.listen(lambda _: ScriptedDataConnection(self))

    def start(self, **settings: Any) -> Deferred[Client]:
        destination = Destination(Scheme.FTP, "127.0.0.1", 21, "ann", "secret")
        given = Settings(netrc=None, **settings)
        return connect(destination, reactor=self.network, settings=given)

    def client(self, **settings: Any) -> Client:
        return self.result(self.start(**settings))

    def result(self, deferred: Deferred[Any], seconds: float = 0.0) -> Any:
        found = outcome(deferred, self.network, seconds)
        if isinstance(found, BaseException):
            raise found
        return found


def outcome(deferred: Deferred[Any], network: MemoryNetwork, seconds: float = 0.0) -> Any:
    """Return the result or the error of a Deferred; ``None`` if it has not fired."""
    found: list[Any] = []
    deferred.addBoth(found.append)
    network.pass_time(seconds)
    if not found:
        return None
    return found[0].value if isinstance(found[0], Failure) else found[0]
