"""The pages of the documentation: their code blocks, and the code in their text."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.admin.cli import ftpservice
from tests.support.certificates import Authority
from tests.support.service_process import CHECKOUT

__all__ = [
    "DOCS",
    "EXAMPLES",
    "PAGES",
    "SERVICE_PAGES",
    "STORE_FILES",
    "Block",
    "blocks",
    "commands",
    "inline",
    "prose",
    "read",
    "run_user_command",
    "with_demo_values",
    "write_examples",
]

DOCS = CHECKOUT / "docs"
EXAMPLES = DOCS / "examples"
PAGES = [
    CHECKOUT / "README.md",
    CHECKOUT / "CHANGELOG.md",
    *sorted(DOCS.glob("*.md")),
    DOCS / "deploy" / "README.md",
]
OTHER_PAGES = {"performance.md", "shell.md", "client.md", "client-api.md", "renames.md"}
"""Pages about the client, the benchmarks and former names."""
SERVICE_PAGES = [
    page for page in PAGES if page.name not in OTHER_PAGES and page.parent != DOCS / "deploy"
]
"""Pages whose options, settings and verbs are those of the service."""

STORE_FILES = {"ldap.toml", "pam.toml", "http.toml"}
"""The files of account stores that the pages show."""

BLOCK = re.compile(r"(?:^`([\w.]+)`:\n\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")


class Block(NamedTuple):
    """A code block; ``name`` is that of the file it shows, if the line before names one."""

    name: str
    language: str
    text: str


def read(page: Path) -> str:
    """Return the text of a page."""
    return page.read_text(encoding="utf-8")


def blocks(*languages: str) -> list[Block]:
    """Return the code blocks of all pages in these languages."""
    found = [Block(*match.groups("")) for page in PAGES for match in BLOCK.finditer(read(page))]
    return [block for block in found if block.language in languages]


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return BLOCK.sub("", read(page))


def inline() -> set[str]:
    """Return the inline code of the service's pages."""
    return {code for page in SERVICE_PAGES for code in INLINE.findall(prose(page))}


def commands() -> Iterator[str]:
    """Yield the shell commands of all pages."""
    for block in blocks("sh"):
        yield from filter(None, block.text.splitlines())
    for block in blocks("console"):
        yield from (line[2:] for line in block.text.splitlines() if line.startswith("$ "))
    for block in blocks("ini"):
        yield from re.findall(r"^ExecStart=(.*)$", block.text, re.MULTILINE)


def with_demo_values(text: str) -> str:
    """Return an example with the password hash of ``demo`` and addresses of this machine."""
    text = text.replace(":HASH", f":{SHIPPED_HASH}").replace("192.168.1.40", "127.0.0.1")
    return text.replace("192.168.1.0/24", "127.0.0.0/8")


def run_user_command(command: str, directory: Path, password: str = "demo") -> None:
    """Run a command ``user`` or ``group`` of a page in ``directory``; the test fails if it does."""
    text = with_demo_values(re.sub(r"(?<=local:)/(?=srv)", f"{directory}/", command))
    words = shlex.split(text)[1:]
    if "--config" not in words:
        words += ["--store", f"passwd:{directory / 'passwd.db'}"]
    if words[0] == "user" and words[1] in ("add", "passwd", "check"):
        words += ["--password-stdin"]
    if words[0] == "user" and words[1] in ("add", "passwd"):
        words += ["--force"]
    with contextlib.chdir(directory):
        done = CliRunner().invoke(ftpservice, words, input=f"{password}\n")
    assert done.exit_code == 0, (words, done.output)


def add_recipe_accounts(directory: Path) -> None:
    """Add the accounts of the recipes in README, with the password ``demo``."""
    recipes = read(CHECKOUT / "README.md").partition("## Recipes")[2]
    for command in re.findall(r"^\S*ftpservice user add .*$", recipes, re.MULTILINE):
        run_user_command(command, directory)


def write_examples(directory: Path) -> None:
    """Write the files that the pages show, and what they refer to, below ``directory``."""
    for name in ("etc/ftpservice", "srv/mirror"):
        (directory / name).mkdir(parents=True)
    for block in blocks("toml", "passwd"):
        if block.name:
            text = re.sub(r"(?<=[\":])/(?=etc|srv)", f"{directory}/", block.text)
            (directory / block.name).write_text(with_demo_values(text), encoding="utf-8")
    _write_store_files(directory / "etc/ftpservice")
    add_recipe_accounts(directory)
    for name in ("passwd.db", "etc/ftpservice/passwd.db"):
        with (directory / name).open("a", encoding="utf-8") as accounts:
            accounts.write(with_demo_values("demo:HASH:/:full\n"))
    (directory / "etc/ftpservice/ftpservice.toml").write_text("anonymous = true\n")


def _write_store_files(directory: Path) -> None:
    """Write the files of account stores, with an authority and secrets of their own."""
    Authority(directory, "ca")
    (directory / "pam.d").mkdir()
    for name in ("ldap.password", "http.token"):
        (directory / name).write_text("secret\n", encoding="ascii")
    for block in blocks("toml"):
        if block.name in STORE_FILES:
            text = block.text.replace("/etc/ftpservice", str(directory))
            (directory / block.name).write_text(text, encoding="utf-8")
