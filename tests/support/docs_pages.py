"""What the documentation shows: its pages, the blocks of code in them, the names in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ftpservice.accounts.checkers import SHIPPED_HASH
from tests.support.service_process import CHECKOUT

__all__ = [
    "DOCS",
    "EXAMPLES",
    "OF_THE_SERVICE",
    "PAGES",
    "Block",
    "blocks",
    "commands",
    "filled",
    "inline",
    "prose",
    "read",
    "spread",
]

DOCS = CHECKOUT / "docs"
EXAMPLES = DOCS / "examples"
PAGES = [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
ELSEWHERE = {"performance.md", "shell.md", "client.md", "client-api.md", "renames.md"}
"""Pages about the benchmarks, about the client, and about names of the past."""
OF_THE_SERVICE = [page for page in PAGES if page.name not in ELSEWHERE]
"""Pages whose options, settings and verbs are the service's."""

BLOCK = re.compile(r"(?:^`([\w.]+)`:\n\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")


class Block(NamedTuple):
    """A block of code; ``name`` is that of the file it shows, if the line before says so."""

    name: str
    language: str
    text: str


def read(page: Path) -> str:
    """Return what a page says."""
    return page.read_text(encoding="utf-8")


def blocks(*languages: str) -> list[Block]:
    """Return the blocks of all pages that are marked with these languages."""
    found = [Block(*match.groups("")) for page in PAGES for match in BLOCK.finditer(read(page))]
    return [block for block in found if block.language in languages]


def prose(page: Path) -> str:
    """Return a page without its blocks."""
    return BLOCK.sub("", read(page))


def inline() -> set[str]:
    """Return all code within the text of all pages."""
    return {code for page in OF_THE_SERVICE for code in INLINE.findall(prose(page))}


def commands() -> Iterator[str]:
    """Yield the shell commands that are shown."""
    for block in blocks("sh"):
        yield from filter(None, block.text.splitlines())
    for block in blocks("console"):
        yield from (line[2:] for line in block.text.splitlines() if line.startswith("$ "))
    for block in blocks("ini"):
        yield from re.findall(r"^ExecStart=(.*)$", block.text, re.MULTILINE)


def filled(text: str) -> str:
    """Return an example's accounts with the password ``demo``, and this machine as their place."""
    text = text.replace(":HASH", f":{SHIPPED_HASH}").replace("192.168.1.40", "127.0.0.1")
    return text.replace("192.168.1.0/24", "127.0.0.0/8")


def spread(directory: Path) -> None:
    """Put the files that the pages show into ``directory``, and what they name below it."""
    for name in ("etc/ftpservice", "srv/mirror"):
        (directory / name).mkdir(parents=True)
    for block in blocks("toml", "passwd"):
        if block.name:
            text = re.sub(r"(?<=[\":])/(?=etc|srv)", f"{directory}/", block.text)
            (directory / block.name).write_text(filled(text), encoding="utf-8")
    for name in ("passwd.db", "etc/ftpservice/passwd.db"):
        with (directory / name).open("a", encoding="utf-8") as accounts:
            accounts.write(filled("demo:HASH:/:full\n"))
    (directory / "etc/ftpservice/ftpservice.toml").write_text("anonymous = true\n")
