"""Making one tree hold what another does, here and on a server."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from twisted.internet.defer import Deferred, FirstError, gatherResults

from ftpservice_client.errors import ClientError, ServerRefused
from ftpservice_client.interfaces import ClientSession
from ftpservice_client.local.threads import ThreadRunner
from ftpservice_client.mirror.deletion import Deletion
from ftpservice_client.mirror.local_tree import (
    FileTree,
    PathFilters,
    make_directory_without_links,
    remote_path,
    remove_local,
    unlisted_steps,
    walk_local_tree,
)
from ftpservice_client.mirror.plan import needs_exact_facts, plan
from ftpservice_client.mirror.progress import MirrorProgress
from ftpservice_client.mirror.remote_tree import walk_remote_tree
from ftpservice_client.results import MirrorResult, MirrorStep, ProgressCallback
from ftpservice_client.sessions.pool import SessionPool
from ftpservice_client.sessions.queue import SessionQueue
from ftpservice_client.transfers.jobs import FileTransfers, TransferOptions
from ftpservice_client.transfers.remote_directories import ensure_directory

__all__ = ["Mirror", "MirrorOptions"]

TRANSFER_ACTIONS = frozenset({"upload", "download"})
FILE_ACTIONS = TRANSFER_ACTIONS | {"skip"}
REPORT_ONLY_ACTIONS = frozenset({"keep", "leave"})


@dataclass(frozen=True, slots=True)
class MirrorOptions:
    """How trees are to be moved."""

    up: bool
    delete: bool
    dry_run: bool
    filters: PathFilters
    parallel: int
    progress: ProgressCallback | None
    tally: MirrorProgress | None


class Mirror:
    """One recursive transfer, over connections of its own."""

    def __init__(
        self, line: SessionQueue | SessionPool, wishes: MirrorOptions, local: Path, path: str
    ) -> None:
        self._options = wishes
        self._local = local
        self._path = path
        size = max(1, wishes.parallel)
        self._lines = SessionPool(line.reactor, line.settings, line.dial, size, line.directory)
        self._carriage = FileTransfers(self._lines)
        self._threads = ThreadRunner(line.reactor)
        self._mirror_progress = wishes.tally or MirrorProgress()
        self._here = FileTree()
        self._there = FileTree(is_remote=True)
        self._done: list[MirrorStep] = []
        self._failed: list[tuple[MirrorStep, Exception]] = []

    def run(self) -> Deferred[MirrorResult]:
        """Run all steps; the result contains those that failed."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> MirrorResult:
        try:
            steps = await self._plan()
            if self._options.dry_run:
                self._done = steps
            else:
                await self._carry_out(steps)
        except BaseException:
            self._lines.abort()
            raise
        await self._lines.quit()
        result = MirrorResult(tuple(self._done), tuple(self._failed))
        if result.has_only_failures:
            result.raise_if_failed()
        return result

    async def _carry_out(self, steps: list[MirrorStep]) -> None:
        self._mirror_progress.plan([step for step in steps if step.action in TRANSFER_ACTIONS])
        await self._all([step for step in steps if step.action == "make"], 1)
        await self._all(
            [step for step in steps if step.action in FILE_ACTIONS], self._options.parallel
        )
        await self._delete([step for step in steps if step.action == "delete"])
        self._done += [step for step in steps if step.action in REPORT_ONLY_ACTIONS]

    async def _plan(self) -> list[MirrorStep]:
        wishes = self._options
        find_local = partial(walk_local_tree, self._local, wishes.filters, must_exist=wishes.up)
        here = self._here = await self._threads.call(find_local)
        try:
            self._there = await walk_remote_tree(self._lines, self._path, wishes.filters)
        except ServerRefused:
            if not wishes.up:
                raise
        self._failed += [*unlisted_steps(here), *unlisted_steps(self._there)]
        top = [MirrorStep("make", "")] if wishes.up else []
        pair = (here, self._there) if wishes.up else (self._there, here)
        await self._fetch_exact_facts(*pair)
        return top + plan(*pair, "upload" if wishes.up else "download", delete=wishes.delete)

    async def _fetch_exact_facts(self, source: FileTree, target: FileTree) -> None:
        """Ask for size and time of files of which a listing does not tell enough to compare."""
        there = self._there.items
        for path in [
            path for path, item in source.items.items() if needs_exact_facts(item, target, path)
        ]:
            name = remote_path(self._path, path)
            size = modified = None
            if there[path].time_grain or not there[path].modified:
                modified = await self._lines.ask(partial(_fetch_modified, name), again=True)
            if not there[path].size_known:
                size = await self._lines.ask(partial(_fetch_size, name), again=True)
            there[path] = there[path].with_facts(size, modified)

    async def _all(self, steps: list[MirrorStep], parallel: int) -> None:
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

    async def _attempt(self, step: MirrorStep) -> None:
        try:
            await self._do(step)
        except (ClientError, OSError, OverflowError) as error:
            self._failed.append((step, error))
        else:
            self._done.append(step)
        finally:
            self._mirror_progress.end(step)

    async def _do(self, step: MirrorStep) -> None:
        there, here = remote_path(self._path, step.name), self._local / step.name
        match step.action, self._options.up:
            case "make", True:
                await ensure_directory(self._lines, there, parents=not step.name)
            case "make", False:
                await self._threads.call(make_directory_without_links, self._local, step.name)
            case "upload", _:
                await self._upload(step, here, there)
            case "download", _:
                await self._download(step, there, here)
            case "delete", _:
                await self._threads.call(remove_local, self._local, step.name)

    def _options_with_progress(self, step: MirrorStep) -> TransferOptions:
        """Return the options with an observer for one file."""
        progress = self._options.progress
        self._mirror_progress.note(step, 0)

        def note(moved: int, total: int | None) -> None:
            self._mirror_progress.note(step, moved)
            if progress is not None:
                progress(moved, total)

        return TransferOptions(progress=progress if self._options.tally is None else note)

    async def _upload(self, step: MirrorStep, here: Path, there: str) -> None:
        """Send a file, and have it keep its time where the server can do that."""
        await self._carriage.upload(here, there, self._options_with_progress(step))
        seconds = self._here.items[step.name].modified
        with suppress(ClientError):  # the file is there, and whole
            await self._lines.ask(lambda session: session.set_modified(there, seconds), again=True)

    async def _download(self, step: MirrorStep, there: str, here: Path) -> None:
        directory = step.name.rpartition("/")[0]
        await self._threads.call(make_directory_without_links, self._local, directory)
        await self._carriage.download(there, here, self._options_with_progress(step))
        item = self._there.items[step.name]
        modified = item.modified
        if item.time_grain or not modified:
            exact = await self._lines.ask(lambda session: session.modified(there), again=True)
            modified = exact or modified
        if modified:
            await self._threads.call(os.utime, here, (modified, modified))

    async def _delete(self, steps: list[MirrorStep]) -> None:
        if not self._options.up:
            await self._all(steps, 1)
            return
        deletion = Deletion(self._lines, self._path, self._there)
        await deletion.run(steps)
        self._done += deletion.done
        self._failed += deletion.failed


async def _fetch_modified(name: str, session: ClientSession) -> float | None:
    return await session.modified(name)


async def _fetch_size(name: str, session: ClientSession) -> int | None:
    return await session.size(name)
