"""Keys to lines and answers, over prompt_toolkit's own pipe in place of a terminal."""

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
from ftpservice_client.console.shell.prompt import Prompt, Questions, TabCompleter

CTRL_C, CTRL_D, CTRL_Z, TAB, UP = "\x03", "\x04", "\x1a", "\t", "\x1b[A"


class Keyboard:
    """A terminal's keys and loop.

    It is made in each test, not in a fixture: prompt_toolkit keeps what it is in a context
    variable, and tests may run in contexts of their own.
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
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompting, "create_output", lambda **_: DummyOutput())


async def nothing(_before: str) -> list[Suggestion]:
    return []


def test_a_line_is_typed() -> None:
    with keyboard() as at:
        at.press("ls in\r")
        assert at.done(Prompt(at.loop, [], nothing).line("> ")) == "ls in"


def test_old_lines_come_back() -> None:
    with keyboard() as at:
        prompt = Prompt(at.loop, ["first", "second"], nothing)
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
def test_keys_that_end_a_line(key: str, error: type[Exception]) -> None:
    with keyboard() as at:
        prompt = Prompt(at.loop, [], nothing)
        for work in (prompt.line("> "), prompt.ask("? ")):
            at.press(key)
            with pytest.raises(error):
                at.done(work)


def test_the_shell_can_be_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _whom, number: sent.append(number))
    with keyboard() as at:
        at.press(f"ls{CTRL_Z} in\r")
        assert at.done(Prompt(at.loop, [], nothing).line("> ")) == "ls in"
    assert sent == [signal.SIGTSTP]


def test_a_terminal_that_is_gone_has_left() -> None:
    with keyboard() as at:
        at.keys.close()
        with pytest.raises(InputEnded):
            at.done(Prompt(at.loop, [], nothing).line("> "))


def test_answers_are_in_no_history() -> None:
    with keyboard() as at:
        prompt = Prompt(at.loop, [], nothing)
        at.press("secret\r")
        assert at.done(prompt.ask("Password: ", secret=True)) == "secret"
        at.press(f"{UP}ls\r")
        assert at.done(prompt.line("> ")) == "ls"


def test_questions_can_be_asked_without_a_shell() -> None:
    with keyboard() as at:
        at.press("ann\r")
        assert at.done(Questions(at.loop).ask("User: ")) == "ann"


def test_tab_takes_what_is_offered() -> None:
    with keyboard() as at:

        async def suggest(before: str) -> list[Suggestion]:
            at.loop.call_soon(at.press, "\r")
            return [Suggestion('"a b.txt"', len(before) - 4, "a b.txt")]

        at.press(f"get a{TAB}")
        assert at.done(Prompt(at.loop, [], suggest).line("> ")) == 'get "a b.txt"'


def test_nothing_is_offered_to_who_cannot_wait() -> None:
    with keyboard() as at:
        document = Document("get a")
        assert TabCompleter(at.loop, nothing).get_completions(document, CompleteEvent()) == []


def test_a_line_that_is_sent_meanwhile_stops_no_listing() -> None:
    listing: Deferred[list[Suggestion]] = Deferred()
    with keyboard() as at:

        async def suggest(_before: str) -> list[Suggestion]:
            at.loop.call_soon(at.press, "b\r")
            return await listing

        at.press(f"get a{TAB}")
        assert at.done(Prompt(at.loop, [], suggest).line("> ")) == "get ab"
        assert not listing.called
        listing.callback([])
