from __future__ import annotations

import pytest

from ftpservice_client.console.session.errors import UnknownCommand, UsageError
from ftpservice_client.console.session.line_parser import ShellArgument, parse_line
from ftpservice_client.console.session.options import Option
from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.console.shell.arguments import ParsedArguments
from ftpservice_client.console.shell.command import (
    ArgumentSpec,
    CompletionSource,
    ShellCommandTable,
)
from ftpservice_client.console.shell.commands.table import SHELL_COMMANDS

COMMON_NAMES = (
    "CONN UPLD DWLD DELF LIST QUIT USER PASS PASV RETR STOR PWD CWD CDUP MKD RMD DELE HELP REPORT "
    "ls dir cd pwd get put mget mput rm mkdir rmdir mv cat less hash mirror lcd lls open close bye "
    "exit quit !"
)


@pytest.mark.parametrize("name", COMMON_NAMES.split())
def test_common_command_names_exist(name: str) -> None:
    assert SHELL_COMMANDS.find(name).help


@pytest.mark.parametrize(("typed", "near"), [("gte", "get"), ("mkdri", "mkdir"), ("LSIT", "list")])
def test_the_most_similar_command_is_suggested(typed: str, near: str) -> None:
    with pytest.raises(UnknownCommand, match=f"Did you mean {near}"):
        SHELL_COMMANDS.find(typed)


def test_without_a_similar_command_help_is_suggested() -> None:
    with pytest.raises(UnknownCommand, match="help for a list"):
        SHELL_COMMANDS.find("xyzzyplugh")


@pytest.mark.parametrize("text", ["get a b c", "mv a", "rm", "pwd x", "delf"])
def test_a_wrong_number_of_arguments_shows_the_usage(text: str) -> None:
    line = parse_line(text)
    assert line is not None
    command = SHELL_COMMANDS.find(line.command)
    with pytest.raises(UsageError) as caught:
        command.parse_arguments(line)
    assert str(caught.value) == f"Usage: {command.syntax}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("DWLD hello  world.txt", "hello  world.txt"),
        ('dwld "hello world.txt"', "hello world.txt"),
        ("delf it's here", "it's here"),
    ],
)
def test_a_single_name_may_hold_spaces(text: str, name: str) -> None:
    line = parse_line(text)
    assert line is not None
    assert SHELL_COMMANDS.find(line.command).parse_arguments(line).texts == (name,)


def test_completion_source_of_each_argument() -> None:
    def side(name: str, number: int, *options: str) -> CompletionSource:
        before = ParsedArguments((ShellArgument("x"),) * number, {option: () for option in options})
        return SHELL_COMMANDS.find(name).completion_source(before)

    assert [side("get", number) for number in range(3)] == [
        CompletionSource.REMOTE,
        CompletionSource.LOCAL,
        CompletionSource.NONE,
    ]
    assert side("rm", 7) is CompletionSource.REMOTE
    assert side("pwd", 0) is CompletionSource.NONE
    assert side("mirror", 0) is CompletionSource.REMOTE_DIRECTORY
    assert side("mirror", 0, "up") is CompletionSource.LOCAL_DIRECTORY
    assert side("mirror", 1, "up") is CompletionSource.REMOTE_DIRECTORY


def test_duplicate_names_are_refused() -> None:
    table = ShellCommandTable()

    @table.add("one", "uno", arguments=ArgumentSpec("<it>"), options=(Option("v", "very", "much"),))
    async def one(session: ConsoleSession, given: ParsedArguments) -> None:
        """Do one thing."""

    assert table.find("UNO").syntax == "one [-v] <it>"
    assert table.names() == ["one", "uno"]
    with pytest.raises(ValueError, match="uno"):
        table.add("other", "uno")(one)
