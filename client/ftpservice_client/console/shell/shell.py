"""The interactive shell: ask for a line, do what it says, say what went wrong, go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice_client.console.session.errors import InputEnded, InputInterrupted
from ftpservice_client.console.session.exit_status import error_text
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.shell.command_table import CommandTable, run_line
from ftpservice_client.console.shell.history import HistoryFile

if TYPE_CHECKING:
    from ftpservice_client.console.shell.prompt import Prompt

__all__ = ["Shell"]


class Shell:
    """Reads lines until somebody leaves."""

    def __init__(self, session: ShellSession, table: CommandTable, history: HistoryFile) -> None:
        self._session = session
        self._table = table
        self._history = history

    async def run(self, prompt: Prompt, first: str = "") -> None:
        """Carry out ``first``, then what is typed; the connection is closed at the end."""
        if first:
            await self._attempt(first)
        while not self._session.leaving:
            self._session.screen.begin_line()
            try:
                text = await prompt.line(self._session.prompt)
            except InputEnded:
                break
            except InputInterrupted:
                continue
            await self._session.in_thread(self._history.keep, text)
            await self._attempt(text)
        await self._session.interrupt.run(self._session.close())

    async def _attempt(self, text: str) -> None:
        """Do it; whatever goes wrong is a line on the screen, and the shell goes on."""
        work = Deferred.fromCoroutine(run_line(text, self._session, self._table))
        await work.addErrback(self._complain)

    def _complain(self, failure: Failure) -> None:
        error = failure.value
        if error is not None and not isinstance(error, InputInterrupted):
            self._session.screen.complain(error_text(error))
