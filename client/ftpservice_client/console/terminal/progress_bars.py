"""Progress bars at the bottom of a terminal, drawn by rich (imported late: it is slow to load).

The last columns stay empty: the echo of a key (``^C``) there would wrap into a new line, and the
bars above would not be erased.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text
from twisted.internet.interfaces import IReactorTime

from ftpservice_client.console.terminal.escape import escape_unprintable
from ftpservice_client.console.terminal.format import format_size
from ftpservice_client.console.terminal.progress_rows import ProgressRow
from ftpservice_client.console.terminal.screen import Screen

__all__ = ["ProgressBars"]

SPARE_COLUMNS = 4
MIN_BAR_COLUMNS, MIN_RATE_COLUMNS = 70, 46
"""A narrower terminal shows no bar, or neither bar nor rate."""
MAX_NAME_COLUMNS = 40
MAX_ROWS = 8


class ProgressBars:
    """One bar for each row; `stop` erases them."""

    def __init__(self, screen: Screen, clock: IReactorTime) -> None:
        self._screen = screen
        plain = None if screen.colours else True
        self._console = Console(file=screen.out, force_terminal=True, no_color=plain)
        self._progress = Progress(
            console=self._console, auto_refresh=False, transient=True, get_time=clock.seconds
        )
        self._tasks: dict[str, TaskID] = {}

    def show(self, rows: Sequence[ProgressRow]) -> None:
        """Draw ``rows`` from top to bottom, at most `MAX_ROWS`."""
        columns, height = self._screen.size
        width = max(20, columns - SPARE_COLUMNS)
        self._console.width = width
        self._progress.columns = _columns(width)
        shown = rows[: max(1, min(MAX_ROWS, height - 2))]
        for key in self._tasks.keys() - {row.key for row in shown}:
            self._progress.remove_task(self._tasks.pop(key))
        for row in shown:
            self._draw(row, min(MAX_NAME_COLUMNS, width // 3))
        self._progress.start()
        self._progress.refresh()

    def _draw(self, row: ProgressRow, longest: int) -> None:
        longest = max(SPARE_COLUMNS, longest - len(row.suffix))
        text = _shortened(escape_unprintable(row.name), longest) + row.suffix
        task = self._tasks.get(row.key)
        if task is None:
            self._tasks[row.key] = task = self._progress.add_task(text, total=row.total)
        self._progress.update(task, description=text, completed=row.done, total=row.total)

    def stop(self) -> None:
        """Erase the bars."""
        self._progress.stop()


class RateColumn(ProgressColumn):
    """The rate in the units of `format_size`."""

    def render(self, task: Task) -> Text:
        """Return the rate; empty while it is unknown."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{format_size(speed)}/s", style="progress.data.speed")


def _columns(width: int) -> tuple[ProgressColumn, ...]:
    name = TextColumn("{task.description}", markup=False, table_column=_one_line())
    size = DownloadColumn(binary_units=True, table_column=_one_line())
    rate, left = RateColumn(_one_line()), TimeRemainingColumn(table_column=_one_line())
    if width >= MIN_BAR_COLUMNS:
        return (name, BarColumn(bar_width=None), size, rate, left)
    return (name, size, rate) if width >= MIN_RATE_COLUMNS else (name, size)


def _one_line() -> Column:
    return Column(no_wrap=True)


def _shortened(name: str, longest: int) -> str:
    """Return the end of a name, which differs more often than its beginning."""
    return name if len(name) <= longest else "\N{HORIZONTAL ELLIPSIS}" + name[1 - longest :]
