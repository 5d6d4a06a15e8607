"""Deleting on the server, trees too; never through a link.

There are servers that tell a link to a directory as a directory. So each directory is first tried
to be deleted as a file (DELE): for a link that works, and what it points at is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from twisted.internet.defer import Deferred

from ftpservice.wire.entry import Kind
from ftpservice_client.arguments import checked_argument
from ftpservice_client.errors import (
    ClientError,
    InvalidArgument,
    NetworkError,
    ServerRefused,
    Unsupported,
)
from ftpservice_client.interfaces import ClientSession
from ftpservice_client.mirror.local_tree import FileTree, PathFilters, remote_path, unlisted_steps
from ftpservice_client.mirror.plan import plan_deletions
from ftpservice_client.mirror.remote_tree import walk_remote_tree
from ftpservice_client.results import MirrorResult, MirrorStep
from ftpservice_client.sessions.pool import SessionPool
from ftpservice_client.sessions.queue import SessionQueue

__all__ = ["Deletion", "TreeRemoval"]


async def _delete(path: str, session: ClientSession) -> None:
    await session.delete(path)


async def _remove_link(path: str, session: ClientSession) -> None:
    """Remove a link itself: most servers do that with DELE, some with RMD."""
    try:
        await session.delete(path)
    except (ServerRefused, Unsupported) as error:
        try:
            await session.remove_directory(path)
        except (ServerRefused, Unsupported):
            raise error from None


class Deletion:
    """Deletes what steps name in a tree below ``top``; ``done`` and ``failed`` tell the outcome."""

    def __init__(self, line: SessionQueue | SessionPool, top: str, tree: FileTree) -> None:
        self.done: list[MirrorStep] = []
        self.failed: list[tuple[MirrorStep, Exception]] = []
        self._line = line
        self._top = top
        self._tree = tree

    async def run(self, steps: Sequence[MirrorStep]) -> None:
        """Carry out steps, which name what is in a directory before the directory."""
        gone = await self._delete_hidden_links(steps)
        for step in steps:
            if not any(step.name.startswith(f"{link}/") or step.name == link for link in gone):
                await self._attempt(step)

    async def _delete_hidden_links(self, steps: Sequence[MirrorStep]) -> list[str]:
        """Delete links that were listed as directories; return their paths."""
        gone: list[str] = []
        directories = [step for step in reversed(steps) if self._is_directory(step.name)]
        for step in directories:
            if any(step.name.startswith(f"{link}/") for link in gone):
                continue
            path = remote_path(self._top, step.name)
            try:
                await self._line.ask(partial(_delete, path))
            except (ServerRefused, Unsupported):
                continue
            except NetworkError as error:
                self.failed.append((step, error))
                break
            gone.append(step.name)
            self.done.append(step)
        return gone

    def _is_directory(self, name: str) -> bool:
        item = self._tree.items.get(name)
        return item is not None and item.is_directory

    async def _attempt(self, step: MirrorStep) -> None:
        path = remote_path(self._top, step.name)
        try:
            if step.name in self._tree.links:
                await self._line.ask(partial(_remove_link, path))
            elif self._is_directory(step.name):
                await self._line.ask(lambda session: session.remove_directory(path))
            else:
                await self._line.ask(lambda session: session.delete(path))
        except ClientError as error:
            self.failed.append((step, error))
        else:
            self.done.append(step)


class TreeRemoval:
    """Removes a directory and what is in it; a file or a link, itself."""

    def __init__(self, line: SessionQueue | SessionPool, path: str) -> None:
        self._line = line
        self._path = path

    def run(self) -> Deferred[MirrorResult]:
        """Delete everything; the result contains the steps that failed."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> MirrorResult:
        if not checked_argument(self._path).strip("/."):
            raise InvalidArgument("the directory that is to be removed needs a name")
        entry = await self._line.ask(lambda session: session.stat(self._path), again=True)
        whole = MirrorStep("delete", "", entry.size)
        try:
            await self._line.ask(lambda session: session.delete(self._path))
        except (ServerRefused, Unsupported):
            if entry.kind is Kind.FILE:
                raise
            if entry.kind is Kind.DIRECTORY:
                return await self._remove_tree(
                    await walk_remote_tree(self._line, self._path, PathFilters())
                )
            await self._line.ask(lambda session: session.remove_directory(self._path))
        return MirrorResult((whole,))

    async def _remove_tree(self, tree: FileTree) -> MirrorResult:
        tree.links |= tree.others  # to be deleted as they are, like links
        tree.others = set()
        tree.aliased = set()  # both are to go, and the one that is a link goes first
        failed = unlisted_steps(tree)
        steps = plan_deletions(FileTree(), tree)
        kept = [step for step in steps if step.action == "keep"]
        deletion = Deletion(self._line, self._path, tree)
        await deletion.run([step for step in steps if step.action == "delete"])
        if not failed and not deletion.failed and not kept:
            await self._line.ask(lambda session: session.remove_directory(self._path))
            deletion.done.append(MirrorStep("delete", ""))
        return MirrorResult((*deletion.done, *kept), (*failed, *deletion.failed))
