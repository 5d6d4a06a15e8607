"""A session of FTP, with or without TLS."""

from __future__ import annotations

from typing import Any

from ftpservice.wire import codes
from ftpservice.wire.entry import Entry
from ftpservice.wire.replies import Reply
from ftpservice_client.arguments import checked_argument
from ftpservice_client.errors import (
    ClientError,
    NetworkError,
    ProtocolViolation,
    ServerRefused,
    Unsupported,
)
from ftpservice_client.ftp.control import ControlConnection
from ftpservice_client.ftp.data import DataConnections
from ftpservice_client.ftp.features import Features, digests_of, is_ftpservice
from ftpservice_client.ftp.files import FTPFiles
from ftpservice_client.ftp.listings import FTPListings
from ftpservice_client.ftp.modification_times import ModificationTimeSetter
from ftpservice_client.ftp.reply_errors import error_for_reply
from ftpservice_client.ftp.transfer import DataTransfers
from ftpservice_client.ftp.working_directory import INITIAL_DIRECTORY, directory_from_reply, joined
from ftpservice_client.settings import Settings

__all__ = ["FTPSession"]

HEX_DIGITS = frozenset("0123456789abcdef")
QUIT_REPLY_SECONDS = 5.0
CLOSE_SECONDS = 2.0
DIRECTORY_CHANGE_COMMANDS = frozenset({"CWD", "XCWD", "CDUP", "XCUP"})


class FTPNameCommands:
    """Commands for names: delete, rename, directories."""

    _control: ControlConnection
    directory: str

    async def _do(self, *commands: str) -> Reply:
        await self._control.drain_abandoned()
        for command in commands:
            reply = await self._control.expect(command)
        return reply

    async def delete(self, name: str) -> None:
        """Delete a file."""
        await self._do(f"DELE {checked_argument(name)}")

    async def rename(self, old: str, new: str) -> None:
        """Rename a file or a directory."""
        checked_argument(new)
        await self._do(f"RNFR {checked_argument(old)}", f"RNTO {new}")

    async def make_directory(self, name: str) -> None:
        """Create a directory."""
        await self._do(f"MKD {checked_argument(name)}")

    async def remove_directory(self, name: str) -> None:
        """Remove an empty directory."""
        await self._do(f"RMD {checked_argument(name)}")

    async def change_directory(self, path: str) -> str:
        """Change the directory; return the new one, as far as the server reports it."""
        command = f"CWD {checked_argument(path).removeprefix('./')}"
        try:
            try:
                await self._do("CDUP" if path == ".." else command)
            except Unsupported:
                if path != "..":
                    raise
                await self._do(command)
            return await self.refresh_directory(path)
        except (ServerRefused, Unsupported):
            raise
        except BaseException:
            self._control.close(NetworkError("the current directory is unknown"))
            raise

    async def refresh_directory(self, path: str = "") -> str:
        """Update the current directory with PWD, after a change to ``path``; return it.

        If the server does not report it, it is relative to the initial directory (``.``). Raises
        `ServerBusy`, `NetworkError`.
        """
        await self._control.drain_abandoned()
        reply = await self._control.ask("PWD")
        if reply.code == codes.SERVICE_UNAVAILABLE:
            raise error_for_reply(reply, "PWD")
        self.directory = directory_from_reply(reply) or joined(self.directory, path)
        return self.directory


class FTPSession(FTPNameCommands):
    """Implements `ftpservice_client.interfaces.ClientSession`; made after the login."""

    def __init__(
        self,
        reactor: Any,
        control: ControlConnection,
        connections: DataConnections,
        features: Features,
        settings: Settings,
    ) -> None:
        self._control = control
        self._features = features
        self.accepts_pipelining = connections.is_ftpservice = is_ftpservice(features)
        transfers = DataTransfers(control, connections)
        limit, now = settings.memory_limit, reactor.seconds
        self._listings = FTPListings(
            control, transfers, features, limit, now, lambda: self.directory
        )
        files = FTPFiles(control, connections, transfers)
        self.retrieve, self.store = files.retrieve, files.store
        self.entries, self.size = self._listings.entries, self._listings.size
        self.modified = self._listings.modified
        self.set_modified = ModificationTimeSetter(control, features, self.modified).set
        self.directory = INITIAL_DIRECTORY
        self.lost = control.lost
        control.when_lost = self._record_loss

    def _record_loss(self, error: ClientError) -> None:
        self.lost = error

    async def stat(self, name: str) -> Entry:
        """Return the facts of one name."""
        return await self._listings.stat(name)

    async def digests(self) -> frozenset[str]:
        """Return the digest algorithms of the server."""
        return frozenset(digests_of(self._features))

    async def digest(self, name: str, algorithm: str) -> str:
        """Return the digest of a file, by HASH or an older command such as XSHA256."""
        verb = digests_of(self._features).get(algorithm.upper())
        if verb is None:
            raise Unsupported(f"the server cannot compute {algorithm}")
        if verb == "HASH":
            await self._do(f"OPTS HASH {algorithm.upper()}")
        reply = await self._do(f"{verb} {checked_argument(name)}")
        return digest_from_reply(reply, algorithm)

    async def features(self) -> dict[str, str]:
        """Return the features in the reply to FEAT."""
        return dict(self._features)

    async def send(self, line: str) -> Reply:
        """Send a command unchanged and return its reply, also a refusal."""
        await self._control.drain_abandoned()
        reply = await self._control.ask(checked_argument(line))
        verb, _, argument = line.partition(" ")
        if reply.code < 400 and verb.upper() in DIRECTORY_CHANGE_COMMANDS:
            await self.refresh_directory(argument or "..")
        return reply

    async def quit(self) -> None:
        """Send QUIT and close; waits a few seconds for the reply."""
        try:
            await self._control.drain_abandoned()
            (exchange,) = self._control.send_commands("QUIT")
            await exchange.wait_final(
                min(QUIT_REPLY_SECONDS, self._control.timeout or QUIT_REPLY_SECONDS)
            )
            self._control.close_gracefully()
            await self._control.wait_closed(CLOSE_SECONDS)
        finally:
            self.abort()

    def abort(self) -> None:
        """Abort the connection."""
        self._control.close(NetworkError("the client closed the connection"))


DIGEST_LENGTHS = {"SHA-256": 64, "SHA-512": 128, "SHA-384": 96, "SHA-1": 40, "MD5": 32, "CRC32": 8}


def digest_from_reply(reply: Reply, algorithm: str) -> str:
    """Return the digest in a reply; raises `ProtocolViolation`."""
    length = DIGEST_LENGTHS.get(algorithm.upper())
    for word in " ".join(reply.lines).lower().split():
        if HEX_DIGITS.issuperset(word) and (
            len(word) == length or (length is None and len(word) >= 8)
        ):
            return word
    raise ProtocolViolation(f"the reply contains no {algorithm}")
