from __future__ import annotations

import pytest

from ftpservice_client.console.session.errors import ShellUsageError
from ftpservice_client.console.session.line_parser import parse_line
from ftpservice_client.console.shell.options import Option, ParsedArguments, parse_options

SWITCH = Option("c", "continue", "go on")
LONG = Option("l", "long", "more")
PATTERN = Option("x", "exclude", "not those", "pattern")


def given(text: str) -> ParsedArguments:
    line = parse_line(f"word {text}")
    assert line is not None
    return parse_options(line.arguments, (SWITCH, LONG, PATTERN), line.rest)


def test_options_stand_anywhere_and_may_come_again() -> None:
    found = given("a -c b --exclude *.o -x *.a")
    assert found.texts == ("a", "b")
    assert found.has("continue")
    assert not found.has("long")
    assert found.values("exclude") == ("*.o", "*.a")
    assert found.values("long") == ()


def test_letters_may_stand_together() -> None:
    found = given("-lc")
    assert found.has("long")
    assert found.has("continue")
    assert given("-lx o").values("exclude") == ("o",)


def test_names_may_begin_with_a_dash() -> None:
    assert given('"-c" -- -l').texts == ("-c", "-l")
    assert given("-").texts == ("-",)


def test_arguments_are_asked_for_by_number() -> None:
    found = given("a")
    assert (found.text(0), found.text(1)) == ("a", "")


@pytest.mark.parametrize("text", ["-z", "-cz", "--nothing", "--lc", "-x"])
def test_what_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(ShellUsageError):
        given(text)


def test_they_tell_how_they_are_given() -> None:
    assert (SWITCH.shown, SWITCH.switches) == ("[-c]", "-c, --continue")
    assert (PATTERN.shown, PATTERN.switches) == ("[-x <pattern>]", "-x, --exclude <pattern>")
