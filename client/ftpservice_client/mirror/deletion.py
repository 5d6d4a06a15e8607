"""Deleting on the server, trees too; never through a link.

There are servers that tell a link to a directory as a directory. So each directory is first tried
to be deleted as a file (DELE): for a link that works, and what it points at is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from twisted.internet.defer import Deferred

from ftpservice.wire.entry import Kind
from ftpservice_client.arguments import checked
from ftpservice_client.errors import BadName, ClientError, Cut, Refused, Unsupported
from ftpservice_client.interfaces import Session
from ftpservice_client.mirror.local_tree import Filters, Tree, below, not_listed
from ftpservice_client.mirror.plan import deletions
from ftpservice_client.mirror.remote_tree import remote_tree
from ftpservice_client.results import Mirrored, Step
from ftpservice_client.sessions.pool import Lines
from ftpservice_client.sessions.queue import Line

__all__ = ["Deletion", "Removal"]


async def _delete(path: str, session: Session) -> None:
    await session.delete(path)


async def _remove_link(path: str, session: Session) -> None:
    """Remove a link itself: most servers do that with DELE, some with RMD."""
    try:
        await session.delete(path)
    except (Refused, Unsupported) as error:
        try:
            await session.remove_directory(path)
        except (Refused, Unsupported):
            raise error from None


class Deletion:
    """Deletes what steps name in a tree below ``top``; ``done`` and ``failed`` tell the outcome."""

    def __init__(self, line: Line | Lines, top: str, tree: Tree) -> None:
        self.done: list[Step] = []
        self.failed: list[tuple[Step, Exception]] = []
        self._line = line
        self._top = top
        self._tree = tree

    async def run(self, steps: Sequence[Step]) -> None:
        """Carry out steps, which name what is in a directory before the directory."""
        gone = await self._delete_hidden_links(steps)
        for step in steps:
            if not any(step.name.startswith(f"{link}/") or step.name == link for link in gone):
                await self._attempt(step)

    async def _delete_hidden_links(self, steps: Sequence[Step]) -> list[str]:
        """Delete links that were told as directories; returns their paths."""
        gone: list[str] = []
        directories = [step for step in reversed(steps) if self._is_directory(step.name)]
        for step in directories:
            if any(step.name.startswith(f"{link}/") for link in gone):
                continue
            path = below(self._top, step.name)
            try:
                await self._line.ask(partial(_delete, path))
            except (Refused, Unsupported):
                continue
            except Cut as error:
                self.failed.append((step, error))
                break
            gone.append(step.name)
            self.done.append(step)
        return gone

    def _is_directory(self, name: str) -> bool:
        item = self._tree.items.get(name)
        return item is not None and item.is_directory

    async def _attempt(self, step: Step) -> None:
        path = below(self._top, step.name)
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


class Removal:
    """Removes a directory and what is in it; a file or a link, itself."""

    def __init__(self, line: Line | Lines, path: str) -> None:
        self._line = line
        self._path = path

    def run(self) -> Deferred[Mirrored]:
        """Do it; what cannot be removed is told with the rest."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> Mirrored:
        if not checked(self._path).strip("/."):
            raise BadName("the directory that is to be removed needs a name")
        entry = await self._line.ask(lambda session: session.stat(self._path), again=True)
        whole = Step("delete", "", entry.size)
        try:
            await self._line.ask(lambda session: session.delete(self._path))
        except (Refused, Unsupported):
            if entry.kind is Kind.FILE:
                raise
            if entry.kind is Kind.DIRECTORY:
                return await self._remove_tree(await remote_tree(self._line, self._path, Filters()))
            await self._line.ask(lambda session: session.remove_directory(self._path))
        return Mirrored((whole,))

    async def _remove_tree(self, tree: Tree) -> Mirrored:
        tree.links |= tree.others  # to be deleted as they are, like links
        tree.others = set()
        tree.shared = set()  # both are to go, and the one that is a link goes first
        failed = not_listed(tree)
        steps = deletions(Tree(), tree)
        kept = [step for step in steps if step.action == "keep"]
        deletion = Deletion(self._line, self._path, tree)
        await deletion.run([step for step in steps if step.action == "delete"])
        if not failed and not deletion.failed and not kept:
            await self._line.ask(lambda session: session.remove_directory(self._path))
            deletion.done.append(Step("delete", ""))
        return Mirrored((*deletion.done, *kept), (*failed, *deletion.failed))
