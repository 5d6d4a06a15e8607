"""docs/shell.md: its generated parts, its options and its command lines."""

from __future__ import annotations

import re
import runpy

import pytest

from ftpservice_client.console.oneshot.commands import ONE_SHOT_COMMANDS
from ftpservice_client.console.session.command_line import shell_parser
from tests.support.docs_pages import DOCS, INLINE, prose, read

PAGE = DOCS / "shell.md"


def test_the_page_is_generated() -> None:
    page = runpy.run_path(str(DOCS / "make_shell.py"))
    text = read(page["PAGE"])
    assert page["generated"](text) == text, "run docs/make_shell.py"
    with pytest.raises(ValueError, match="commands"):
        page["generated"](text.replace("<!-- generated: commands -->", ""))


def test_options_on_the_page_exist() -> None:
    parsers = [
        shell_parser(),
        *(
            shot.parser()
            for name in ONE_SHOT_COMMANDS.names()
            if (shot := ONE_SHOT_COMMANDS.get(name))
        ),
    ]
    known = {option for parser in parsers for option in parser._option_string_actions}
    codes = INLINE.findall(
        re.sub("<!-- generated: commands.*?end -->", "", prose(PAGE), flags=re.DOTALL)
    )
    named = {word for code in codes for word in re.findall(r"(?<!\S)--[a-z][a-z-]*", code)}
    assert {"--json", "--fingerprint", "--keep-going"} <= named <= known


def test_command_lines_on_the_page_are_valid() -> None:
    import shlex

    shown = re.findall(r"ftpservice-client (.*?)(?: \||$)", read(PAGE), re.MULTILINE)
    for command in shown:
        name, *words = shlex.split(command)
        shot = ONE_SHOT_COMMANDS.get(name)
        parser = shell_parser() if shot is None else shot.parser()
        parser.parse_args([name, *words] if shot is None else words)
    assert len(shown) > 10
