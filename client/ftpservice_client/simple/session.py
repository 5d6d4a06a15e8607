"""A session of the simple protocol.

It has no directories to be in, so where one is is kept here; and no way to break something off,
so a call that is cancelled closes the connection.
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


async def log_in(line: SimpleConnection, destination: Destination) -> None:
    """Greet and say who we are; raises `AuthenticationFailed`, `ProtocolViolation`, `Busy`."""
    greeting = await line.answer()
    if greeting.word != "OK" or PROTOCOL_NAME not in greeting.text:
        raise ProtocolViolation(
            f"that is no server of the simple protocol: {escaped(greeting.text[:60])}"
        )
    if not destination.user:
        return
    await line.ask(command("USER", destination.user))
    try:
        await line.ask(command("PASS", destination.password or ""))
    except AuthenticationFailed as error:
        raise AuthenticationFailed(login_error_text(str(error))) from error


class UnsupportedSimpleCommands:
    """What the protocol has no verbs for."""

    async def rename(self, _old: str, _new: str) -> None:
        """Raise `Unsupported`."""
        _raise_unsupported("names no file anew")

    async def make_directory(self, _name: str) -> None:
        """Raise `Unsupported`."""
        _raise_unsupported("makes no directories")

    async def remove_directory(self, _name: str) -> None:
        """Raise `Unsupported`."""
        _raise_unsupported("removes no directories")

    async def send(self, _line: str) -> Reply:
        """Raise `Unsupported`."""
        _raise_unsupported("has no raw commands")


class SimpleClientSession(UnsupportedSimpleCommands):
    """What `ftpservice_client.interfaces.ClientSession` says; made after the login."""

    def __init__(self, line: SimpleConnection, limit: int) -> None:
        self._line = line
        self._limit = limit
        self._place = VirtualPath()

    @property
    def directory(self) -> str:
        """Where relative names are looked for."""
        return str(self._place)

    @property
    def lost(self) -> ClientError | None:
        """Why it is of no more use."""
        return self._line.lost

    def _path(self, name: str) -> VirtualPath:
        try:
            return self._place.joined(name)
        except BadPath as error:
            raise InvalidArgument(str(error)) from error

    def _name(self, name: str) -> str:
        path = self._path(name)
        if path.is_root:
            raise InvalidArgument("a name is wanted")
        return "/".join(path.parts)

    async def _ask(self, verb: str, name: str) -> SimpleAnswer:
        line = command(verb, name=self._name(name))
        try:
            return await self._line.ask(line, name)
        except CancelledError:
            self.abort()
            raise

    async def entries(self, path: str) -> Listing:
        """Return what a directory holds; one entry for a file."""
        place = self._path(path)
        try:
            return await self._listing(place)
        except CancelledError:
            self.abort()
            raise

    async def _listing(self, place: VirtualPath) -> Listing:
        name = "/".join(place.parts)
        asked = command("LIST", name=name) if name else command("LIST")
        count = files.number_from_answer(self._line, await self._line.ask(asked, name))
        lines: list[bytes] = []
        size = 0
        for _ in range(count):
            lines.append(await self._line.line())
            size += len(lines[-1]) + LINE_OVERHEAD_BYTES
            if size > self._limit:
                problem = ProtocolViolation("the server sends a listing that has no end")
                self._line.close(problem)
                raise problem
        return listing_from_lines(lines, _entry)

    async def stat(self, name: str) -> Entry:
        """Return what its directory says of a name."""
        path = self._path(name)
        if path.is_root:
            return Entry("", Kind.DIRECTORY, 0, 0.0, 0o755)
        listing = await self.entries(str(path.parent))
        for entry in listing.entries:
            if entry.name == path.name:
                return entry
        raise NotFound(f"{name}: no such file or directory")

    async def size(self, name: str) -> int | None:
        """Return the size of a file, None where there is none."""
        try:
            entry = await self.stat(name)
        except NotFound:
            return None
        return entry.size if entry.kind is Kind.FILE else None

    async def modified(self, name: str) -> float | None:
        """Return when it was changed."""
        try:
            return (await self.stat(name)).modified
        except NotFound:
            return None

    async def set_modified(self, _name: str, _seconds: float) -> bool:
        """Tell that there is no verb for it."""
        return False

    async def digests(self) -> frozenset[str]:
        """Return the one algorithm."""
        return frozenset({HASH_ALGORITHM})

    async def digest(self, name: str, algorithm: str) -> str:
        """Return the digest of a file."""
        if algorithm.upper() != HASH_ALGORITHM:
            _raise_unsupported(f"knows no {algorithm}")
        words = (await self._ask("HASH", name)).text.split(" ")
        if len(words) < 2 or words[0] != HASH_ALGORITHM:
            raise ProtocolViolation(f"the server tells no {HASH_ALGORITHM}")
        return words[1].lower()

    async def delete(self, name: str) -> None:
        """Remove a file."""
        await self._ask("DELF", name)

    async def change_directory(self, path: str) -> str:
        """Go there, if it is a directory."""
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
        """Receive a file from ``offset``."""
        file = self._name(name)
        try:
            return await files.download(self._line, file, offset, target, watch)
        except CancelledError:
            self.abort()
            raise

    async def store(
        self, name: str, source: UploadSource, at: UploadPosition, watch: TransferObserver
    ) -> None:
        """Send a file."""
        file = self._name(name)
        try:
            await files.upload(self._line, file, source, at, watch)
        except CancelledError:
            self.abort()
            raise

    async def quit(self) -> None:
        """Say goodbye and close."""
        try:
            await self._line.ask(command("QUIT"))
            self._line.data.close_gracefully()
        finally:
            self.abort()

    def abort(self) -> None:
        """Break the connection."""
        self._line.close(NetworkError("the client broke the connection"))


def _entry(line: str) -> Entry:
    try:
        return parse_listing_line(line.encode("utf-8", "surrogateescape"))
    except MalformedAnswer as error:
        raise ValueError(str(error)) from error


def _raise_unsupported(what: str) -> NoReturn:
    raise Unsupported(f"the simple protocol {what}")
