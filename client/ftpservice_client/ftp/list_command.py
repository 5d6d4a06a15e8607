"""Listing a directory with LIST, for servers without MLSD.

The session changes to the directory and sends LIST without a name, because servers cut a name at a
space or take it for a pattern. CWD also distinguishes an empty directory from one that does not
exist; to LIST many servers reply alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from ftpservice.wire import codes
from ftpservice_client.errors import NetworkError, ServerRefused, UnparsableListing, Unsupported
from ftpservice_client.ftp.control import ControlConnection
from ftpservice_client.ftp.listing_transfer import ListingTransfer
from ftpservice_client.ftp.reply_errors import NOT_IMPLEMENTED_CODES, error_for_reply
from ftpservice_client.ftp.server_time_zone import ServerTimeZone
from ftpservice_client.ftp.working_directory import can_change_to
from ftpservice_client.listings.entries import text_listing
from ftpservice_client.results import Listing

__all__ = ["ListCommand", "empty_listing"]

EMPTY_DIRECTORY_PATTERN = re.compile(
    r"no (such )?(file|dir|data ?set|member|entr|match)|not? found|\bempty\b|nothing", re.IGNORECASE
)
FAILURE_PATTERN = re.compile(
    r"denied|permi|privil|forbid|allowed|access|cannot|can't|could not|unable|fail|error|invalid"
    r"|busy|later|time|many|abort|broken|log|i/o",
    re.IGNORECASE,
)


def empty_listing(error: ServerRefused) -> Listing:
    """Return the listing of a directory that exists but whose listing was refused.

    For an empty directory, servers reply ``450 No files found`` and the like. A reply that reports
    a failure is raised again; any other one is an unparsed line.
    """
    reply = error.reply
    if reply is None or reply.code not in (codes.FILE_BUSY, codes.FILE_UNAVAILABLE):
        raise error
    text = " ".join(reply.lines)
    if FAILURE_PATTERN.search(text):
        raise error
    return (
        Listing(())
        if EMPTY_DIRECTORY_PATTERN.search(text)
        else Listing((), unparsed=(f"{reply.code} {text}",))
    )


class ListCommand:
    """LIST over one session; ``directory`` returns its current directory."""

    def __init__(
        self,
        control: ControlConnection,
        transfer: ListingTransfer,
        now: Callable[[], float],
        directory: Callable[[], str],
        zone: ServerTimeZone,
    ) -> None:
        self._control = control
        self._transfer = transfer
        self._now = now
        self._directory = directory
        self._zone = zone
        self._command: str | None = None
        """``LIST`` or ``LIST -a``, when it is known which shows more."""

    async def entries(self, path: str) -> Listing | ServerRefused:
        """Return the entries of a directory, or the refusal of CWD: the path may be a file.

        Raises `Unsupported` if the server does not support CWD or PWD.
        """
        await self._control.drain_abandoned()
        if not path:
            return await self._here(("",))
        place = self._directory()
        if not can_change_to("", place):
            raise Unsupported("the server does not report the current directory")
        reply = await self._control.ask(f"CWD {path}")
        if reply.code in NOT_IMPLEMENTED_CODES:
            raise Unsupported(f"the server cannot change directories: {reply.lines[-1]}")
        if reply.code >= 400:
            error = error_for_reply(reply, f"CWD {path}")
            if reply.code >= 500 and isinstance(error, ServerRefused):
                return error
            raise error
        return await self._entered(path, place)

    async def require_directory(self, path: str) -> None:
        """Change to a directory and back; raises `NotFound`, `AccessDenied` if it is none."""
        place = self._directory()
        if not can_change_to("", place):
            return
        reply = await self._control.ask(f"CWD {path or place}")
        if reply.code >= 400:
            raise error_for_reply(reply, f"CWD {path or place}")
        await self._back(place)

    async def _entered(self, path: str, place: str) -> Listing:
        """List the current directory ``path``, and change back to ``place``."""
        try:
            listing = await self._here((path, f"{place.rstrip('/')}/{path}"))
        except (ServerRefused, Unsupported, UnparsableListing):
            await self._back(place)
            raise
        except BaseException:
            self._control.close(NetworkError("the current directory is unknown"))
            raise
        await self._back(place)
        return listing

    async def _back(self, place: str) -> None:
        try:
            reply = await self._control.ask(f"CWD {place}")
        except BaseException:
            self._control.close(NetworkError("the current directory is unknown"))
            raise
        if reply.code >= 400:
            self._control.close(NetworkError(f"cannot change back to {place}: {reply.lines[-1]}"))

    async def _here(self, places: tuple[str, ...]) -> Listing:
        """List the current directory; times are converted from the server's zone."""
        return await self._zone.in_utc(await self._fullest(places))

    async def _fullest(self, places: tuple[str, ...]) -> Listing:
        """Return the listing with hidden names, if the server can list them."""
        if self._command is not None:
            return await self._listed(self._command, places)
        plain = await self._listed("LIST", places)
        if plain.shows_hidden:
            self._command = "LIST"
            return plain
        try:
            full = await self._listed("LIST -a", places)
        except (ServerRefused, Unsupported, UnparsableListing):
            self._command = "LIST"
            return plain
        return self._fuller(plain, full)

    def _fuller(self, plain: Listing, full: Listing) -> Listing:
        """Return the listing with more entries, and use its command from now on.

        If both are empty, the next directory decides.
        """
        names = {entry.name for entry in plain.entries}
        is_taken = full.is_complete and names <= {entry.name for entry in full.entries}
        if is_taken and full.shows_hidden:
            self._command = "LIST -a"
            return full
        if plain.entries or not is_taken:
            self._command = "LIST"
        return plain

    async def _listed(self, command: str, places: tuple[str, ...]) -> Listing:
        try:
            lines = await self._transfer.lines(command)
        except ServerRefused as error:
            return replace(empty_listing(error), shows_hidden=False)
        return text_listing(lines, self._now(), places)
