"""The deletion of a directory with all that is in it: what cannot be deleted is told."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

from twisted.internet.task import deferLater

from ftpservice.commands.upload_resumption import remove_file
from ftpservice.events import FileChanged
from ftpservice.storage.errors import StorageError
from ftpservice.web.access.account_session import AccountSession
from ftpservice.web.files.directory_batches import OpenDirectory, has_address
from ftpservice.web.files.file_problems import problem_for, refusals
from ftpservice.web.files.response_stream import ResponseStream
from ftpservice.web.http.problems import Problem
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["DirectoryTreeRemoval"]

MAX_DEPTH = 256
REPORT_SECONDS = 2.0
"""Time between two lines about the progress, which keep proxies from giving up."""
NAME_TEXT = "The name has a line end, so no path can name it."
DEPTH_TEXT = "It is too deep."


class DirectoryTreeRemoval:
    """Removes directories of an account; each failure, and the progress, is a line of ``stream``.

    Links are removed themselves, and not followed.
    """

    def __init__(self, account: AccountSession, stream: ResponseStream) -> None:
        self._account = account
        self._context = account.context
        self._stream = stream
        self._reported = self._context.services.clock.seconds()
        self.deleted = 0
        self.failed = 0

    async def remove(self, top: VirtualPath) -> None:
        """Remove a directory and what is in it, as far as that is possible."""
        waiting = [(top, False)]
        while waiting:
            path, is_emptied = waiting.pop()
            if is_emptied:
                await self._remove(path, True)
                continue
            if len(path.parts) - len(top.parts) > MAX_DEPTH:
                await self._fail(path, DEPTH_TEXT)
                continue
            waiting.append((path, True))
            waiting += [(below, False) for below in await self._remove_files(path)]

    async def _remove_files(self, directory: VirtualPath) -> list[VirtualPath]:
        """Remove the files of a directory; return the directories in it."""
        below: list[VirtualPath] = []
        try:
            opened = await OpenDirectory.of(self._context.storage, directory)
            async with aclosing(opened.batches()) as batches:
                async for batch in batches:
                    below += await self._remove_entries(directory, batch)
        except StorageError as error:
            await self._fail(directory, _text(error))
        return below

    async def _remove_entries(
        self, directory: VirtualPath, batch: Sequence[Entry]
    ) -> list[VirtualPath]:
        below = []
        for entry in batch:
            path = directory.child(entry.name)
            if not has_address(entry):
                await self._fail(path, NAME_TEXT)
            elif entry.kind is Kind.DIRECTORY:
                below.append(path)
            else:
                await self._remove(path, False)
        return below

    async def _remove(self, path: VirtualPath, is_directory: bool) -> None:
        context = self._context
        try:
            with refusals(self._account, "POST delete", path):
                if is_directory:
                    await context.storage.remove_directory(path)
                else:
                    await remove_file(context, path)
        except Problem as problem:
            await self._fail(path, problem.detail)
            return
        context.events.publish(FileChanged, "rmdir" if is_directory else "delete", str(path))
        self.deleted += 1
        await self._report()

    async def _fail(self, path: VirtualPath, text: str) -> None:
        self.failed += 1
        await self._stream.write_line({"path": str(path), "detail": text})

    async def _report(self) -> None:
        clock = self._context.services.clock
        if clock.seconds() - self._reported >= REPORT_SECONDS:
            self._reported = clock.seconds()
            await self._stream.write_line({"deleted": self.deleted})
            await deferLater(clock, 0)


def _text(error: StorageError) -> str:
    problem = problem_for(error)
    return problem.detail if problem is not None else error.words
