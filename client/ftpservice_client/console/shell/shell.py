"""The interactive shell: ask for a line, do what it says, say what went wrong, go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice_client.console.session.errors import Abandoned, Left
from ftpservice_client.console.session.exit_status import explain
from ftpservice_client.console.session.session import Session
from ftpservice_client.console.shell.command_table import WordTable, perform
from ftpservice_client.console.shell.history import HistoryFile

if TYPE_CHECKING:
    from ftpservice_client.console.shell.prompt import Prompt

__all__ = ["Shell"]


class Shell:
    """Reads lines until somebody leaves."""

    def __init__(self, session: Session, table: WordTable, history: HistoryFile) -> None:
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
            except Left:
                break
            except Abandoned:
                continue
            await self._session.aside(self._history.keep, text)
            await self._attempt(text)
        await self._session.interrupt.run(self._session.close())

    async def _attempt(self, text: str) -> None:
        """Do it; whatever goes wrong is a line on the screen, and the shell goes on."""
        work = Deferred.fromCoroutine(perform(text, self._session, self._table))
        await work.addErrback(self._complain)

    def _complain(self, failure: Failure) -> None:
        error = failure.value
        if error is not None and not isinstance(error, Abandoned):
            self._session.screen.complain(explain(error))
