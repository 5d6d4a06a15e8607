"""The interactive shell: read a line, run its command, print its error, repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice_client.console.session.errors import InputEnded, InputInterrupted
from ftpservice_client.console.session.exit_status import error_text
from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.console.shell.command import ShellCommandTable, run_line
from ftpservice_client.console.shell.history import HistoryFile

if TYPE_CHECKING:
    from ftpservice_client.console.shell.prompt import ShellPrompt

__all__ = ["Shell"]


class Shell:
    """Reads and runs lines until the user quits."""

    def __init__(
        self, session: ConsoleSession, table: ShellCommandTable, history: HistoryFile
    ) -> None:
        self._session = session
        self._table = table
        self._history = history

    async def run(self, prompt: ShellPrompt, first: str = "") -> None:
        """Run ``first``, then the lines that are typed; disconnect at the end."""
        if first:
            await self._run_line(first)
        while not self._session.is_leaving:
            self._session.screen.begin_line()
            try:
                text = await prompt.line(self._session.prompt)
            except InputEnded:
                break
            except InputInterrupted:
                continue
            await self._session.in_thread(self._history.add, text)
            await self._run_line(text)
        await self._session.interrupt.run(self._session.close())

    async def _run_line(self, text: str) -> None:
        work = Deferred.fromCoroutine(run_line(text, self._session, self._table))
        await work.addErrback(self._print_error)

    def _print_error(self, failure: Failure) -> None:
        error = failure.value
        if error is not None and not isinstance(error, InputInterrupted):
            self._session.screen.print_error(error_text(error))
