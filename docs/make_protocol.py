"""Writes the generated parts of ``docs/protocol.md``, from the tables of verbs and moves.

Run it after a change of either: ``PYTHONPATH=.:client .venv/bin/python docs/make_protocol.py``.
"""

from __future__ import annotations

import re
from pathlib import Path

from ftpservice.commands.table import protocol_table
from ftpservice.session.state import state_diagram

__all__ = ["PAGE", "made"]

PAGE = Path(__file__).with_name("protocol.md")


def made(text: str) -> str:
    """Return the page with the text between its markers replaced."""
    for name, part in (
        ("verbs", protocol_table()),
        ("states", f"```mermaid\n{state_diagram()}\n```"),
    ):
        begin, end = f"<!-- made: {name} -->", "<!-- end -->"
        between = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        whole = f"{begin}\n\n{part}\n\n{end}"
        text, count = between.subn(lambda _, whole=whole: whole, text)
        if count != 1:
            raise ValueError(f"{PAGE.name} must have the marker {begin!r} once")
    return text


if __name__ == "__main__":
    PAGE.write_text(made(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
