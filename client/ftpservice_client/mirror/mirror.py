"""Making one tree hold what another does, here and on a server."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from twisted.internet.defer import Deferred, FirstError, gatherResults

from ftpservice_client.errors import ClientError, Refused
from ftpservice_client.interfaces import Session
from ftpservice_client.local.threads import Threads
from ftpservice_client.mirror.deletion import Deletion
from ftpservice_client.mirror.local_tree import (
    Filters,
    Tree,
    below,
    local_tree,
    make_real_directory,
    not_listed,
    remove_local,
)
from ftpservice_client.mirror.plan import is_unsure, plan
from ftpservice_client.mirror.progress import Tally
from ftpservice_client.mirror.remote_tree import remote_tree
from ftpservice_client.results import Mirrored, Progress, Step
from ftpservice_client.sessions.pool import Lines
from ftpservice_client.sessions.queue import Line
from ftpservice_client.transfers.jobs import Carriage, Wishes
from ftpservice_client.transfers.remote_directories import make_directory

__all__ = ["Mirror", "MirrorWishes"]

MOVES = frozenset({"upload", "download"})
FILES = MOVES | {"skip"}
TOLD = frozenset({"keep", "leave"})


@dataclass(frozen=True, slots=True)
class MirrorWishes:
    """How trees are to be moved."""

    up: bool
    delete: bool
    dry_run: bool
    filters: Filters
    parallel: int
    progress: Progress | None
    tally: Tally | None


class Mirror:
    """One recursive transfer, over connections of its own."""

    def __init__(self, line: Line | Lines, wishes: MirrorWishes, local: Path, path: str) -> None:
        self._wishes = wishes
        self._local = local
        self._path = path
        size = max(1, wishes.parallel)
        self._lines = Lines(line.reactor, line.settings, line.dial, size, line.directory)
        self._carriage = Carriage(self._lines)
        self._threads = Threads(line.reactor)
        self._tally = wishes.tally or Tally()
        self._here = Tree()
        self._there = Tree(is_remote=True)
        self._done: list[Step] = []
        self._failed: list[tuple[Step, Exception]] = []

    def run(self) -> Deferred[Mirrored]:
        """Do it; what cannot be done is told with the rest."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> Mirrored:
        try:
            steps = await self._plan()
            if self._wishes.dry_run:
                self._done = steps
            else:
                await self._carry_out(steps)
        except BaseException:
            self._lines.abort()
            raise
        await self._lines.quit()
        result = Mirrored(tuple(self._done), tuple(self._failed))
        if result.is_fruitless:
            result.raise_if_failed()
        return result

    async def _carry_out(self, steps: list[Step]) -> None:
        self._tally.plan([step for step in steps if step.action in MOVES])
        await self._all([step for step in steps if step.action == "make"], 1)
        await self._all([step for step in steps if step.action in FILES], self._wishes.parallel)
        await self._delete([step for step in steps if step.action == "delete"])
        self._done += [step for step in steps if step.action in TOLD]

    async def _plan(self) -> list[Step]:
        wishes = self._wishes
        find_local = partial(local_tree, self._local, wishes.filters, must_exist=wishes.up)
        here = self._here = await self._threads.call(find_local)
        try:
            self._there = await remote_tree(self._lines, self._path, wishes.filters)
        except Refused:
            if not wishes.up:
                raise
        self._failed += [*not_listed(here), *not_listed(self._there)]
        top = [Step("make", "")] if wishes.up else []
        pair = (here, self._there) if wishes.up else (self._there, here)
        await self._see_exactly(*pair)
        return top + plan(*pair, "upload" if wishes.up else "download", delete=wishes.delete)

    async def _see_exactly(self, source: Tree, target: Tree) -> None:
        """Ask for size and time of files of which a listing does not tell enough to compare."""
        there = self._there.items
        for path in [path for path, item in source.items.items() if is_unsure(item, target, path)]:
            name = below(self._path, path)
            size = modified = None
            if there[path].time_grain or not there[path].modified:
                modified = await self._lines.ask(partial(_modified, name), again=True)
            if not there[path].size_known:
                size = await self._lines.ask(partial(_size, name), again=True)
            there[path] = there[path].seen_exactly(size, modified)

    async def _all(self, steps: list[Step], parallel: int) -> None:
        """Carry out steps, several at a time."""
        waiting = iter(steps)

        async def work() -> None:
            for step in waiting:
                await self._attempt(step)

        several = [Deferred.fromCoroutine(work()) for _ in range(max(1, parallel))]
        try:
            await gatherResults(several, consumeErrors=True)
        except FirstError as error:
            for one in several:
                one.cancel()
            error.subFailure.raiseException()

    async def _attempt(self, step: Step) -> None:
        try:
            await self._do(step)
        except (ClientError, OSError, OverflowError) as error:
            self._failed.append((step, error))
        else:
            self._done.append(step)
        finally:
            self._tally.end(step)

    async def _do(self, step: Step) -> None:
        there, here = below(self._path, step.name), self._local / step.name
        match step.action, self._wishes.up:
            case "make", True:
                await make_directory(self._lines, there, parents=not step.name)
            case "make", False:
                await self._threads.call(make_real_directory, self._local, step.name)
            case "upload", _:
                await self._upload(step, here, there)
            case "download", _:
                await self._download(step, there, here)
            case "delete", _:
                await self._threads.call(remove_local, self._local, step.name)

    def _watched(self, step: Step) -> Wishes:
        """Have whoever wants to know how far a file is."""
        progress = self._wishes.progress
        self._tally.note(step, 0)

        def note(moved: int, total: int | None) -> None:
            self._tally.note(step, moved)
            if progress is not None:
                progress(moved, total)

        return Wishes(progress=progress if self._wishes.tally is None else note)

    async def _upload(self, step: Step, here: Path, there: str) -> None:
        """Send a file, and have it keep its time where the server can do that."""
        await self._carriage.upload(here, there, self._watched(step))
        seconds = self._here.items[step.name].modified
        with suppress(ClientError):  # the file is there, and whole
            await self._lines.ask(lambda session: session.set_modified(there, seconds), again=True)

    async def _download(self, step: Step, there: str, here: Path) -> None:
        directory = step.name.rpartition("/")[0]
        await self._threads.call(make_real_directory, self._local, directory)
        await self._carriage.download(there, here, self._watched(step))
        item = self._there.items[step.name]
        modified = item.modified
        if item.time_grain or not modified:
            exact = await self._lines.ask(lambda session: session.modified(there), again=True)
            modified = exact or modified
        if modified:
            await self._threads.call(os.utime, here, (modified, modified))

    async def _delete(self, steps: list[Step]) -> None:
        if not self._wishes.up:
            await self._all(steps, 1)
            return
        deletion = Deletion(self._lines, self._path, self._there)
        await deletion.run(steps)
        self._done += deletion.done
        self._failed += deletion.failed


async def _modified(name: str, session: Session) -> float | None:
    return await session.modified(name)


async def _size(name: str, session: Session) -> int | None:
    return await session.size(name)
