"""A session of the simple protocol.

The protocol has no current directory, so the session keeps it here; and it cannot abort a command,
so a cancelled call closes the connection.
"""

from __future__ import annotations

from typing import NoReturn

from twisted.internet.defer import CancelledError

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import BadPath, VirtualPath
from ftpservice.wire.replies import Reply, escaped
from ftpservice.wire.simple import MalformedAnswer, SimpleAnswer, parse_listing_line
from ftpservice_client.errors import (
    AlreadyExists,
    AuthenticationFailed,
    ClientError,
    InvalidArgument,
    NetworkError,
    NotFound,
    ProtocolViolation,
    Unsupported,
    login_error_text,
)
from ftpservice_client.interfaces import (
    DownloadTarget,
    TransferObserver,
    UploadPosition,
    UploadSource,
)
from ftpservice_client.listings.entries import LINE_OVERHEAD_BYTES, listing_from_lines
from ftpservice_client.results import Listing
from ftpservice_client.simple import files
from ftpservice_client.simple.connection import SimpleConnection, command
from ftpservice_client.urls import Destination

__all__ = ["SimpleClientSession", "log_in"]

PROTOCOL_NAME = "simple/1"
HASH_ALGORITHM = "SHA-256"
FEATURES = {"UPLD": "", "DWLD": "", "DELF": "", "LIST": "", "HASH": HASH_ALGORITHM, "HELP": ""}


async def log_in(connection: SimpleConnection, destination: Destination) -> None:
    """Read the greeting and log in.

    Raises `AuthenticationFailed`, `ProtocolViolation`, `ServerBusy`.
    """
    greeting = await connection.read_answer()
    if greeting.word != "OK" or PROTOCOL_NAME not in greeting.text:
        raise ProtocolViolation(
            f"this is not a server of the simple protocol: {escaped(greeting.text[:60])}"
        )
    if not destination.user:
        return
    await connection.ask(command("USER", destination.user))
    try:
        await connection.ask(command("PASS", destination.password or ""))
    except AuthenticationFailed as error:
        raise AuthenticationFailed(login_error_text(str(error))) from error


class UnsupportedSimpleCommands:
    """Operations that the protocol does not have."""

    async def rename(self, _old: str, _new: str) -> None:
        """Raise `Unsupported`."""
        _raise_unsupported("cannot rename files")

    async def make_directory(self, _name: str) -> None:
        """Raise `Unsupported`."""
        _raise_unsupported("cannot create directories")

    async def remove_directory(self, _name: str) -> None:
        """Raise `Unsupported`."""
        _raise_unsupported("cannot remove directories")

    async def send(self, _line: str) -> Reply:
        """Raise `Unsupported`."""
        _raise_unsupported("has no raw commands")


