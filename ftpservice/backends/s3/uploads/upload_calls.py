"""The calls in threads of one upload, which it waits for before it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

from twisted.internet.defer import Deferred

from ftpservice.backends.s3.tree.bucket_calls import unless_abandoned
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.wire.paths import VirtualPath

__all__ = ["UploadCalls", "end_of"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class UploadCalls:
    """Calls for the upload to ``path``; each goes on if the wait for it is cancelled."""

    def __init__(self, view: BucketView, path: VirtualPath) -> None:
        self._view = view
        self._path = path
        self._begun: list[Deferred[Any]] = []

    def begin(self, function: Callable[[*Ts], T], *args: *Ts) -> Deferred[T]:
        """Begin a call in a thread."""
        call = Deferred.fromCoroutine(self._view.in_thread(self._path, function, *args))
        self._begun.append(call)

        def ended(outcome: Any) -> Any:
            self._begun.remove(call)
            return outcome

        return call.addBoth(ended)

    async def make(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Make a call in a thread, and return its result."""
        return await unless_abandoned(self.begin(function, *args))

    async def wait(self) -> None:
        """Wait until no call is under way."""
        while self._begun:
            await end_of(self._begun[0])


def end_of(work: Deferred[Any]) -> Deferred[None]:
    """Return a Deferred that fires when ``work`` ends, however it does."""
    ended: Deferred[None] = Deferred()

    def pass_on(outcome: Any) -> Any:
        if not ended.called:
            ended.callback(None)
        return outcome

    work.addBoth(pass_on)
    return ended
