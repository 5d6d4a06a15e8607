"""The prompt of the shell, by prompt_toolkit on the reactor's event loop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.output import create_output
from twisted.internet.defer import Deferred

from ftpservice_client.console.session.errors import InputEnded, InputInterrupted
from ftpservice_client.console.session.redaction import redact_line
from ftpservice_client.console.shell.completion import Suggestion

__all__ = ["ShellPrompt", "TabCompleter", "TerminalPrompter"]

Result = TypeVar("Result")
SuggestFunction = Callable[[str], Coroutine[Any, Any, list[Suggestion]]]


class TerminalPrompter:
    """Asks questions at the terminal; answers are not added to the history."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Return an answer; raises `InputInterrupted`, `InputEnded`."""
        output = create_output(stdout=sys.stdout if sys.stdout.isatty() else sys.stderr)
        prompt: PromptSession[str] = PromptSession(
            is_password=secret,
            interrupt_exception=InputInterrupted,
            eof_exception=InputEnded,
            output=output,
        )
        return await self._run(prompt.prompt_async(question, handle_sigint=False))

    async def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return await Deferred.fromFuture(self._loop.create_task(_end_on_hangup(work)))


class RedactedHistory(InMemoryHistory):
    """The lines of this session in memory, without passwords."""

    def append_string(self, string: str) -> None:
        """Add a line."""
        super().append_string(redact_line(string))


async def _end_on_hangup(work: Coroutine[Any, Any, Result]) -> Result:
    """Await ``work``; a closed terminal raises `InputEnded`."""
    try:
        return await work
    except EOFError:
        raise InputEnded from None


class ShellPrompt(TerminalPrompter):
    """Reads the lines of the shell, with editing, history and completion."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, lines: list[str], suggest: SuggestFunction
    ) -> None:
        super().__init__(loop)
        self._lines: PromptSession[str] = PromptSession(
            history=RedactedHistory(lines),
            completer=TabCompleter(loop, suggest),
            complete_while_typing=False,
            enable_suspend=True,
            interrupt_exception=InputInterrupted,
            eof_exception=InputEnded,
        )

    async def line(self, prompt: str) -> str:
        """Return the next line; raises `InputInterrupted`, `InputEnded`."""
        return await self._run(self._lines.prompt_async(prompt, handle_sigint=False))


class TabCompleter(Completer):
    """Completes with suggestions; a listing is not cancelled when the user sends the line first."""

    def __init__(self, loop: asyncio.AbstractEventLoop, suggest: SuggestFunction) -> None:
        self._loop = loop
        self._suggest = suggest

    def get_completions(self, _document: Document, _event: CompleteEvent) -> list[Completion]:
        """Return nothing; prompt_toolkit calls the asynchronous method."""
        return []

    async def get_completions_async(
        self, document: Document, _event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """Yield the suggestions at the cursor."""
        work = Deferred.fromCoroutine(self._suggest(document.text_before_cursor))
        suggestions = await asyncio.shield(work.asFuture(self._loop))
        for one in suggestions:
            yield Completion(one.text, -one.replaced_length, display=one.display)
