"""Lines of a script: what ends it, with which status."""

from __future__ import annotations

import io

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from ftpservice_client import AccessDenied, NotFound
from ftpservice_client.console.shell.commands.table import SHELL_COMMANDS
from ftpservice_client.console.shell.script import ScriptRunner
from tests.support.shell_session import Seat, ended


class Lines(io.StringIO):
    name = "night.txt"


def script(seat: Seat, text: str, keep_going: bool = False) -> int:
    work = ScriptRunner(seat.session, SHELL_COMMANDS, keep_going=keep_going).run(Lines(text))
    status = ended(Deferred.fromCoroutine(work))
    assert isinstance(status, int)
    return status


@pytest.fixture
def seat() -> Seat:
    seat = Seat(attended=False).connected()
    errors = {"none": NotFound("none: no such file"), "mine": AccessDenied("mine: not permitted")}
    seat.client.delete.side_effect = lambda name: fail(errors[name])
    return seat


def test_every_line_is_done_and_the_connection_closed(seat: Seat) -> None:
    client = seat.client
    assert script(seat, "# remark\n\nmkdir a b\n  pwd  \n") == 0
    client.make_directory.assert_called_once_with("a b")
    client.quit.assert_called_once_with()
    assert seat.out.text == "/in\n"
    assert seat.err.text == ""


def test_the_first_failure_ends_it(seat: Seat) -> None:
    client = seat.client
    assert script(seat, "\nDELF none\npwd\n") == 6
    assert seat.err.text == "night.txt:2: none: no such file\n"
    assert seat.out.text == ""
    client.quit.assert_called_once_with()


def test_a_failure_may_be_meant_not_to_matter(seat: Seat) -> None:
    assert script(seat, "-delf none\npwd\n") == 0
    assert "night.txt:1: " in seat.err.text
    assert seat.out.text == "/in\n"


def test_told_so_it_goes_on_and_tells_at_the_end(seat: Seat) -> None:
    assert script(seat, "delf none\ndelf mine\npwd\n", keep_going=True) == 6
    assert seat.err.text.count("night.txt:") == 2
    assert seat.out.text == "/in\n"


@pytest.mark.parametrize("text", ["xyzzyplugh", "get", 'get "a', "mv a"])
def test_what_makes_no_sense_fails(seat: Seat, text: str) -> None:
    assert script(seat, f"{text}\npwd") in (1, 2)
    assert seat.out.text == ""


def test_quit_ends_it(seat: Seat) -> None:
    assert script(seat, "quit\npwd\n") == 0
    assert seat.out.text == ""


def test_an_interrupted_script_does_not_go_on(seat: Seat) -> None:
    seat.client.list.side_effect = lambda path: Deferred()
    client = seat.client
    work = ScriptRunner(seat.session, SHELL_COMMANDS, keep_going=True).run(Lines("-ls\npwd\n"))
    running = Deferred.fromCoroutine(work)
    seat.session.interrupt()
    assert ended(running) == 130
    assert seat.out.text == ""
    client.quit.assert_called_once_with()


def test_a_line_may_come_from_elsewhere(seat: Seat) -> None:
    one = ScriptRunner(seat.session, SHELL_COMMANDS)
    assert ended(Deferred.fromCoroutine(one.first("pwd"))) == 0
    assert ended(Deferred.fromCoroutine(one.first("delf none"))) == 6
    assert seat.err.text == "none: no such file\n"


def test_success_is_not_forgotten(seat: Seat) -> None:
    seat.client.delete.side_effect = lambda name: succeed(None)
    assert script(seat, "delf a\n", keep_going=True) == 0
