"""A bar for transfers that take longer than a blink, on a terminal; nothing anywhere else."""

from __future__ import annotations

from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice_client.console.screen import Screen
from ftpservice_client.console.visible import visible

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

__all__ = ["Meter"]

BLINK = 0.3
"""Seconds for which there is no bar."""
BETWEEN = 0.1
"""Seconds between two drawings."""
LONGEST_NAME = 40


class Meter:
    """Is told how many bytes are there and draws that at its own pace. Use it in ``with``.

    Give `__call__` as the progress callback of a transfer.
    """

    def __init__(self, name: str, screen: Screen, clock: IReactorTime) -> None:
        self._name = name if len(name) <= LONGEST_NAME else "\N{HORIZONTAL ELLIPSIS}" + name[-39:]
        self._screen = screen
        self._clock = clock
        self._done = 0
        self._total: int | None = None
        self._call: IDelayedCall | None = None
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, done: int, total: int | None = None) -> None:
        """Note that ``done`` bytes are there, of ``total`` if that is known."""
        self._done, self._total = done, total

    def __enter__(self) -> Meter:
        if self._screen.terminal and not self._screen.quiet and find_spec("rich"):
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
        if self._bar is not None:
            self._update(self._bar)
            self._bar.stop()
            self._bar = None

    def _draw(self) -> None:
        self._call = self._clock.callLater(BETWEEN, self._draw)
        if self._bar is None:
            self._bar = self._made()
            self._bar.start()
        self._update(self._bar)

    def _update(self, bar: Progress) -> None:
        assert self._task is not None
        bar.update(self._task, completed=self._done, total=self._total, refresh=True)

    def _made(self) -> Progress:
        """Return a bar that draws when told, with the clock's time; rich is slow to import."""
        from rich.console import Console
        from rich.progress import Progress

        colours = None if self._screen.colours else True
        console = Console(file=self._screen.out, force_terminal=True, no_color=colours)
        bar = Progress(
            *_columns(),
            console=console,
            auto_refresh=False,
            transient=True,
            get_time=self._clock.seconds,
        )
        self._task = bar.add_task(visible(self._name), total=self._total)
        return bar


def _columns() -> list[ProgressColumn]:
    from rich import progress

    return [
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=None),
        progress.DownloadColumn(binary_units=True),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    ]
