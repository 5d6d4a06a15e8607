"""Writes the made parts of ``docs/shell.md``, from the tables of words and of exit statuses.

Run it after a change of either: ``PYTHONPATH=.:client .venv/bin/python docs/make_shell.py``.
"""

from __future__ import annotations

import re
from pathlib import Path

from ftpservice_client.console.session.exit_status import exit_statuses_markdown
from ftpservice_client.console.shell.commands.table import commands_markdown

__all__ = ["PAGE", "made"]

PAGE = Path(__file__).with_name("shell.md")


def made(text: str) -> str:
    """Return the page with what stands between its markers made anew."""
    for name, part in (("words", commands_markdown()), ("statuses", exit_statuses_markdown())):
        begin, end = f"<!-- made: {name} -->", "<!-- end -->"
        between = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        whole = f"{begin}\n\n{part}\n\n{end}"
        text, count = between.subn(lambda _, whole=whole: whole, text)
        if count != 1:
            raise ValueError(f"{PAGE.name} must have the marker {begin!r} once")
    return text


if __name__ == "__main__":
    PAGE.write_text(made(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
