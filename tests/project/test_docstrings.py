"""Docstrings and comments refer to names that exist."""

from __future__ import annotations

import builtins
import re
import sys
from pathlib import Path

from tests.support.service_process import CHECKOUT

FOLDERS = ("ftpservice", "client", "twisted", "tests", "benchmarks", "docs")
DOCSTRING = re.compile(r'"""(.*?)"""', re.DOTALL)
COMMENT = re.compile(r"#(.*)")
REFERENCE = re.compile(r"(?<!`)`([A-Za-z_][\w.]*?)(?:\(\))?`(?!`)")


def test_names_in_docstrings_and_comments_exist() -> None:
    """In single backticks; the last component has to be a word of the code, anywhere."""
    texts: dict[Path, str] = {}
    for folder in FOLDERS:
        for path in (CHECKOUT / folder).rglob("*.py"):
            texts[path] = path.read_text(encoding="utf-8")
    known = {*dir(builtins), *sys.stdlib_module_names, *(path.stem for path in texts)}
    for text in texts.values():
        known |= set(re.findall(r"\w+", COMMENT.sub("", DOCSTRING.sub("", text))))
    unknown = [
        f"{path.relative_to(CHECKOUT)}: {name}"
        for path, text in texts.items()
        for said in [*DOCSTRING.findall(text), *COMMENT.findall(text)]
        for name in REFERENCE.findall(said)
        if name.split(".")[-1] not in known and name.split(".")[0] not in sys.stdlib_module_names
    ]
    assert unknown == []
