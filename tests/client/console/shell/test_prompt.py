"""Typed lines and answers, through the pipe input of prompt_toolkit."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from twisted.internet.defer import Deferred

from ftpservice_client.console.session.errors import InputEnded, InputInterrupted
from ftpservice_client.console.shell import prompt as prompting
from ftpservice_client.console.shell.completion import Suggestion
from ftpservice_client.console.shell.prompt import ShellPrompt, TabCompleter, TerminalPrompter

CTRL_C, CTRL_D, CTRL_Z, TAB, UP = "\x03", "\x04", "\x1a", "\t", "\x1b[A"


class Keyboard:
    """Typed keys and the event loop.

    It is created in each test and not in a fixture: prompt_toolkit keeps its input in a context
    variable, and a test may run in another context.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, keys: PipeInput) -> None:
        self.loop = loop
        self.keys = keys

    def press(self, text: str) -> None:
        self.keys.send_text(text)

    def done(self, work: Coroutine[Any, Any, str]) -> str:
        async def waited() -> str:
            return await Deferred.fromCoroutine(work).asFuture(self.loop)

        return self.loop.run_until_complete(asyncio.wait_for(waited(), 30))


@contextmanager
def keyboard() -> Iterator[Keyboard]:
    loop = asyncio.new_event_loop()
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        yield Keyboard(loop, keys)
    loop.close()


@pytest.fixture(autouse=True)
def no_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompting, "create_output", lambda **_: DummyOutput())


async def nothing(_before: str) -> list[Suggestion]:
    return []


def test_a_line_is_read() -> None:
    with keyboard() as at:
        at.press("ls in\r")
        assert at.done(ShellPrompt(at.loop, [], nothing).line("> ")) == "ls in"


def test_history_is_recalled_without_passwords() -> None:
    with keyboard() as at:
        prompt = ShellPrompt(at.loop, ["first", "second"], nothing)
        at.press("third\r")
        assert at.done(prompt.line("> ")) == "third"
        at.press(f"{UP}{UP}{UP}\r")
        assert at.done(prompt.line("> ")) == "first"
        at.press("PASS secret\r")
        assert at.done(prompt.line("> ")) == "PASS secret"
        at.press(f"{UP}\r")
        assert at.done(prompt.line("> ")) == "PASS"


@pytest.mark.parametrize(
    ("key", "error"), [(CTRL_C, InputInterrupted), (CTRL_D, InputEnded)], ids=["Ctrl-C", "Ctrl-D"]
)
def test_ctrl_c_and_ctrl_d_raise(key: str, error: type[Exception]) -> None:
    with keyboard() as at:
        prompt = ShellPrompt(at.loop, [], nothing)
        for work in (prompt.line("> "), prompt.ask("? ")):
            at.press(key)
            with pytest.raises(error):
                at.done(work)


def test_ctrl_z_suspends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _whom, number: sent.append(number))
    with keyboard() as at:
        at.press(f"ls{CTRL_Z} in\r")
        assert at.done(ShellPrompt(at.loop, [], nothing).line("> ")) == "ls in"
    assert sent == [signal.SIGTSTP]


def test_a_closed_terminal_ends_the_input() -> None:
    with keyboard() as at:
        at.keys.close()
        with pytest.raises(InputEnded):
            at.done(ShellPrompt(at.loop, [], nothing).line("> "))


def test_answers_are_not_added_to_the_history() -> None:
    with keyboard() as at:
        prompt = ShellPrompt(at.loop, [], nothing)
        at.press("secret\r")
        assert at.done(prompt.ask("Password: ", secret=True)) == "secret"
        at.press(f"{UP}ls\r")
        assert at.done(prompt.line("> ")) == "ls"


def test_the_terminal_prompter_asks() -> None:
    with keyboard() as at:
        at.press("ann\r")
        assert at.done(TerminalPrompter(at.loop).ask("User: ")) == "ann"


def test_tab_inserts_the_suggestion() -> None:
    with keyboard() as at:

        async def suggest(before: str) -> list[Suggestion]:
            at.loop.call_soon(at.press, "\r")
            return [Suggestion('"a b.txt"', len(before) - 4, "a b.txt")]

        at.press(f"get a{TAB}")
        assert at.done(ShellPrompt(at.loop, [], suggest).line("> ")) == 'get "a b.txt"'


def test_synchronous_completion_is_empty() -> None:
    with keyboard() as at:
        document = Document("get a")
        assert TabCompleter(at.loop, nothing).get_completions(document, CompleteEvent()) == []


def test_a_sent_line_does_not_cancel_the_listing() -> None:
    listing: Deferred[list[Suggestion]] = Deferred()
    with keyboard() as at:

        async def suggest(_before: str) -> list[Suggestion]:
            at.loop.call_soon(at.press, "b\r")
            return await listing

        at.press(f"get a{TAB}")
        assert at.done(ShellPrompt(at.loop, [], suggest).line("> ")) == "get ab"
        assert not listing.called
        listing.callback([])
