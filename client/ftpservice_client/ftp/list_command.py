"""Listing a directory with LIST, for servers without MLSD.

The session changes into the directory and sends LIST without a name, because servers cut a name at
a space or take it for a pattern. That the directory can be entered also tells an empty one from
one that is not there, which many servers answer alike.
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
    """Return what a refusal to list means for a directory that is known to be there.

    Without files servers say ``450 No files found`` and the like. Of other words nothing is known,
    and a refusal that reports a fault is raised again.
    """
    reply = error.reply
    if reply is None or reply.code not in (codes.FILE_BUSY, codes.FILE_UNAVAILABLE):
        raise error
    said = " ".join(reply.lines)
    if FAILURE_PATTERN.search(said):
        raise error
    return (
        Listing(())
        if EMPTY_DIRECTORY_PATTERN.search(said)
        else Listing((), unparsed=(f"{reply.code} {said}",))
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
        """Return what a directory holds, or why the path, which may be a file's, is not entered.

        Raises `Unsupported` for a server that enters no directories.
        """
        await self._control.drain_abandoned()
        if not path:
            return await self._here(("",))
        place = self._directory()
        if not can_change_to("", place):
            raise Unsupported("the server does not tell where the session is")
        reply = await self._control.ask(f"CWD {path}")
        if reply.code in NOT_IMPLEMENTED_CODES:
            raise Unsupported(f"the server enters no directories: {reply.lines[-1]}")
        if reply.code >= 400:
            error = error_for_reply(reply, f"CWD {path}")
            if reply.code >= 500 and isinstance(error, ServerRefused):
                return error
            raise error
        return await self._entered(path, place)

    async def require_directory(self, path: str) -> None:
        """Enter a directory and go back; raises `NotFound`, `Denied` for what is none."""
        place = self._directory()
        if not can_change_to("", place):
            return
        reply = await self._control.ask(f"CWD {path or place}")
        if reply.code >= 400:
            raise error_for_reply(reply, f"CWD {path or place}")
        await self._back(place)

    async def _entered(self, path: str, place: str) -> Listing:
        """List the directory that was entered, and go back."""
        try:
            listing = await self._here((path, f"{place.rstrip('/')}/{path}"))
        except (ServerRefused, Unsupported, UnparsableListing):
            await self._back(place)
            raise
        except BaseException:
            self._control.close(NetworkError("where the session is would not be known"))
            raise
        await self._back(place)
        return listing

    async def _back(self, place: str) -> None:
        try:
            reply = await self._control.ask(f"CWD {place}")
        except BaseException:
            self._control.close(NetworkError("where the session is would not be known"))
            raise
        if reply.code >= 400:
            self._control.close(
                NetworkError(f"the server does not go back to {place}: {reply.lines[-1]}")
            )

    async def _here(self, places: tuple[str, ...]) -> Listing:
        """List the directory where the session is; times are corrected by the server's zone."""
        return await self._zone.in_utc(await self._fullest(places))

    async def _fullest(self, places: tuple[str, ...]) -> Listing:
        """Return the listing with hidden names, if the server lists them."""
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
        """Return the listing that shows more, and use its command from now on.

        Where neither shows anything, the next directory decides.
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
