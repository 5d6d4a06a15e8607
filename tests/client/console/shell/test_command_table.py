from __future__ import annotations

import pytest

from ftpservice_client.console.session.errors import UnknownWord, Usage
from ftpservice_client.console.session.line_parser import Argument, parse
from ftpservice_client.console.session.session import Session
from ftpservice_client.console.shell.command_table import Side, Takes, WordTable
from ftpservice_client.console.shell.commands.table import TABLE
from ftpservice_client.console.shell.options import Given, Option

KNOWN_OF_OLD = (
    "CONN UPLD DWLD DELF LIST QUIT USER PASS PASV RETR STOR PWD CWD CDUP MKD RMD DELE HELP REPORT "
    "ls dir cd pwd get put mget mput rm mkdir rmdir mv cat less hash mirror lcd lls open close bye "
    "exit quit !"
)


@pytest.mark.parametrize("name", KNOWN_OF_OLD.split())
def test_words_of_every_system_are_known(name: str) -> None:
    assert TABLE.find(name).help


@pytest.mark.parametrize(("typed", "near"), [("gte", "get"), ("mkdri", "mkdir"), ("LSIT", "list")])
def test_the_nearest_word_is_suggested(typed: str, near: str) -> None:
    with pytest.raises(UnknownWord, match=f"did you mean {near}"):
        TABLE.find(typed)


def test_what_is_near_to_nothing_gets_the_way_to_the_list() -> None:
    with pytest.raises(UnknownWord, match="help lists"):
        TABLE.find("xyzzyplugh")


@pytest.mark.parametrize("text", ["get a b c", "mv a", "rm", "pwd x", "delf"])
def test_the_wrong_number_of_arguments_gets_the_syntax(text: str) -> None:
    line = parse(text)
    assert line is not None
    word = TABLE.find(line.word)
    with pytest.raises(Usage) as caught:
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
    line = parse(text)
    assert line is not None
    assert TABLE.find(line.word).given(line).texts == (name,)


def test_arguments_know_what_they_are_completed_from() -> None:
    def side(name: str, number: int, *options: str) -> Side:
        before = Given((Argument("x"),) * number, {option: () for option in options})
        return TABLE.find(name).side(before)

    assert [side("get", number) for number in range(3)] == [Side.REMOTE, Side.LOCAL, Side.NONE]
    assert side("rm", 7) is Side.REMOTE
    assert side("pwd", 0) is Side.NONE
    assert side("mirror", 0) is Side.REMOTE_DIRECTORY
    assert side("mirror", 0, "up") is Side.LOCAL_DIRECTORY
    assert side("mirror", 1, "up") is Side.REMOTE_DIRECTORY


def test_no_name_is_taken_twice() -> None:
    table = WordTable()

    @table.add("one", "uno", takes=Takes("<it>"), options=(Option("v", "very", "much"),))
    async def one(session: Session, given: Given) -> None:
        """Do one thing."""

    assert table.find("UNO").syntax == "one [-v] <it>"
    assert table.names() == ["one", "uno"]
    with pytest.raises(ValueError, match="uno"):
        table.add("other", "uno")(one)
