"""Progress bars on a terminal, for transfers that take longer than `BAR_DELAY_SECONDS`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice_client.console.terminal.progress_rows import ProgressRow
from ftpservice_client.console.terminal.screen import Screen

if TYPE_CHECKING:
    from ftpservice_client.console.terminal.progress_bars import ProgressBars

__all__ = ["ProgressDisplay"]

BAR_DELAY_SECONDS = 0.3
REDRAW_SECONDS = 0.1
TERMINALS_WITHOUT_CURSOR_MOVEMENT = ("dumb", "unknown")


class ProgressDisplay:
    """A context manager that draws the rows which ``rows`` returns, again and again.

    It draws nothing where the output is no terminal, ``quiet`` is set or rich is not installed.
    """

    def __init__(
        self, rows: Callable[[], Sequence[ProgressRow]], screen: Screen, clock: IReactorTime
    ) -> None:
        self._rows = rows
        self._screen = screen
        self._clock = clock
        self._call: IDelayedCall | None = None
        self._bars: ProgressBars | None = None

    def __enter__(self) -> ProgressDisplay:
        if _supports_bars(self._screen):
            self._call = self._clock.callLater(BAR_DELAY_SECONDS, self._draw)
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
        self._call = self._clock.callLater(REDRAW_SECONDS, self._draw)
        if self._bars is None:
            from ftpservice_client.console.terminal.progress_bars import ProgressBars

            self._bars = ProgressBars(self._screen, self._clock)
        self._bars.show(self._rows())


def _supports_bars(screen: Screen) -> bool:
    if not screen.is_terminal or screen.quiet:
        return False
    if os.environ.get("TERM") in TERMINALS_WITHOUT_CURSOR_MOVEMENT:
        return False
    return find_spec("rich") is not None
