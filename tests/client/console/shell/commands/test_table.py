"""The page about the shell says what the tables say."""

from __future__ import annotations

import re
import runpy

import pytest

from ftpservice_client.console.oneshot.table import ONE_SHOT_COMMANDS
from ftpservice_client.console.session.arguments import shell_parser
from tests.support.docs_pages import DOCS, INLINE, prose, read

PAGE = DOCS / "shell.md"


def test_the_page_is_current() -> None:
    page = runpy.run_path(str(DOCS / "make_shell.py"))
    text = read(page["PAGE"])
    assert page["made"](text) == text, "run docs/make_shell.py"
    with pytest.raises(ValueError, match="words"):
        page["made"](text.replace("<!-- made: words -->", ""))


def test_options_that_the_page_names_exist() -> None:
    parsers = [
        shell_parser(),
        *(
            shot.parser()
            for name in ONE_SHOT_COMMANDS.names()
            if (shot := ONE_SHOT_COMMANDS.find(name))
        ),
    ]
    known = {option for parser in parsers for option in parser._option_string_actions}
    codes = INLINE.findall(re.sub("<!-- made: words.*?end -->", "", prose(PAGE), flags=re.DOTALL))
    named = {word for code in codes for word in re.findall(r"(?<!\S)--[a-z][a-z-]*", code)}
    assert {"--json", "--fingerprint", "--keep-going"} <= named <= known


def test_commands_that_the_page_shows_are_understood() -> None:
    import shlex

    shown = re.findall(r"ftpservice-client (.*?)(?: \||$)", read(PAGE), re.MULTILINE)
    for command in shown:
        name, *words = shlex.split(command)
        shot = ONE_SHOT_COMMANDS.find(name)
        parser = shell_parser() if shot is None else shot.parser()
        parser.parse_args([name, *words] if shot is None else words)
    assert len(shown) > 10
