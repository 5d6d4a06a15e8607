"""Listings and facts: MLSD and MLST if the server has them, otherwise LIST, SIZE and MDTM."""

from __future__ import annotations

from collections.abc import Callable

from ftpservice.wire import codes
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.facts import parse_facts, parse_time
from ftpservice.wire.paths import VirtualPath
from ftpservice_client.errors import (
    NotFound,
    ProtocolViolation,
    ServerRefused,
    UnparsableListing,
    Unsupported,
)
from ftpservice_client.ftp.control import ControlConnection
from ftpservice_client.ftp.features import Features
from ftpservice_client.ftp.list_command import ListCommand, empty_listing
from ftpservice_client.ftp.listing_transfer import ListingTransfer
from ftpservice_client.ftp.reply_errors import NOT_IMPLEMENTED_CODES, error_for_reply
from ftpservice_client.ftp.server_time_zone import ServerTimeZone
from ftpservice_client.ftp.transfer import DataTransfers
from ftpservice_client.listings.entries import mlsd_listing, text_listing
from ftpservice_client.results import Listing

__all__ = ["FTPListings", "size_from_reply"]

MAX_NUMBER_DIGITS = 20


class FTPListings:
    """Requests listings and facts of files from one server."""

    def __init__(  # noqa: PLR0913 - one session's parts
        self,
        control: ControlConnection,
        transfers: DataTransfers,
        features: Features,
        limit: int,
        now: Callable[[], float],
        directory: Callable[[], str],
    ) -> None:
        self._control = control
        self._has_facts = "MLST" in features or "MLSD" in features
        self._untyped = untyped_facts(features)
        """Facts to request with OPTS MLST, if the server sends no types by default."""
        self._now = now
        self._transfer = ListingTransfer(transfers, limit)
        zone = ServerTimeZone(self.modified)
        self._list = ListCommand(control, self._transfer, now, directory, zone)

    async def entries(self, path: str) -> Listing:
        """Return the entries of a directory, or one entry for a file."""
        if not self._has_facts:
            return await self._by_list(path)
        try:
            return await self._by_mlsd(path)
        except (Unsupported, UnparsableListing) as error:
            listing = await self._list_fallback(path, error)
            self._has_facts = False
            return listing

    async def _by_mlsd(self, path: str) -> Listing:
        """Return the listing of MLSD.

        Raises `Unsupported` and `UnparsableListing` if LIST may work.
        """
        if self._untyped:
            await self._control.drain_abandoned()
            facts, self._untyped = self._untyped, ""
            await self._control.ask(f"OPTS MLST {facts}")
        try:
            lines = await self._transfer.lines(f"MLSD {path}" if path else "MLSD")
        except (ServerRefused, Unsupported) as error:
            return await self._of_file(path, error)
        listing = mlsd_listing(lines, (path,))
        if not listing.entries and not self._transfer.has_begun:
            await self._list.require_directory(path)
        return listing

    async def _list_fallback(self, path: str, error: Unsupported | UnparsableListing) -> Listing:
        """Return the listing of LIST if MLSD gave none.

        Raises ``error`` if LIST gives none either.
        """
        try:
            listing = await self._by_list(path)
        except (ServerRefused, Unsupported, UnparsableListing):
            raise error from None
        if not listing.is_complete:
            raise error
        return listing

    async def _of_file(self, path: str, error: ServerRefused | Unsupported) -> Listing:
        """Return the listing of a path that MLSD refused: a file, or an empty directory."""
        reply = error.reply if isinstance(error, ServerRefused) else None
        if reply is not None and reply.code < 500 and reply.code != codes.FILE_BUSY:
            raise error
        entry = await self.stat(path) if path else None
        if entry is not None and entry.kind is not Kind.DIRECTORY:
            return Listing((entry,))
        if isinstance(error, Unsupported):
            raise error
        listing = empty_listing(error)
        await self._list.require_directory(path)
        return listing

    async def _by_list(self, path: str) -> Listing:
        try:
            listing = await self._list.entries(path)
        except Unsupported:
            return await self._by_path(path)
        if isinstance(listing, Listing):
            return listing
        entry = await self._found(path)
        if entry is None or entry.kind is Kind.DIRECTORY:
            raise listing
        return Listing((entry,))

    async def _by_path(self, path: str) -> Listing:
        """List by name, on a server without CWD or PWD."""
        argument = f"./{path}" if path.startswith("-") else path
        own = (path, argument)
        lines = await self._transfer.lines(f"LIST {argument}" if path else "LIST")
        listing = text_listing(lines, self._now(), own)
        if path and not listing.entries:
            await self._require_directory(path)
        return listing

    async def _require_directory(self, path: str) -> None:
        """Raise `NotFound` for a missing directory, which many servers list like an empty one."""
        if VirtualPath.parse(path).is_root or ".." in path.split("/"):
            return
        entry = await self._found(path)
        if entry is None:
            raise NotFound(f"{path}: no such file or directory")

    async def stat(self, name: str) -> Entry:
        """Return the facts of a name; raises `NotFound`."""
        await self._control.drain_abandoned()
        if self._has_facts:
            reply = await self._control.ask(f"MLST {name}" if name else "MLST")
            if reply.code not in NOT_IMPLEMENTED_CODES:
                if reply.code < 400:
                    return _renamed_entry(_entry_from_lines(reply.lines), name)
                error = error_for_reply(reply, f"MLST {name}")
                if type(error) is not ServerRefused:  # a plain refusal may have any reason
                    raise error
        entry = await self._found(name)
        if entry is None:
            raise NotFound(f"{name}: no such file or directory")
        return entry

    async def _found(self, name: str) -> Entry | None:
        """Return the entry of a name in the listing of its directory."""
        path = VirtualPath.parse(name)
        if path.is_root:
            return Entry("", Kind.DIRECTORY, 0, 0.0, 0o755)
        above = str(path.parent) if name.startswith("/") else "/".join(path.parent.parts)
        listing = await self.entries(above)
        return next((entry for entry in listing.entries if entry.name == path.name), None)

    async def size(self, name: str) -> int | None:
        """Return the size of a file (SIZE, RFC 3659 §4), None if unknown."""
        return size_from_reply(*await self._ask(f"SIZE {name}"))

    async def modified(self, name: str) -> float | None:
        """Return the modification time (MDTM) in seconds since the epoch; None if unknown."""
        code, text = await self._ask(f"MDTM {name}")
        try:
            return parse_time(text) if code == codes.FILE_STATUS else None
        except ValueError:
            return None

    async def _ask(self, command: str) -> tuple[int, str]:
        await self._control.drain_abandoned()
        reply = await self._control.ask(command)
        return reply.code, reply.lines[-1].strip()


def size_from_reply(code: int, text: str) -> int | None:
    """Return the number in a reply to SIZE."""
    digits = text.strip()
    if code != codes.FILE_STATUS or not digits.isascii() or not digits.isdigit():
        return None
    return int(digits) if len(digits) < MAX_NUMBER_DIGITS else None


def untyped_facts(features: Features) -> str:
    """Return the facts to request with OPTS, if a server sends no types by default."""
    offered = [fact for fact in features.get("MLST", "").split(";") if fact.strip()]
    names = {fact.strip().rstrip("*").lower(): fact for fact in offered}
    if "type" not in names or names["type"].strip().endswith("*"):
        return ""
    return "".join(f"{fact.strip().rstrip('*')};" for fact in offered)


def _entry_from_lines(lines: tuple[str, ...]) -> Entry:
    for line in lines[1:-1] if len(lines) > 2 else lines:
        try:
            return parse_facts(line.lstrip(" "))
        except (ValueError, OverflowError):
            continue
    raise ProtocolViolation("the reply to MLST contains no facts")


def _renamed_entry(entry: Entry, name: str) -> Entry:
    """Return the entry under the requested name: one from the server may lead anywhere."""
    return entry._replace(name=VirtualPath.parse(name).name)
