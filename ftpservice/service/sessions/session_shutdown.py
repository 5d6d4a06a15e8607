"""Ends all sessions of a process, in steps, and releases what they used.

1. End sessions without a transfer with 421. The others may finish their transfer, within the grace
   period.
2. Abort the transfers that remain; interrupted uploads leave partial uploads.
3. Wait a moment for clients to receive the last reply.
4. Wait for the threads to finish the calls that they have begun.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.task import deferLater

from ftpservice.accounts.account_record import IStartable
from ftpservice.accounts.realm import Realm
from ftpservice.concurrency.batched_checks import BatchedChecks
from ftpservice.control.factory import FTPFactory

__all__ = ["LAST_REPLY_SECONDS", "STOPPING_TEXT", "SessionShutdown"]

STOPPING_TEXT = "The service is stopping."
LAST_REPLY_SECONDS = 2.0
"""Time for clients to receive the last reply when the service stops."""
POLL_SECONDS = 0.02
REACTOR_ITERATIONS = 3


class SessionShutdown:
    """The steps; ``tell`` gets lines for the operator."""

    def __init__(
        self,
        factory: FTPFactory,
        realm: Realm,
        checkers: Sequence[ICredentialsChecker],
        reactor: Any,
        tell: Callable[[str], object],
    ) -> None:
        self._factory = factory
        self._realm = realm
        self._checkers = checkers
        self._reactor = reactor
        self._tell = tell
        self.skips_grace = False
        """Whether it waits no more for transfers and clients."""
        self.ends_only_own = False
        """Whether sessions that other processes serve go on."""

    def begin(self, reason: str = STOPPING_TEXT) -> None:
        """End the sessions without a transfer; refuse new ones."""
        self._factory.finish_and_disconnect_all(reason)

    async def end_sessions(self, grace: float) -> None:
        """Wait for running transfers, at most ``grace`` seconds, then end all sessions."""
        factory = self._factory
        await self._wait_for_transfers(grace)
        factory.disconnect_all(STOPPING_TEXT)
        await self._wait_while(self._has_sessions, LAST_REPLY_SECONDS)
        factory.abort_all()
        await self._iterate()

    async def release(self) -> None:
        """Stop checkers, threads and storages, when no session is left."""
        for checker in self._checkers:
            if IStartable.providedBy(checker):
                checker.stop()
        await self._factory.release_resources()
        await self._realm.stop()
        # the data connections of transfers that ended with their last disk call
        BatchedChecks.of(self._factory.reactor).settle()
        await self._iterate()

    def _has_sessions(self) -> bool:
        factory = self._factory
        return bool(factory.instances if self.ends_only_own else factory.sessions)

    async def _iterate(self) -> None:
        """Let the reactor run a few times: it closes an aborted connection one iteration later."""
        for _ in range(REACTOR_ITERATIONS):
            await deferLater(self._reactor, 0)

    async def _wait_for_transfers(self, grace: float) -> None:
        """Wait for running transfers, and report it."""
        factory = self._factory
        if factory.working_count and grace and not self.skips_grace:
            waiting = _transfers(factory.working_count)
            self._tell(f"stopping: waiting up to {grace:g} s for {waiting}")
        await self._wait_while(lambda: bool(factory.working_count), grace)
        if factory.working_count:
            why = "grace period skipped" if self.skips_grace else f"not finished within {grace:g} s"
            aborted = _transfers(factory.working_count)
            self._tell(f"stopping: {aborted} aborted, {why}")

    async def _wait_while(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = self._reactor.seconds() + seconds
        while condition() and not self.skips_grace and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, POLL_SECONDS, lambda: None)


def _transfers(count: int) -> str:
    return f"{count} transfer{'' if count == 1 else 's'}"
