from __future__ import annotations

import pytest

from ftpservice_client.console.session.errors import ShellUsageError, UnknownShellCommand
from ftpservice_client.console.session.line_parser import ShellArgument, parse_line
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.shell.command_table import (
    ArgumentSpec,
    CommandTable,
    CompletionSource,
)
from ftpservice_client.console.shell.commands.table import SHELL_COMMANDS
from ftpservice_client.console.shell.options import Option, ParsedArguments

KNOWN_OF_OLD = (
    "CONN UPLD DWLD DELF LIST QUIT USER PASS PASV RETR STOR PWD CWD CDUP MKD RMD DELE HELP REPORT "
    "ls dir cd pwd get put mget mput rm mkdir rmdir mv cat less hash mirror lcd lls open close bye "
    "exit quit !"
)


@pytest.mark.parametrize("name", KNOWN_OF_OLD.split())
def test_words_of_every_system_are_known(name: str) -> None:
    assert SHELL_COMMANDS.find(name).help


@pytest.mark.parametrize(("typed", "near"), [("gte", "get"), ("mkdri", "mkdir"), ("LSIT", "list")])
def test_the_nearest_word_is_suggested(typed: str, near: str) -> None:
    with pytest.raises(UnknownShellCommand, match=f"did you mean {near}"):
        SHELL_COMMANDS.find(typed)


def test_what_is_near_to_nothing_gets_the_way_to_the_list() -> None:
    with pytest.raises(UnknownShellCommand, match="help lists"):
        SHELL_COMMANDS.find("xyzzyplugh")


@pytest.mark.parametrize("text", ["get a b c", "mv a", "rm", "pwd x", "delf"])
def test_the_wrong_number_of_arguments_gets_the_syntax(text: str) -> None:
    line = parse_line(text)
    assert line is not None
    word = SHELL_COMMANDS.find(line.word)
    with pytest.raises(ShellUsageError) as caught:
        word.given(line)
    assert str(caught.value) == f"That is typed as: {word.syntax}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("DWLD hello  world.txt", "hello  world.txt"),
        ('dwld "hello world.txt"', "hello world.txt"),
        ("delf it's here", "it's here"),
    ],
)
def test_one_name_may_hold_spaces(text: str, name: str) -> None:
    line = parse_line(text)
    assert line is not None
    assert SHELL_COMMANDS.find(line.word).given(line).texts == (name,)


def test_arguments_know_what_they_are_completed_from() -> None:
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


def test_no_name_is_taken_twice() -> None:
    table = CommandTable()

    @table.add("one", "uno", takes=ArgumentSpec("<it>"), options=(Option("v", "very", "much"),))
    async def one(session: ShellSession, given: ParsedArguments) -> None:
        """Do one thing."""

    assert table.find("UNO").syntax == "one [-v] <it>"
    assert table.names() == ["one", "uno"]
    with pytest.raises(ValueError, match="uno"):
        table.add("other", "uno")(one)
