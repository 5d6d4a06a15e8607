"""The shares of one worker's sessions in the shared passive port, which the main process has."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any, Self

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from ftpservice.data.shared_port import SharedPassivePort
from ftpservice.data.waiting_sessions import DataPeer, readmit
from ftpservice.workers.socket_passing import pass_socket

__all__ = ["DataPortShares"]


MIN_SECONDS = 0.1
"""The shortest time to wait for a turn, after another program has taken over."""


class RemoteShare:
    """A session of a worker that waits, or waits for its turn."""

    def __init__(self, shares: DataPortShares, number: int, expected: DataPeer) -> None:
        self.expected = expected
        self.turn: Deferred[bool] | None = None
        """Its turn, until it has come."""
        self.turn_until = 0.0
        """When it has waited for its turn too long."""
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
    """Carries out the messages of one worker about its sessions at ``port``.

    ``end`` is what accepted connections are passed to the worker with; ``send`` sends it a message.
    """

    def __init__(
        self, port: SharedPassivePort, end: socket.socket, send: Callable[..., object]
    ) -> None:
        self.send = send
        self.end = end
        self.port = port
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

    def handed_over(self) -> dict[str, Any]:
        """Return plain values by which another program goes on (`taken_over`)."""
        now, turns, waiting = self.port.reactor.seconds(), [], []
        for number, share in self._shares.items():
            facts = astuple(share.expected)
            if share.waits:
                waiting.append((number, *facts))
            else:
                turns.append((number, max(MIN_SECONDS, share.turn_until - now), *facts))
        return {
            "port": self.port.port,
            "end": self.end.fileno(),
            "waiting": waiting,
            "turns": turns,
            "unheard": [(number, *astuple(peer)) for number, peer in self._unheard.items()],
        }

    @classmethod
    def taken_over(cls, port: SharedPassivePort, values: Mapping[str, Any]) -> Self:
        """Return those of a worker of the program before this one, without waiting turns."""
        shares = cls(port, socket.socket(fileno=values["end"]), bool)
        for number, *facts in values["waiting"]:
            share = shares._shares[number] = RemoteShare(shares, number, DataPeer(*facts))
            share.waits = True
            readmit(port.waiting, share)
        for number, *facts in values["unheard"]:
            shares._lose_touch(number, *facts)
        return shares

    def wait_for_turns(self, turns: Iterable[Sequence[Any]]) -> None:
        """Let sessions wait that have waited for their turn in the program before this one."""
        for number, seconds, *facts in turns:
            self._wait(number, seconds, *facts)

    def tell_turns(self) -> None:
        """Tell once more whose turn it is: the worker of before may not have been told."""
        for number, share in self._shares.items():
            if share.waits:
                self.send("data_turn", number, True)

    def close(self) -> None:
        """Give up all shares: the worker has ended."""
        self.end.close()
        for number in tuple(self._shares):
            self._leave(number, False)
        for number in tuple(self._unheard):
            self._hear_from(number)

    def _wait(self, number: int, timeout: float, *facts: Any) -> None:
        share = self._shares[number] = RemoteShare(self, number, DataPeer(*facts))
        waiting = self.port.waiting
        if waiting.enter(share):
            self._has_turn(share, number, True)
        elif timeout <= 0:
            self._has_turn(share, number, False)
        else:
            share.turn_until = self.port.reactor.seconds() + timeout
            share.turn = turn = ensureDeferred(waiting.turn(share, timeout))
            turn.addCallbacks(  # it may have its turn by now
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
            self.port.waiting.leave(share, connected)

    def _lose_touch(self, number: int, *facts: Any) -> None:
        peer = self._unheard[number] = DataPeer(*facts)
        self.port.waiting.lose_touch(peer)

    def _hear_from(self, number: int) -> None:
        peer = self._unheard.pop(number, None)
        if peer is not None:
            self.port.waiting.hear_from(peer)
