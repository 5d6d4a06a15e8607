"""EPSV for the next transfer, sent directly after the command of this one.

The answer comes with the end of the transfer, and the next one begins a way there and back earlier.
That is done where one transfer follows the other, and with servers of our own kind only: others
answer out of turn, or take whatever comes for ABOR, while a transfer runs.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime

from ftpservice_client.ftp.exchange import CommandExchange

__all__ = ["EPSVPrefetch", "queues_commands"]

OWN_SERVER_FEATURES = frozenset({"AVBL", "CLNT", "DSIZ", "HASH", "HOST", "RANG", "TVFS"})
"""What all our servers have, and hardly any other."""
FOLLOW_UP_SECONDS = 0.1
"""Seconds between two transfers that follow each other."""
PORT_VALID_SECONDS = 2.0
"""Seconds for which a port that was asked for is trusted to be open."""


def queues_commands(features: Mapping[str, str]) -> bool:
    """Tell whether this is a server that keeps commands until a transfer has ended."""
    return features.keys() >= OWN_SERVER_FEATURES


class EPSVPrefetch:
    """Knows when to ask, and what was asked."""

    is_possible = False
    """Whether the server lets us."""
    asked: CommandExchange | None = None
    """The EPSV that was sent after the last transfer command."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._ended: float | None = None
        self._taken: CommandExchange | None = None
        self._follows = False

    @property
    def is_worthwhile(self) -> bool:
        """Whether another transfer is likely to follow the one that begins now."""
        return self.is_possible and self._follows

    def take(self) -> CommandExchange | None:
        """Learn that a transfer is to begin; return what was asked for it, if that holds still."""
        asked, self.asked = self.asked, None
        since = (
            self._clock.seconds() - self._ended if self._ended is not None else PORT_VALID_SECONDS
        )
        self._follows = since < FOLLOW_UP_SECONDS
        self._taken = (
            asked
            if asked is not None and asked.error is None and since < PORT_VALID_SECONDS
            else None
        )
        return self._taken

    def is_of(self, exchange: CommandExchange) -> bool:
        """Tell whether this was asked ahead."""
        return exchange is self._taken

    def ended(self) -> None:
        """Learn that a transfer has ended, as it should."""
        self._ended = self._clock.seconds()
