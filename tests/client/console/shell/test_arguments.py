from __future__ import annotations

import pytest

from ftpservice_client.console.session.errors import UsageError
from ftpservice_client.console.session.line_parser import parse_line
from ftpservice_client.console.session.options import Option
from ftpservice_client.console.shell.arguments import ParsedArguments, parse_options

SWITCH = Option("c", "continue", "go on")
LONG = Option("l", "long", "more")
PATTERN = Option("x", "exclude", "not those", "pattern")


def given(text: str) -> ParsedArguments:
    line = parse_line(f"word {text}")
    assert line is not None
    return parse_options(line.arguments, (SWITCH, LONG, PATTERN), line.rest)


def test_options_can_follow_arguments_and_be_repeated() -> None:
    found = given("a -c b --exclude *.o -x *.a")
    assert found.texts == ("a", "b")
    assert found.has(SWITCH)
    assert not found.has(LONG)
    assert found.values(PATTERN) == ("*.o", "*.a")
    assert found.values(LONG) == ()


def test_letters_can_be_combined() -> None:
    found = given("-lc")
    assert found.has(LONG)
    assert found.has(SWITCH)
    assert given("-lx o").values(PATTERN) == ("o",)


def test_quoted_names_can_begin_with_a_dash() -> None:
    assert given('"-c" -- -l').texts == ("-c", "-l")
    assert given("-").texts == ("-",)


def test_text_returns_an_argument_or_nothing() -> None:
    found = given("a")
    assert (found.text(0), found.text(1)) == ("a", "")


@pytest.mark.parametrize("text", ["-z", "-cz", "--nothing", "--lc", "-x"])
def test_unknown_options_and_missing_values_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        given(text)


def test_options_have_a_syntax_and_switches() -> None:
    assert (SWITCH.syntax, SWITCH.switches) == ("[-c]", "-c, --continue")
    assert (PATTERN.syntax, PATTERN.switches) == ("[-x <pattern>]", "-x, --exclude <pattern>")
