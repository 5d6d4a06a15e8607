"""Scripts: lines, errors and exit statuses."""

from __future__ import annotations

import io

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from ftpservice_client import AccessDenied, NotFound
from ftpservice_client.console.shell.commands.table import SHELL_COMMANDS
from ftpservice_client.console.shell.script import ScriptRunner
from tests.support.shell_session import MemoryShell, result_of


class Lines(io.StringIO):
    name = "night.txt"


def script(shell: MemoryShell, text: str, keep_going: bool = False) -> int:
    work = ScriptRunner(shell.session, SHELL_COMMANDS, keep_going=keep_going).run(Lines(text))
    status = result_of(Deferred.fromCoroutine(work))
    assert isinstance(status, int)
    return status


@pytest.fixture
def shell() -> MemoryShell:
    shell = MemoryShell(interactive=False).connected()
    errors = {"none": NotFound("none: no such file"), "mine": AccessDenied("mine: not permitted")}
    shell.client.delete.side_effect = lambda name: fail(errors[name])
    return shell


def test_all_lines_run_then_the_connection_is_closed(shell: MemoryShell) -> None:
    client = shell.client
    assert script(shell, "# remark\n\nmkdir a b\n  pwd  \n") == 0
    client.make_directory.assert_called_once_with("a b")
    client.quit.assert_called_once_with()
    assert shell.out.text == "/in\n"
    assert shell.err.text == ""


def test_the_first_error_ends_the_script(shell: MemoryShell) -> None:
    client = shell.client
    assert script(shell, "\nDELF none\npwd\n") == 6
    assert shell.err.text == "night.txt:2: none: no such file\n"
    assert shell.out.text == ""
    client.quit.assert_called_once_with()


def test_a_line_with_a_dash_may_fail(shell: MemoryShell) -> None:
    assert script(shell, "-delf none\npwd\n") == 0
    assert "night.txt:1: " in shell.err.text
    assert shell.out.text == "/in\n"


def test_keep_going_returns_the_first_status(shell: MemoryShell) -> None:
    assert script(shell, "delf none\ndelf mine\npwd\n", keep_going=True) == 6
    assert shell.err.text.count("night.txt:") == 2
    assert shell.out.text == "/in\n"


@pytest.mark.parametrize("text", ["xyzzyplugh", "get", 'get "a', "mv a"])
def test_invalid_lines_fail(shell: MemoryShell, text: str) -> None:
    assert script(shell, f"{text}\npwd") in (1, 2)
    assert shell.out.text == ""


def test_quit_ends_the_script(shell: MemoryShell) -> None:
    assert script(shell, "quit\npwd\n") == 0
    assert shell.out.text == ""


def test_an_interrupt_ends_the_script(shell: MemoryShell) -> None:
    shell.client.list.side_effect = lambda path: Deferred()
    client = shell.client
    work = ScriptRunner(shell.session, SHELL_COMMANDS, keep_going=True).run(Lines("-ls\npwd\n"))
    running = Deferred.fromCoroutine(work)
    shell.session.interrupt()
    assert result_of(running) == 130
    assert shell.out.text == ""
    client.quit.assert_called_once_with()


def test_run_first_runs_one_line(shell: MemoryShell) -> None:
    one = ScriptRunner(shell.session, SHELL_COMMANDS)
    assert result_of(Deferred.fromCoroutine(one.run_first("pwd"))) == 0
    assert result_of(Deferred.fromCoroutine(one.run_first("delf none"))) == 6
    assert shell.err.text == "none: no such file\n"


def test_keep_going_without_errors_returns_0(shell: MemoryShell) -> None:
    shell.client.delete.side_effect = lambda name: succeed(None)
    assert script(shell, "delf a\n", keep_going=True) == 0
