"""The shared passive ports of a main process, and the shares that its workers have in them.

There is the port of the settings, if they name one, and after an upgrade that of the settings
before, as long as a worker of before has sessions there.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ftpservice.data.shared_port import SharedPassivePort, hold_connections, port_of_before
from ftpservice.workers.data_port_shares import DataPortShares
from ftpservice.workers.socket_passing import passing_pair

__all__ = ["DataPorts"]

Values = Mapping[str, Any]


class DataPorts:
    """Begins with those that the program before this one has handed over.

    ``is_balancer``: see `SharedPassivePort`.
    """

    def __init__(
        self,
        handed: Iterable[Values],
        reactor: Any,
        is_balancer: Callable[[str], bool] | None = None,
    ) -> None:
        self._handed = tuple(handed)
        self._earlier = [port_of_before(reactor, one, is_balancer) for one in self._handed]
        self._current: SharedPassivePort | None = None
        self._shares: dict[int, DataPortShares] = {}
        """By the columns of the workers."""
        self._ends: dict[int, socket.socket] = {}
        """What workers that are about to start receive with."""

    def at(self, number: int | None) -> SharedPassivePort | None:
        """Return what the program before this one has had at a port."""
        return next((port for port in self._earlier if port.port == number), None)

    def take_over(self, workers: Iterable[Values]) -> None:
        """Let the sessions wait that have waited at the workers of the program before this one."""
        found = []
        for one in workers:
            values = one.get("data_port")
            port = None if values is None else self.at(values["port"])
            if values is not None and port is not None:
                shares = self._shares[one["column"]] = DataPortShares.taken_over(port, values)
                found.append((shares, values["turns"]))
        for shares, turns in found:  # after all that wait
            shares.wait_for_turns(turns)

    def start_accepting(self, current: SharedPassivePort | None) -> None:
        """Accept connections at the ports of before; ``current`` is that of the settings."""
        self._current = current
        for port, values in zip(self._earlier, self._handed, strict=True):
            hold_connections(port, values.get("held", ()))
            port.start_accepting()
        self._close_unused()

    def share(
        self, column: int, port: SharedPassivePort, send: Callable[..., object]
    ) -> DataPortShares:
        """Return the shares of a worker that is about to start."""
        own, self._ends[column] = passing_pair()
        shares = self._shares[column] = DataPortShares(port, own, send)
        return shares

    def shares_of(self, column: int) -> DataPortShares | None:
        """Return the shares of a worker; None if it has no port to share."""
        return self._shares.get(column)

    def ends_for(self, column: int) -> Sequence[int]:
        """Return what a worker inherits to receive connections with."""
        return [self._ends[column].fileno()] if column in self._ends else []

    def started(self, column: int) -> tuple[int, int] | None:
        """Return the port of a worker that has been started, and what it receives with."""
        end, shares = self._ends.pop(column, None), self._shares.get(column)
        if end is None or shares is None:
            return None
        with end:
            return shares.port.port, end.fileno()

    def worker_ended(self, column: int) -> None:
        """Give up the shares of a worker, and a port of before that nobody uses any more."""
        end, shares = self._ends.pop(column, None), self._shares.pop(column, None)
        if end is not None:
            end.close()
        if shares is not None:
            shares.close()
            self._close_unused()

    def listening(self) -> tuple[Values, ...]:
        """Return what a program needs that tries whether it could take over."""
        return tuple({"port": one.port, "sockets": one.descriptors} for one in self._all())

    def hand_over(self, workers: Iterable[Values]) -> tuple[tuple[Values, ...], tuple[Values, ...]]:
        """Accept no more; return what the next program needs: of the ports, and of ``workers``."""
        found = tuple(port.hand_over() for port in self._all())
        return found, tuple(self._with_shares(one) for one in workers)

    def _with_shares(self, worker: Values) -> Values:
        shares = self._shares.get(worker["column"])
        return worker if shares is None else {**worker, "data_port": shares.handed_over()}

    def close(self) -> None:
        """Close all."""
        for port in self._all():
            port.close()

    def _all(self) -> list[SharedPassivePort]:
        current = self._current
        is_new = current is not None and current not in self._earlier
        return [*self._earlier, *([current] if current is not None and is_new else [])]

    def _close_unused(self) -> None:
        used = {self._current, *(shares.port for shares in self._shares.values())}
        for port in self._earlier:
            if port not in used:
                port.close()
        self._earlier = [port for port in self._earlier if port in used]
