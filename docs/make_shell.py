"""Writes the generated parts of ``docs/shell.md``: the tables of commands and of exit statuses.

Run it after a change of either: ``PYTHONPATH=.:client .venv/bin/python docs/make_shell.py``.
"""

from __future__ import annotations

import re
from pathlib import Path

from ftpservice_client.console.session.exit_status import exit_statuses_markdown
from ftpservice_client.console.shell.commands.table import commands_markdown

__all__ = ["PAGE", "generated"]

PAGE = Path(__file__).with_name("shell.md")


def generated(text: str) -> str:
    """Return the page with new text between its markers."""
    for name, part in (("commands", commands_markdown()), ("statuses", exit_statuses_markdown())):
        begin, end = f"<!-- generated: {name} -->", "<!-- end -->"
        section = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        content = f"{begin}\n\n{part}\n\n{end}"
        text, count = section.subn(lambda _, content=content: content, text)
        if count != 1:
            raise ValueError(f"{PAGE.name} must have the marker {begin!r} once")
    return text


if __name__ == "__main__":
    PAGE.write_text(generated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
