"""Scripts: lines from a file or a pipe; the first error ends the script."""

from __future__ import annotations

from typing import TextIO

from twisted.internet.defer import CancelledError, Deferred

from ftpservice_client.console.session.exit_status import error_text, exit_status_for
from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.console.shell.command import ShellCommandTable, run_line

__all__ = ["ScriptRunner"]

IGNORE_FAILURE_PREFIX = "-"
"""A line that begins with it may fail."""


class ScriptRunner:
    """Runs the lines of a script; with ``keep_going`` an error does not end it."""

    def __init__(
        self, session: ConsoleSession, table: ShellCommandTable, *, keep_going: bool = False
    ) -> None:
        self._session = session
        self._table = table
        self._keep_going = keep_going
        self._status = 0

    async def run(self, lines: TextIO) -> int:
        """Run all lines and disconnect; return 0 or the exit status of the first error."""
        number = 0
        while not self._session.is_leaving and (text := await self._read_line(lines)):
            number += 1
            if not await self._run_line(text.strip(), f"{lines.name}:{number}: "):
                break
        await self._session.interrupt.run(self._session.close())
        return self._status

    async def run_first(self, text: str) -> int:
        """Run a line that is not from the file; return 0 or an exit status."""
        await self._run_line(text, "")
        return self._status

    async def _read_line(self, lines: TextIO) -> str:
        """Return the next line, empty at the end; an interrupt ends the script."""
        return await self._session.interrupt.run(self._session.in_thread(lines.readline))

    async def _run_line(self, text: str, location: str) -> bool:
        """Run a line; print its error after ``location``; return whether the script continues."""
        ignores_failure = text.startswith(IGNORE_FAILURE_PREFIX)
        work = run_line(text.removeprefix(IGNORE_FAILURE_PREFIX), self._session, self._table)
        error = await Deferred.fromCoroutine(work).addErrback(lambda failure: failure.value)
        if error is None:
            return True
        self._session.screen.print_error(f"{location}{error_text(error)}")
        is_cancelled = isinstance(error, CancelledError)
        if ignores_failure and not is_cancelled:
            return True
        self._status = self._status or exit_status_for(error)
        return self._keep_going and not is_cancelled
