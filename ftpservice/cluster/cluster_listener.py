"""What the nodes of a cluster tell each other by NOTIFY; a thread waits for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.cluster.cluster_calls import UNANSWERED
from ftpservice.cluster.cluster_connection import ClusterConnection
from ftpservice.cluster.cluster_schema import CHANNEL
from ftpservice.concurrency.thread_pool import BlockingPool

__all__ = ["ClusterListener", "call_each", "notify"]

log = Logger("ftpservice.cluster")

WAIT_SECONDS = 1.0
"""How long a thread waits at a time."""
RETRY_SECONDS = 0.5


def notify(connection: Any, message: dict[str, Any]) -> None:
    """Send a message of less than 8,000 bytes to all nodes, this one too (blocks)."""
    connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, json.dumps(message)))


def call_each(functions: Iterable[Callable[..., object]], *words: Any) -> None:
    """Call functions; an error of one is logged, and the others are called."""
    for function in functions:
        try:
            function(*words)
        except Exception:  # noqa: BLE001 - what the others do does not depend on it
            log.failure("a part of the node failed")


class ClusterListener:
    """Calls ``received`` with each message, and ``connected`` whenever some may have been lost."""

    disconnected: Callable[[], object] = bool
    """Called when the connection is lost, or cannot be made."""

    def __init__(
        self,
        connection: ClusterConnection,
        reactor: Any,
        received: Callable[[dict[str, Any]], object],
        connected: Callable[[], object],
    ) -> None:
        self._connection = connection
        self._reactor = reactor
        self._received = received
        self._connected = connected
        self._pool = BlockingPool(reactor, "cluster messages", threads=1)
        self._listening: Any = None
        """The driver's connection that listens; used by the thread."""
        self._again: IDelayedCall | None = None
        self._is_running = False

    def start(self) -> None:
        """Begin to listen; again and again if the connection is lost."""
        self._is_running = True
        self._wait()

    def lost(self) -> None:
        """Give up the connection: its server does not answer others."""
        self._connection.interrupt()

    async def stop(self) -> None:
        """Listen no more."""
        self._is_running = False
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._connection.interrupt()
        await self._pool.finish(self._connection.close)
        await self._pool.stop()

    def _wait(self) -> None:
        self._again = None
        waiting: Deferred[Any] = self._pool.run(self._connection.call, self._messages)
        waiting.addCallbacks(self._arrived, self._unanswered)
        waiting.addErrback(lambda failure: log.failure("a message of the cluster failed", failure))
        waiting.addBoth(self._wait_again)

    def _messages(self, driver: Any) -> tuple[bool, list[str]]:
        """Return whether the connection is new, and what has arrived (blocks)."""
        is_new = driver is not self._listening
        if is_new:
            driver.execute(f"LISTEN {CHANNEL}")
            self._listening = driver
            return True, []
        arrived = driver.notifies(timeout=WAIT_SECONDS, stop_after=1)
        return False, [notice.payload for notice in arrived]

    def _arrived(self, found: tuple[bool, list[str]]) -> float:
        is_new, payloads = found
        if not self._is_running:
            return 0.0
        if is_new:
            self._connected()
        for payload in payloads:  # one of another version may lack what this one reads
            call_each([lambda text: self._received(json.loads(text))], payload)
        return 0.0

    def _unanswered(self, failure: Failure) -> float:
        failure.trap(*UNANSWERED)
        if self._is_running:
            self.disconnected()
        return RETRY_SECONDS

    def _wait_again(self, seconds: float | None) -> None:
        if self._is_running:
            self._again = self._reactor.callLater(seconds or 0.0, self._wait)
