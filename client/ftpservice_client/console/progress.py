"""Bars for transfers that take longer than a blink, on a terminal; nothing anywhere else."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice_client import Tally
from ftpservice_client.console.screen import Screen

if TYPE_CHECKING:
    from ftpservice_client.console.bars import Bars

__all__ = ["Count", "Meter", "Row", "tree_rows"]

BLINK = 0.3
"""Seconds for which there is no bar."""
BETWEEN = 0.1
"""Seconds between two drawings."""
UNABLE = ("dumb", "unknown")
"""Terminals that move no cursor."""


class Row(NamedTuple):
    """One bar: what it is of, which no other row has, and how far that has come."""

    key: str
    name: str
    done: int
    total: int | None
    remark: str = ""


class Count:
    """How far one file has come: its `__call__` is the progress callback of a transfer."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._done = 0
        self._total: int | None = None

    def __call__(self, done: int, total: int | None = None) -> None:
        """Note that ``done`` bytes are there, of ``total`` if that is known."""
        self._done, self._total = done, total

    def rows(self) -> list[Row]:
        """Return its bar."""
        return [Row("", self._name, self._done, self._total)]


def tree_rows(name: str, tally: Tally) -> list[Row]:
    """Return the bar of a whole tree, and below it those of the files on their way."""
    if not tally.files:
        return [Row("", name, 0, None, ": looking")]
    through = f": {tally.files_ended}/{tally.files} files"
    files = [Row(f"/{one}", f"  {one}", *moved) for one, moved in tally.moving.items()]
    return [Row("", name, tally.moved, tally.size, through), *files]


class Meter:
    """Draws what ``rows`` returns, at its own pace; use it in ``with``."""

    def __init__(
        self, rows: Callable[[], Sequence[Row]], screen: Screen, clock: IReactorTime
    ) -> None:
        self._rows = rows
        self._screen = screen
        self._clock = clock
        self._call: IDelayedCall | None = None
        self._bars: Bars | None = None

    def __enter__(self) -> Meter:
        if _can_be_drawn_on(self._screen):
            self._call = self._clock.callLater(BLINK, self._draw)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _draw(self) -> None:
        self._call = self._clock.callLater(BETWEEN, self._draw)
        if self._bars is None:
            from ftpservice_client.console.bars import Bars

            self._bars = Bars(self._screen, self._clock)
        self._bars.show(self._rows())


def _can_be_drawn_on(screen: Screen) -> bool:
    if not screen.terminal or screen.quiet or os.environ.get("TERM") in UNABLE:
        return False
    return find_spec("rich") is not None
