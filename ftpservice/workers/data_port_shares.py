"""The shares of one worker's sessions in the shared passive port, which the main process has."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from ftpservice.data.shared_port import SharedPassivePort
from ftpservice.data.waiting_sessions import DataPeer
from ftpservice.workers.socket_passing import pass_socket, passing_pair

__all__ = ["DataPortShares"]


class RemoteShare:
    """A session of a worker that waits, or waits for its turn."""

    def __init__(self, shares: DataPortShares, number: int, expected: DataPeer) -> None:
        self.expected = expected
        self.turn: Deferred[None] | None = None
        """Its turn, until it has come."""
        self.waits = False
        self._shares = shares
        self._number = number

    def offer(self, own: socket.socket, _peer: tuple[Any, ...]) -> None:
        """Give the session an accepted connection."""
        pass_socket(self._shares.end, self._number, own)

    def doubt(self) -> None:
        """Have the worker not rely any more on the client's resuming its TLS session."""
        self._shares.send("data_doubt", self._number)


class DataPortShares:
    """Carries out the messages of one worker about its sessions at ``port``."""

    def __init__(self, port: SharedPassivePort, send: Callable[..., object]) -> None:
        self.send = send
        self.end, self.end_of_worker = passing_pair()
        self._port = port
        self._shares: dict[int, RemoteShare] = {}
        self._unheard: dict[int, DataPeer] = {}

    @property
    def handlers(self) -> dict[str, Callable[..., object]]:
        """What the messages of the worker call."""
        return {
            "data_wait": self._wait,
            "data_leave": self._leave,
            "data_unheard": self._lose_touch,
            "data_heard": self._hear_from,
        }

    def close(self) -> None:
        """Give up all shares: the worker has ended."""
        self.end.close()
        self.end_of_worker.close()
        for number in tuple(self._shares):
            self._leave(number, False)
        for number in tuple(self._unheard):
            self._hear_from(number)

    def _wait(self, number: int, timeout: float, *facts: Any) -> None:
        share = self._shares[number] = RemoteShare(self, number, DataPeer(*facts))
        waiting = self._port.waiting
        if waiting.enter(share):
            self._has_turn(share, number, True)
        elif timeout <= 0:
            self._has_turn(share, number, False)
        else:
            turn = ensureDeferred(waiting.turn(share, timeout))
            share.turn = turn.addCallbacks(
                lambda has_turn: self._has_turn(share, number, has_turn),
                lambda failure: failure.trap(CancelledError) and None,
            )

    def _has_turn(self, share: RemoteShare, number: int, has_turn: bool) -> None:
        share.turn, share.waits = None, has_turn
        if not has_turn:
            del self._shares[number]
        self.send("data_turn", number, has_turn)

    def _leave(self, number: int, connected: bool) -> None:
        share = self._shares.pop(number, None)
        if share is None:
            return
        if share.turn is not None:
            share.turn.cancel()
        elif share.waits:
            self._port.waiting.leave(share, connected)

    def _lose_touch(self, number: int, *facts: Any) -> None:
        peer = self._unheard[number] = DataPeer(*facts)
        self._port.waiting.lose_touch(peer)

    def _hear_from(self, number: int) -> None:
        peer = self._unheard.pop(number, None)
        if peer is not None:
            self._port.waiting.hear_from(peer)
