"""Lines from a file or a pipe, carried out one by one; the first error is the end."""

from __future__ import annotations

from typing import TextIO

from twisted.internet.defer import CancelledError, Deferred

from ftpservice_client.console.session.exit_status import error_text, exit_status_for
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.shell.command_table import CommandTable, run_line

__all__ = ["ScriptRunner"]

IGNORE_FAILURE_PREFIX = "-"
"""Begins a line whose failure does not matter."""


class ScriptRunner:
    """Carries out lines; ``keep_going`` makes no failure matter until the end."""

    def __init__(
        self, session: ShellSession, table: CommandTable, *, keep_going: bool = False
    ) -> None:
        self._session = session
        self._table = table
        self._keep_going = keep_going
        self._status = 0

    async def run(self, lines: TextIO) -> int:
        """Return the exit status: 0, or that of the first line that failed and mattered."""
        number = 0
        while not self._session.leaving and (text := await self._next(lines)):
            number += 1
            if not await self._attempt(text.strip(), f"{lines.name}:{number}: "):
                break
        await self._session.interrupt.run(self._session.close())
        return self._status

    async def first(self, text: str) -> int:
        """Carry out a line that stands in no file; return 0 or an exit status."""
        await self._attempt(text, "")
        return self._status

    async def _next(self, lines: TextIO) -> str:
        """Wait for a line, which may take for ever; interrupted meanwhile, nothing follows."""
        return await self._session.interrupt.run(self._session.in_thread(lines.readline))

    async def _attempt(self, text: str, where: str) -> bool:
        """Do what a line says; return whether to go on."""
        forgiving = text.startswith(IGNORE_FAILURE_PREFIX)
        work = run_line(text.removeprefix(IGNORE_FAILURE_PREFIX), self._session, self._table)
        error = await Deferred.fromCoroutine(work).addErrback(lambda failure: failure.value)
        if error is None:
            return True
        self._session.screen.complain(f"{where}{error_text(error)}")
        stopped = isinstance(error, CancelledError)
        if forgiving and not stopped:
            return True
        self._status = self._status or exit_status_for(error)
        return self._keep_going and not stopped
