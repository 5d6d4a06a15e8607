"""Ranges of a file that are forwarded from the server's connection to the client's."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice.backends.s3.api.body_stream import BodyStream
from ftpservice.backends.s3.api.bucket import ObjectFacts
from ftpservice.backends.s3.tree.bucket_calls import unless_abandoned, while_unchanged
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.stream.forward import SocketInput
from ftpservice.wire.paths import VirtualPath

__all__ = ["ForwardedRange", "ForwardedRanges"]

T = TypeVar("T")
MIN_MEASURED = 1 << 20
"""Bytes of a measurement."""
RANGE_SIZE = 64 << 20
FIRST_RANGE_SIZE = 8 << 20
"""While it is not known whether forwarding is fast."""
SHORT_SIZE, SHORT_SECONDS = 1 << 20, 5.0
MAX_SHORT_RANGES = 3
"""Ranges of one file that may break off after fewer bytes and in less time than that; then nothing
is forwarded any more."""


class ForwardedRange:
    """Bytes ``span[0]`` up to ``span[1]``, which ``opening`` requests."""

    def __init__(
        self,
        view: BucketView,
        path: VirtualPath,
        span: tuple[int, int],
        opening: Coroutine[Any, Any, BodyStream | None],
    ) -> None:
        self.start, self.end = span
        self._view = view
        self._path = path
        self._is_open = self._is_dropped = False
        self._body: BodyStream | Failure | None = None
        self._opened = 0.0
        self._measured = (0, 0.0)
        self._opening = Deferred.fromCoroutine(opening)
        self._opening.addBoth(self._take)

    async def body(self) -> BodyStream | None:
        """Return what comes; None if the server cannot do that. Raises what requesting it did."""
        if not self._is_open:
            await unless_abandoned(self._opening)
        if isinstance(self._body, Failure):
            self._body.raiseException()
        return self._body

    def continues_at(self, offset: int) -> bool:
        """Return whether the next byte is that of ``offset``, as far as known."""
        body = self._body
        if isinstance(body, BodyStream):
            return body.remaining > 0 and self.start + body.forwarded == offset
        return self.start == offset and not self.is_refused

    @property
    def is_refused(self) -> bool:
        """Whether the server cannot do that."""
        return self._is_open and self._body is None

    @property
    def is_short(self) -> bool:
        """Whether the connection broke after few bytes, and not because it was idle."""
        body = self._body
        if not isinstance(body, BodyStream) or not body.lost or body.forwarded >= SHORT_SIZE:
            return False
        return self._view.served.rates.seconds() - self._opened < SHORT_SECONDS

    def measure(self) -> None:
        """Count what was forwarded since the last time."""
        body = self._body
        if isinstance(body, BodyStream):
            count, seconds = body.forwarded, body.seconds
            before, seconds_before = self._measured
            if count - before >= MIN_MEASURED:
                self._view.served.rates.forwarded(count - before, seconds - seconds_before)
                self._measured = count, seconds

    async def with_input(self, function: Callable[[SocketInput], T]) -> T:
        """Call ``function`` with what comes, in a thread."""
        assert isinstance(self._body, BodyStream)
        return await in_pool(
            self._view.served.runner, self._path, self._body.use, function, takes_long=True
        )

    def drop(self) -> None:
        """End the connection, now or when it is there, unless all came."""
        self._is_dropped = True
        if isinstance(self._body, BodyStream):
            self._body.close()
        self._body = None

    def _take(self, body: BodyStream | Failure | None) -> None:
        self._is_open = True
        self._opened = self._view.served.rates.seconds()
        if not self._is_dropped:
            self._body = body
        elif isinstance(body, BodyStream):
            body.close()


class ForwardedRanges:
    """The ranges of one version of a file: the one that is forwarded, and the next."""

    are_wanted = False
    """Whether who reads can forward."""

    def __init__(self, view: BucketView, path: VirtualPath, facts: ObjectFacts) -> None:
        self._view = view
        self._path = path
        self._facts = facts
        self._ranges: deque[ForwardedRange] = deque()
        self._short = 0

    @property
    def may_forward(self) -> bool:
        """Whether what is requested next should be forwarded."""
        served = self._view.served
        is_possible = self.are_wanted and served.bucket.can_stream
        return is_possible and self._short < MAX_SHORT_RANGES and served.rates.forwards

    def at(self, offset: int, end: int) -> ForwardedRange | None:
        """Return what goes on at ``offset``, if that is forwarded; those before it end."""
        while self._ranges:
            found = self._ranges[0]
            found.measure()
            if found.continues_at(offset):
                return found
            if found.is_refused:
                self._short = MAX_SHORT_RANGES
            self._short += found.is_short
            self._ranges.popleft().drop()
        self.request(offset, end)
        return self._ranges[0] if self._ranges else None

    def request(self, start: int, end: int) -> None:
        """Request what follows, if it should be forwarded and was not requested."""
        if start >= end or not self.may_forward or any(one.start == start for one in self._ranges):
            return
        size = RANGE_SIZE if self._view.served.rates.is_known else FIRST_RANGE_SIZE
        span = start, min(start + size, end)
        opening = self._view.in_thread(self._path, self._open, span)
        self._ranges.append(ForwardedRange(self._view, self._path, span, opening))

    def _open(self, span: tuple[int, int]) -> BodyStream | None:
        """Request a range, in a thread."""
        key = self._view.keys.key(self._path)
        with while_unchanged(self._path):
            return self._view.bucket.stream(key, span, self._facts)

    def drop(self) -> None:
        """End all."""
        for one in self._ranges:
            one.drop()
        self._ranges.clear()