class SimpleClientSession(UnsupportedSimpleCommands):
    """Implements `ftpservice_client.interfaces.ClientSession`; made after the login."""

    accepts_pipelining = False

    def __init__(self, connection: SimpleConnection, limit: int) -> None:
        self._connection = connection
        self._limit = limit
        self._place = VirtualPath()

    @property
    def directory(self) -> str:
        """The current directory."""
        return str(self._place)

    @property
    def lost(self) -> ClientError | None:
        """Why the session cannot be used any more; None while it can."""
        return self._connection.lost

    def _path(self, name: str) -> VirtualPath:
        try:
            return self._place.joined(name)
        except BadPath as error:
            raise InvalidArgument(str(error)) from error

    def _name(self, name: str) -> str:
        path = self._path(name)
        if path.is_root:
            raise InvalidArgument("a name is missing")
        return "/".join(path.parts)

    async def _ask(self, verb: str, name: str) -> SimpleAnswer:
        line = command(verb, name=self._name(name))
        try:
            return await self._connection.ask(line, name)
        except CancelledError:
            self.abort()
            raise

    async def entries(self, path: str) -> Listing:
        """Return the entries of a directory; one entry for a file."""
        place = self._path(path)
        try:
            return await self._listing(place)
        except CancelledError:
            self.abort()
            raise

    async def _listing(self, place: VirtualPath) -> Listing:
        name = "/".join(place.parts)
        line = command("LIST", name=name) if name else command("LIST")
        count = files.number_from_answer(self._connection, await self._connection.ask(line, name))
        lines: list[bytes] = []
        size = 0
        for _ in range(count):
            lines.append(await self._connection.read_line())
            size += len(lines[-1]) + LINE_OVERHEAD_BYTES
            if size > self._limit:
                problem = ProtocolViolation("the server sends an endless listing")
                self._connection.close(problem)
                raise problem
        return listing_from_lines(lines, _entry)

    async def stat(self, name: str) -> Entry:
        """Return the entry of a name in the listing of its directory."""
        path = self._path(name)
        if path.is_root:
            return Entry("", Kind.DIRECTORY, 0, 0.0, 0o755)
        listing = await self.entries(str(path.parent))
        for entry in listing.entries:
            if entry.name == path.name:
                return entry
        raise NotFound(f"{name}: no such file or directory")

    async def size(self, name: str) -> int | None:
        """Return the size of a file; None if it does not exist."""
        try:
            entry = await self.stat(name)
        except NotFound:
            return None
        return entry.size if entry.kind is Kind.FILE else None

    async def modified(self, name: str) -> float | None:
        """Return the modification time; None if the file does not exist."""
        try:
            return (await self.stat(name)).modified
        except NotFound:
            return None

    async def set_modified(self, _name: str, _seconds: float) -> bool:
        """Return False: the protocol cannot set times."""
        return False

    async def digests(self) -> frozenset[str]:
        """Return the only algorithm of the protocol."""
        return frozenset({HASH_ALGORITHM})

    async def digest(self, name: str, algorithm: str) -> str:
        """Return the digest of a file."""
        if algorithm.upper() != HASH_ALGORITHM:
            _raise_unsupported(f"has no {algorithm}")
        words = (await self._ask("HASH", name)).text.split(" ")
        if len(words) < 2 or words[0] != HASH_ALGORITHM:
            raise ProtocolViolation(f"the answer contains no {HASH_ALGORITHM}")
        return words[1].lower()

    async def delete(self, name: str) -> None:
        """Delete a file."""
        await self._ask("DELF", name)

    async def change_directory(self, path: str) -> str:
        """Change the current directory; raises `AlreadyExists` if it is not a directory."""
        entry = await self.stat(path)
        if entry.kind is not Kind.DIRECTORY:
            raise AlreadyExists(f"{path}: not a directory")
        self._place = self._path(path)
        return self.directory

    async def features(self) -> dict[str, str]:
        """Return the verbs."""
        return dict(FEATURES)

    async def retrieve(
        self, name: str, offset: int, target: DownloadTarget, watch: TransferObserver
    ) -> int | None:
        """Download a file from ``offset``."""
        file = self._name(name)
        try:
            return await files.download(self._connection, file, offset, target, watch)
        except CancelledError:
            self.abort()
            raise

    async def store(
        self, name: str, source: UploadSource, at: UploadPosition, watch: TransferObserver
    ) -> None:
        """Upload a file."""
        file = self._name(name)
        try:
            await files.upload(self._connection, file, source, at, watch)
        except CancelledError:
            self.abort()
            raise

    async def quit(self) -> None:
        """Send QUIT and close the connection."""
        try:
            await self._connection.ask(command("QUIT"))
            self._connection.data.close_gracefully()
        finally:
            self.abort()

    def abort(self) -> None:
        """Abort the connection."""
        self._connection.close(NetworkError("the client closed the connection"))


def _entry(line: str) -> Entry:
    try:
        return parse_listing_line(line.encode("utf-8", "surrogateescape"))
    except MalformedAnswer as error:
        raise ValueError(str(error)) from error


def _raise_unsupported(what: str) -> NoReturn:
    raise Unsupported(f"the simple protocol {what}")
