from __future__ import annotations

import pytest

from ftpservice_client.console.session.line_parser import (
    LineSyntaxError,
    ParsedLine,
    ShellArgument,
    argument_tokens,
    parse_line,
    quote_argument,
)


@pytest.mark.parametrize("text", ["", "   ", "# remark", "  #x"])
def test_empty_lines_and_comments_are_ignored(text: str) -> None:
    assert parse_line(text) is None


@pytest.mark.parametrize(
    ("text", "command", "arguments"),
    [
        ("LS", "ls", []),
        ("get a b", "get", [("a", False), ("b", False)]),
        ("get\ta  \t b ", "get", [("a", False), ("b", False)]),
        ('get "a b" c', "get", [("a b", True), ("c", False)]),
        ("get 'a b'c", "get", [("a b", True), ("c", False)]),
        (r'get "a \"b\" \\ \x"', "get", [('a "b" \\ x', True)]),
        (r"get 'a\b'", "get", [("a\\b", True)]),
        (r"get a\ b \*", "get", [("a b", True), ("*", True)]),
        ("get it's.txt", "get", [("it's.txt", False)]),
        ("get *.txt", "get", [("*.txt", False)]),
        ("get a\\", "get", [("a\\", False)]),
        ('get ""', "get", [("", True)]),
    ],
)
def test_a_line_is_a_command_and_arguments(
    text: str, command: str, arguments: list[tuple[str, bool]]
) -> None:
    line = parse_line(text)
    assert line is not None
    assert (line.command, line.arguments) == (
        command,
        tuple(ShellArgument(*each) for each in arguments),
    )


def test_the_rest_of_the_line_is_unchanged() -> None:
    line = parse_line("  DWLD  hello  world.txt ")
    assert line is not None
    assert line.rest == "hello  world.txt"


@pytest.mark.parametrize(
    ("text", "rest"), [("!", ""), ("!ls -l 'x", "ls -l 'x"), (" !  date ", "date")]
)
def test_an_exclamation_mark_takes_the_rest_of_the_line(text: str, rest: str) -> None:
    assert parse_line(text) == ParsedLine("!", (), rest)


@pytest.mark.parametrize("text", ['get "a', "get 'a b", 'get "a\\"', 'get "a\\'])
def test_a_missing_closing_quote_is_refused(text: str) -> None:
    with pytest.raises(LineSyntaxError, match="quote"):
        parse_line(text)


def test_tokens_have_positions() -> None:
    text = ' a "b c'
    first, second = argument_tokens(text)
    assert (first.text, text[first.start : first.end], first.closed) == ("a", "a", True)
    assert (second.text, text[second.start :], second.closed) == ("b c", '"b c', False)


@pytest.mark.parametrize(
    "name",
    ["a", "a b", 'a"b', "a\\b", "it's", "*", "-x", "#x", "!x", "", "[a]", "\u00e9 \u00fc", "a\tb"],
)
def test_quoted_names_are_parsed_back(name: str) -> None:
    line = parse_line(f"get {quote_argument(name)}")
    assert line is not None
    assert [argument.text for argument in line.arguments] == [name]
    assert line.arguments[0].literal or not set(name) & set("*?[-")


def test_plain_names_are_not_quoted() -> None:
    assert quote_argument("report.pdf") == "report.pdf"
