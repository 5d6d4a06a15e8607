"""Mirrors a directory tree from the server to the client or from the client to the server."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IReactorThreads

from ftpservice.concurrency.batched_calls import BatchedCalls
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice_client.errors import ClientError, ServerRefused
from ftpservice_client.interfaces import ClientSession
from ftpservice_client.local.targets import PathTarget
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
from ftpservice_client.transfers.download import ResumableDownload
from ftpservice_client.transfers.remote_directories import ensure_directory
from ftpservice_client.transfers.upload import ResumableUpload

__all__ = ["DEFAULT_PARALLEL", "Mirror", "MirrorOptions"]

TRANSFER_ACTIONS = frozenset({"upload", "download"})
FILE_ACTIONS = TRANSFER_ACTIONS | {"skip"}
DEFAULT_PARALLEL = 2
"""Connections of a mirror: while one of them waits for the server, the other one is used."""
MAX_WAITING_FILES = 16
"""Files that are received and not written, or prepared for an upload, while others use a session.
"""
REPORT_ONLY_ACTIONS = frozenset({"keep", "leave"})


@dataclass(frozen=True, slots=True)
class MirrorOptions:
    """The options of `Client.mirror`."""

    up: bool
    delete: bool
    dry_run: bool
    filters: PathFilters
    parallel: int
    progress: ProgressCallback | None
    mirror_progress: MirrorProgress | None


class Mirror:
    """One mirror, over connections of its own."""

    def __init__(
        self,
        sessions: SessionQueue | SessionPool,
        options: MirrorOptions,
        local: Path,
        path: str,
    ) -> None:
        self._options = options
        self._local = local
        self._path = path
        self._sessions = SessionPool(
            sessions.reactor,
            sessions.settings,
            sessions.session_factory,
            max(1, options.parallel),
            sessions.directory,
        )
        self._pool = sessions.pool
        self._small_writes: BlockingRunner = self._pool
        reactor = sessions.reactor
        if IReactorThreads.providedBy(reactor):
            self._small_writes = BatchedCalls(self._pool, reactor, MAX_WAITING_FILES)
        self._mirror_progress = options.mirror_progress or MirrorProgress()
        self._local_tree = FileTree()
        self._remote_tree = FileTree(is_remote=True)
        self._done: list[MirrorStep] = []
        self._failed: list[tuple[MirrorStep, Exception]] = []
        self._setting_times: set[Deferred[Any]] = set()
        self._unset_times: list[tuple[str, float]] = []

    def run(self) -> Deferred[MirrorResult]:
        """Run the mirror; the result contains the steps that failed."""
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> MirrorResult:
        try:
            steps = await self._plan()
            if self._options.dry_run:
                self._done = steps
            else:
                await self._run_steps(steps)
        except BaseException:
            self._sessions.abort()
            raise
        await self._sessions.quit()
        result = MirrorResult(tuple(self._done), tuple(self._failed))
        if result.has_only_failures:
            result.raise_if_failed()
        return result

    async def _run_steps(self, steps: list[MirrorStep]) -> None:
        self._mirror_progress.plan([step for step in steps if step.action in TRANSFER_ACTIONS])
        await self._run_all([step for step in steps if step.action == "make"], 1)
        await self._run_all(
            [step for step in steps if step.action in FILE_ACTIONS],
            self._options.parallel + MAX_WAITING_FILES,
        )
        await self._finish_setting_times()
        await self._delete([step for step in steps if step.action == "delete"])
        self._done += [step for step in steps if step.action in REPORT_ONLY_ACTIONS]

    async def _plan(self) -> list[MirrorStep]:
        options = self._options
        find_local = partial(walk_local_tree, self._local, options.filters, must_exist=options.up)
        here = self._local_tree = await self._pool.run(find_local)
        try:
            self._remote_tree = await walk_remote_tree(self._sessions, self._path, options.filters)
        except ServerRefused:
            if not options.up:
                raise
        self._failed += [*unlisted_steps(here), *unlisted_steps(self._remote_tree)]
        top = [MirrorStep("make", "")] if options.up else []
        pair = (here, self._remote_tree) if options.up else (self._remote_tree, here)
        await self._fetch_exact_facts(*pair)
        return top + plan(*pair, "upload" if options.up else "download", delete=options.delete)

    async def _fetch_exact_facts(self, source: FileTree, target: FileTree) -> None:
        """Ask for size and time of files whose listing is not exact enough for a comparison."""
        there = self._remote_tree.items
        for path in [
            path for path, item in source.items.items() if needs_exact_facts(item, target, path)
        ]:
            name = remote_path(self._path, path)
            size = modified = None
            if there[path].time_grain or not there[path].modified:
                modified = await self._sessions.run(partial(_fetch_modified, name), repeatable=True)
            if not there[path].size_known:
                size = await self._sessions.run(partial(_fetch_size, name), repeatable=True)
            there[path] = there[path].with_facts(size, modified)

    async def _run_all(self, steps: list[MirrorStep], parallel: int) -> None:
        """Run steps, ``parallel`` of them at a time.

        Files are more than there are sessions: while some are written to the disk, or one is
        opened, others use the sessions.
        """
        waiting = iter(steps)

        async def work() -> None:
            for step in waiting:
                try:
                    await self._run_step(step)
                except (ClientError, OSError, OverflowError) as error:
                    self._failed.append((step, error))
                else:
                    self._done.append(step)
                finally:
                    if step.action in TRANSFER_ACTIONS:
                        self._mirror_progress.end(step)

        workers = [Deferred.fromCoroutine(work()) for _ in range(max(1, parallel))]
        try:
            await gatherResults(workers, consumeErrors=True)
        except FirstError as error:
            for worker in workers:
                worker.cancel()
            error.subFailure.raiseException()

    async def _run_step(self, step: MirrorStep) -> None:
        remote, local = remote_path(self._path, step.name), self._local / step.name
        if step.action == "download":
            await self._download(step, remote, local)
        elif step.action == "upload":
            await self._upload(step, local, remote)
        elif step.action == "make" and self._options.up:
            await ensure_directory(self._sessions, remote, parents=not step.name)
        elif step.action == "make":
            await self._pool.run(make_directory_without_links, self._local, step.name)
        elif step.action == "delete":
            await self._pool.run(remove_local, self._local, step.name)

    def _progress_of(self, step: MirrorStep) -> ProgressCallback | None:
        """Return the progress callback for the transfer of a file."""
        progress, mirror_progress = self._options.progress, self._mirror_progress
        if self._options.mirror_progress is None:
            return progress

        def note(moved: int, total: int | None) -> None:
            mirror_progress.note(step, moved)
            if progress is not None:
                progress(moved, total)

        return note

    async def _upload(self, step: MirrorStep, local: Path, remote: str) -> None:
        """Upload a file, and set its modification time if the server can do that."""
        modified = self._local_tree.items[step.name].modified
        await ResumableUpload(
            self._sessions,
            local,
            remote,
            restarts_small=True,
            finish=partial(self._begin_set_modified, remote, modified),
            progress=self._progress_of(step),
        ).run()

    async def _begin_set_modified(
        self, remote: str, modified: float, session: ClientSession
    ) -> None:
        """Send MFMT; wait for its reply unless the next command may be sent before it."""
        setting = Deferred.fromCoroutine(session.set_modified(remote, modified))
        setting.addErrback(lambda _: self._unset_times.append((remote, modified)))
        if session.accepts_pipelining:
            self._setting_times.add(setting)
            setting.addCallback(lambda _: self._setting_times.discard(setting))
        else:
            await setting

    async def _finish_setting_times(self) -> None:
        """Wait for the replies to MFMT; repeat those that a lost connection left without one."""
        await gatherResults(self._setting_times)
        for remote, modified in self._unset_times:
            with suppress(ClientError):
                await self._sessions.run(partial(_set_modified, remote, modified), repeatable=True)

    async def _download(self, step: MirrorStep, remote: str, local: Path) -> None:
        """Download a file and set its modification time."""
        item = self._remote_tree.items[step.name]
        exact = item.modified if item.modified and not item.time_grain else None
        # The directory and the time of a small file are made by the call that writes the file.
        target = PathTarget(
            self._pool,
            local,
            small_pool=self._small_writes,
            prepare=partial(
                make_directory_without_links, self._local, step.name.rpartition("/")[0]
            ),
            modified=exact,
        )
        progress = self._progress_of(step)
        await ResumableDownload(
            self._sessions, remote, target, modified=exact, progress=progress
        ).run()
        if exact is None:
            asked = await self._sessions.run(partial(_fetch_modified, remote), repeatable=True)
            modified = asked or item.modified
            if modified:
                await self._pool.run(os.utime, local, (modified, modified))

    async def _delete(self, steps: list[MirrorStep]) -> None:
        if not self._options.up:
            await self._run_all(steps, 1)
            return
        deletion = Deletion(self._sessions, self._path, self._remote_tree)
        await deletion.run(steps)
        self._done += deletion.done
        self._failed += deletion.failed


async def _fetch_modified(name: str, session: ClientSession) -> float | None:
    return await session.modified(name)


async def _fetch_size(name: str, session: ClientSession) -> int | None:
    return await session.size(name)


async def _set_modified(name: str, seconds: float, session: ClientSession) -> None:
    await session.set_modified(name, seconds)
