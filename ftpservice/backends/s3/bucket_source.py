"""``s3:BUCKET`` — the storage source for a bucket of an S3 server."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as CallTimedOut
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.api.prompt_requests import PromptRequests
from ftpservice.backends.s3.api.signed_requests import BytesBody, SignedRequests
from ftpservice.backends.s3.bucket_trash import remove_expired
from ftpservice.backends.s3.server_traits import probe, shortcomings
from ftpservice.backends.s3.storage import S3Storage
from ftpservice.backends.s3.tree.bucket_calls import in_bucket, unless_abandoned
from ftpservice.backends.s3.tree.served_bucket import BucketView, ServedBucket
from ftpservice.backends.s3.uploads.abandoned_uploads import remove_abandoned
from ftpservice.concurrency.thread_pool import BlockingPool, BlockingRunner
from ftpservice.storage.errors import StorageError, Unavailable
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.source_strings import IPathNamedSource
from ftpservice.wire.paths import ROOT, VirtualPath
from ftpservice.wire.units import count_text, seconds_text

__all__ = ["S3Source"]

T = TypeVar("T")
THREADS = 24
SENDING_THREADS = 8
LOGIN_SECONDS = 10.0
"""How long a login waits for the server."""
SWEEP_SECONDS = 3600.0

log = Logger("ftpservice")


@implementer(IPathNamedSource)
class S3Source:
    """Serves the bucket of ``options``; nothing is asked of the server before the first login.

    ``pool``: by default the source has its own, which `stop` ends.
    """

    def __init__(
        self, options: BucketOptions, reactor: Any, pool: BlockingRunner | None = None
    ) -> None:
        self._options = options
        self._clock = reactor
        self._own_pool = (
            BlockingPool(IReactorFromThreads(reactor), "s3 storage", threads=THREADS)
            if pool is None
            else None
        )
        runner = cast(BlockingRunner, pool or self._own_pool)
        self._served = ServedBucket(options, SignedRequests(options), runner)
        if pool is None:
            threads = IReactorFromThreads(reactor)
            self._served.sending = BlockingPool(threads, "s3 sending", threads=SENDING_THREADS)
            self._served.prompt = PromptRequests(self._served.requests, reactor)
        self._is_tried, self._told_reason = False, ""
        self._waiting: list[Deferred[None]] = []
        """Logins that wait until it is known what the server can do."""
        self._sweep_loop = LoopingCall(self._sweep_and_log)
        self._second_loop = LoopingCall(self._each_second)
        for loop in self._loops:
            loop.clock = reactor

    async def storage(self, owner: str, top: VirtualPath) -> IStorage:
        """Return ``owner``'s storage with its root at ``top``, which is created if missing.

        Raises `Unavailable` if the server does not answer in time.
        """
        await self._in_time(self._try_server())
        view = BucketView(self._served, owner, top)
        view.keys.require_valid(ROOT)
        key = view.keys.directory(ROOT)
        if top.parts and not self._served.directories.has(key):
            await self._in_time(view.in_thread(ROOT, _make_top, view))
            self._served.directories.add(key)
        return S3Storage(view)

    def describe(self) -> str:
        """Return the storage string, without what says how the server is reached."""
        return self._options.shown

    def storage_name(self, path: VirtualPath) -> str:
        """Return the URL of an object."""
        return f"s3://{self._options.bucket}/{self._options.prefix}{'/'.join(path.parts)}"

    async def sweep(self) -> int:
        """Remove partial uploads that are too old, and expired files of the trash.

        Called every hour by itself.
        """
        busy = {one.record_key for one in self._served.running.uploads}
        view = BucketView(self._served, "", ROOT)
        expired = await view.in_thread(ROOT, remove_expired, view)
        return expired + await view.in_thread(ROOT, remove_abandoned, view, busy)

    async def stop(self) -> None:
        """End the sweeps, the threads and the connections."""
        for loop in self._loops:
            if loop.running:
                loop.stop()
        if self._served.prompt is not None:
            self._served.prompt.stop()
        self._served.requests.stop()
        for pool in filter(None, (self._own_pool, self._served.sending)):
            await pool.stop()

    @property
    def _loops(self) -> tuple[LoopingCall, LoopingCall]:
        return self._sweep_loop, self._second_loop

    def _each_second(self) -> None:
        if self._served.prompt is not None:
            self._served.prompt.tick()
        for upload in tuple(self._served.running.uploads):
            upload.progress.tick()

    async def _in_time(self, work: Coroutine[Any, Any, T]) -> T:
        waiting = unless_abandoned(Deferred.fromCoroutine(work))
        try:
            return await waiting.addTimeout(LOGIN_SECONDS, self._clock)
        except CallTimedOut:
            text = f"{self.describe()}: no answer within {seconds_text(LOGIN_SECONDS)}"
            raise Unavailable(ROOT, text) from None

    async def _try_server(self) -> None:
        """Find out what the server can do, once for all logins."""
        if self._is_tried:
            return
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        if len(self._waiting) == 1:
            call = in_bucket(self._served.runner, ROOT, probe, self._served)
            Deferred.fromCoroutine(call).addBoth(self._tried)
        await done

    def _tried(self, result: Any) -> None:
        if isinstance(result, Failure):
            error = result.value
            if isinstance(error, StorageError):
                reason = error.detail or error.reason
            else:
                reason = repr(error)
            if reason != self._told_reason:  # each login that fails tells it, too
                log.error("{storage}: {reason}", storage=self.describe(), reason=reason)
                self._told_reason = reason
        else:
            self._is_tried = True
            self._served.traits = result
            self._tell()
            self._sweep_loop.start(SWEEP_SECONDS)
            self._second_loop.start(1.0, now=False)
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if self._is_tried:
                one.callback(None)
            else:
                one.errback(Failure(Unavailable(ROOT, f"{self.describe()}: {reason}")))

    def _tell(self) -> None:
        log.info(
            "{storage} is at {place}", storage=self.describe(), place=self._served.requests.place
        )
        for text in shortcomings(self._served.traits):
            log.warn("{storage}: {text}", storage=self.describe(), text=text)

    async def _sweep_and_log(self) -> None:
        """Sweep; a failure is logged, and the next sweep tries again."""
        try:
            removed = await self.sweep()
        except CancelledError:
            return
        except StorageError as error:
            log.warn("removing expired partial uploads failed: {error}", error=error)
            return
        if removed:
            files = count_text(removed, "expired file")
            log.info("removed {files} of the trash and of partial uploads", files=files)


def _make_top(view: BucketView) -> None:
    """Create the root of an account, in a thread."""
    key = view.keys.directory(ROOT)
    if not view.bucket.has_any(key):
        view.bucket.write(key, BytesBody(b""))
