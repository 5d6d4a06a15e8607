"""Listings and facts: MLSD and MLST where the server has them, else LIST, SIZE and MDTM."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ftpservice.flow.connection import DataConnection
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.facts import parse_facts, parse_time
from ftpservice.wire.listing import parse_line
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.replies import Reply
from ftpservice_client.control import Control
from ftpservice_client.errors import Garbled, NotFound, Refused, Unsupported
from ftpservice_client.features import Features
from ftpservice_client.moving import Moving, Order
from ftpservice_client.refusals import NOT_IMPLEMENTED, refusal
from ftpservice_client.results import Listing

__all__ = ["LINE_COST", "Looking", "is_name", "listing_of", "size_in"]

LONGEST_LINE = 16 * 1024
LINE_COST = 100
"""Bytes, about, that a line of a listing takes in memory besides its own."""
NUMBER_DIGITS = 20


class Looking:
    """Looks at what one server has."""

    def __init__(
        self,
        control: Control,
        moving: Moving,
        features: Features,
        limit: int,
        now: Callable[[], float],
    ) -> None:
        self._control = control
        self._moving = moving
        self._has_facts = "MLST" in features or "MLSD" in features
        self._limit = limit
        self._now = now

    async def entries(self, path: str) -> Listing:
        """Return what a directory holds, or the one entry of a file."""
        if self._has_facts:
            try:
                return listing_of(await self._lines("MLSD", path), _from_facts)
            except (Refused, Unsupported) as error:
                return await self._of_file(path, error)
        argument = f"./{path}" if path.startswith("-") else path
        now, own = self._now(), (path, argument)

        def entry(line: str) -> Entry:
            found = parse_line(line, now)
            if path and found.name in own:  # of a file servers tell the name that they were given
                found = found._replace(name=VirtualPath.parse(path).name)
            return found

        listing = listing_of(await self._lines("LIST", argument), entry)
        if path and not listing.entries:
            await self._require_directory(path)
        return listing

    async def _of_file(self, path: str, error: Refused | Unsupported) -> Listing:
        """Return the entry of what MLSD refused, if it is a file."""
        reply = error.reply if isinstance(error, Refused) else None
        if reply is not None and reply.code < 500:
            raise error
        entry = await self.stat(path) if path else None
        if entry is None or entry.kind is Kind.DIRECTORY:
            raise error
        return Listing((entry,))

    async def _require_directory(self, path: str) -> None:
        """Tell an empty directory from none: many servers list both alike."""
        if VirtualPath.parse(path).is_root or ".." in path.split("/"):
            return
        entry = await self._found(path)
        if entry is None:
            raise NotFound(f"{path}: no such file or directory")

    async def _lines(self, verb: str, path: str) -> list[bytes]:
        """Return the lines of a listing; raises `Garbled` when they have no end."""
        pieces: list[bytes] = []

        async def keep(data: DataConnection, _opened: Reply | None) -> None:
            size = 0
            while piece := await data.read():
                size += len(piece) + LINE_COST * piece.count(b"\n")
                if size > self._limit:
                    raise Garbled("the server sends a listing that has no end")
                pieces.append(piece)

        await self._moving.move(Order(f"{verb} {path}" if path else verb, keep))
        return [line.removesuffix(b"\r") for line in b"".join(pieces).split(b"\n")]

    async def stat(self, name: str) -> Entry:
        """Return what is known of a name; raises `NotFound`."""
        await self._control.settle()
        if self._has_facts:
            reply = await self._control.ask(f"MLST {name}" if name else "MLST")
            if reply.code not in NOT_IMPLEMENTED:
                if reply.code < 400:
                    return _named(_entry_in(reply.lines), name)
                error = refusal(reply, f"MLST {name}")
                if type(error) is not Refused:  # else it might be anything
                    raise error
        entry = await self._found(name)
        if entry is None:
            raise NotFound(f"{name}: no such file or directory")
        return entry

    async def _found(self, name: str) -> Entry | None:
        """Look for a name among those of its directory."""
        path = VirtualPath.parse(name)
        if path.is_root:
            return Entry("", Kind.DIRECTORY, 0, 0.0, 0o755)
        above = str(path.parent) if name.startswith("/") else "/".join(path.parent.parts)
        listing = await self.entries(above)
        return next((entry for entry in listing.entries if entry.name == path.name), None)

    async def size(self, name: str) -> int | None:
        """Return the size of a file (SIZE, RFC 3659 §4), None where that is not told."""
        return size_in(*await self._told(f"SIZE {name}"))

    async def modified(self, name: str) -> float | None:
        """Return when a file was changed (MDTM), in seconds since the epoch; None if not told."""
        code, text = await self._told(f"MDTM {name}")
        try:
            return parse_time(text) if code == codes.FILE_STATUS else None
        except ValueError:
            return None

    async def _told(self, command: str) -> tuple[int, str]:
        await self._control.settle()
        reply = await self._control.ask(command)
        return reply.code, reply.lines[-1].strip()


def size_in(code: int, text: str) -> int | None:
    """Return the number in a reply to SIZE."""
    digits = text.strip()
    if code != codes.FILE_STATUS or not digits.isascii() or not digits.isdigit():
        return None
    return int(digits) if len(digits) < NUMBER_DIGITS else None


def is_name(name: str) -> bool:
    """Tell whether this can be an entry of a directory, here and there."""
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name


def listing_of(lines: Iterable[bytes], parse: Callable[[str], Entry]) -> Listing:
    """Return what lines say; those that say nothing, and names that are none, are left out."""
    entries = []
    unsafe = []
    for line in lines:
        if not line or len(line) > LONGEST_LINE:
            continue
        try:
            entry = parse(line.decode("utf-8", "surrogateescape"))
        except (ValueError, OverflowError):
            continue
        if is_name(entry.name):
            entries.append(entry)
        elif entry.name not in ("", ".", ".."):
            unsafe.append(entry.name)
    return Listing(tuple(entries), tuple(unsafe))


def _from_facts(line: str) -> Entry:
    entry = parse_facts(line)
    kind = line.partition(" ")[0].lower()
    if "type=cdir" in kind or "type=pdir" in kind:
        raise ValueError("the directory itself")
    return entry


def _entry_in(lines: tuple[str, ...]) -> Entry:
    for line in lines[1:-1] if len(lines) > 2 else lines:
        try:
            return parse_facts(line.lstrip(" "))
        except (ValueError, OverflowError):
            continue
    raise Garbled("the server tells no facts")


def _named(entry: Entry, name: str) -> Entry:
    """Return the entry under the name that was asked for: what a server says leads anywhere."""
    return entry._replace(name=VirtualPath.parse(name).name)
