"""Deletes files and trees on the server, never through a link.

Some servers list a link to a directory as a directory. Therefore DELE is tried on each directory
first: it removes a link and leaves the target of the link alone.
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
    """Deletes files and directories below ``top``; the outcome is in ``done`` and ``failed``."""

    def __init__(self, sessions: SessionQueue | SessionPool, top: str, tree: FileTree) -> None:
        self.done: list[MirrorStep] = []
        self.failed: list[tuple[MirrorStep, Exception]] = []
        self._sessions = sessions
        self._top = top
        self._tree = tree

    async def run(self, steps: Sequence[MirrorStep]) -> None:
        """Run the steps; the content of a directory comes before the directory."""
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
                await self._sessions.run(partial(_delete, path))
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
                await self._sessions.run(partial(_remove_link, path))
            elif self._is_directory(step.name):
                await self._sessions.run(lambda session: session.remove_directory(path))
            else:
                await self._sessions.run(lambda session: session.delete(path))
        except ClientError as error:
            self.failed.append((step, error))
        else:
            self.done.append(step)


class TreeRemoval:
    """Removes a directory with its content, or a file or a link."""

    def __init__(self, sessions: SessionQueue | SessionPool, path: str) -> None:
        self._sessions = sessions
        self._path = path

    def run(self) -> Deferred[MirrorResult]:
        """Remove everything; the result contains the steps that failed."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> MirrorResult:
        if not checked_argument(self._path).strip("/."):
            raise InvalidArgument("the directory to remove needs a name")
        entry = await self._sessions.run(lambda session: session.stat(self._path), repeatable=True)
        whole = MirrorStep("delete", "", entry.size)
        try:
            await self._sessions.run(lambda session: session.delete(self._path))
        except (ServerRefused, Unsupported):
            if entry.kind is Kind.FILE:
                raise
            if entry.kind is Kind.DIRECTORY:
                return await self._remove_tree(
                    await walk_remote_tree(self._sessions, self._path, PathFilters())
                )
            await self._sessions.run(lambda session: session.remove_directory(self._path))
        return MirrorResult((whole,))

    async def _remove_tree(self, tree: FileTree) -> MirrorResult:
        tree.links |= tree.excluded  # to be deleted without a look inside, like links
        tree.excluded = set()
        tree.aliased = set()  # both names are deleted, the link first
        failed = unlisted_steps(tree)
        steps = plan_deletions(FileTree(), tree)
        kept = [step for step in steps if step.action == "keep"]
        deletion = Deletion(self._sessions, self._path, tree)
        await deletion.run([step for step in steps if step.action == "delete"])
        if not failed and not deletion.failed and not kept:
            await self._sessions.run(lambda session: session.remove_directory(self._path))
            deletion.done.append(MirrorStep("delete", ""))
        return MirrorResult((*deletion.done, *kept), (*failed, *deletion.failed))
