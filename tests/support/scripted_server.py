"""A server in memory that says whatever a test wants it to, and a client that talks to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from ftpservice_client import Client, Destination, Scheme, Settings, connect
from ftpservice_client.testing.network import MemoryNetwork

__all__ = ["HONEST", "Liar", "outcome"]

Says = str | bytes | Callable[["Speaker", str], object]
HONEST: dict[str, Says] = {
    "": "220 hello",
    "USER": "331 password",
    "PASS": "230 in",
    "TYPE": "200 ok",
    "FEAT": "211-can\r\n MLST type*;size*;\r\n SIZE\r\n211 end",
    "PWD": '257 "/" here',
    "QUIT": "221 bye",
    "SIZE": "550 no",
}


class Speaker(Protocol):
    """One control connection."""

    def __init__(self, liar: Liar) -> None:
        self.liar = liar
        self._text = b""

    def connectionMade(self) -> None:
        self.say(self.liar.says[""], "")

    def say(self, what: Says, line: str) -> None:
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
            self.liar.heard.append(text)
            verb = text.partition(" ")[0]
            if verb == "EPSV" and "EPSV" not in self.liar.says:
                self.say(f"229 ok (|||{self.liar.open_port()}|)", text)
            else:
                self.say(self.liar.says.get(verb, "500 what?"), text)


class DataEnd(Protocol):
    """One data connection: sends what there is, and ends as it is told."""

    def __init__(self, liar: Liar) -> None:
        self.liar = liar
        self.received = b""

    def connectionMade(self) -> None:
        self.liar.ends.append(self)
        if self.liar.data is not None:
            self.transport.write(self.liar.data)
            if self.liar.ends_data:
                self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        self.received += data


class Liar:
    """What is said by verb (``""`` is the greeting), and what comes over data connections."""

    def __init__(self, says: Mapping[str, Says], data: bytes | None = b"") -> None:
        self.says = {**HONEST, **says}
        self.data = data
        self.ends_data = True
        self.heard: list[str] = []
        self.speakers: list[Speaker] = []
        self.ends: list[DataEnd] = []
        self.network = MemoryNetwork()
        self.network.listen(self._speak, 21)

    def _speak(self, _address: object) -> Speaker:
        self.speakers.append(Speaker(self))
        return self.speakers[-1]

    def open_port(self) -> int:
        return self.network.listen(lambda _: DataEnd(self))

    def begin(self, **settings: Any) -> Deferred[Client]:
        place = Destination(Scheme.FTP, "127.0.0.1", 21, "ann", "secret")
        given = Settings(netrc=None, **settings)
        return connect(place, reactor=self.network, settings=given)

    def client(self, **settings: Any) -> Client:
        return self.result(self.begin(**settings))

    def result(self, deferred: Deferred[Any], seconds: float = 0.0) -> Any:
        found = outcome(deferred, self.network, seconds)
        if isinstance(found, BaseException):
            raise found
        return found


def outcome(deferred: Deferred[Any], network: MemoryNetwork, seconds: float = 0.0) -> Any:
    """Return what it fires with, its error if it fails, None if it does not."""
    found: list[Any] = []
    deferred.addBoth(found.append)
    network.pass_time(seconds)
    if not found:
        return None
    return found[0].value if isinstance(found[0], Failure) else found[0]
