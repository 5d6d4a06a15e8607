"""Options of commands, declared once for the shell and for one-shot commands."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any

__all__ = [
    "APPEND",
    "CONTINUE",
    "DEFAULT_HASH_ALGORITHM",
    "DELETE",
    "DRY_RUN",
    "EXCLUDE",
    "INCLUDE",
    "MAX_PARALLEL",
    "NAMES",
    "PARALLEL",
    "PRESERVE",
    "RECURSIVE",
    "UP",
    "VERIFY",
    "Option",
]
from ftpservice_client.mirror.mirror import DEFAULT_PARALLEL


@dataclass(frozen=True)
class Option:
    """One option: a letter, a long name, and the name of its value (empty for a flag)."""

    letter: str
    name: str
    help: str
    value: str = ""

    @property
    def switches(self) -> str:
        """Both spellings with the value, for ``help``."""
        return f"-{self.letter}, --{self.name}" + (f" <{self.value}>" if self.value else "")

    @property
    def syntax(self) -> str:
        """The option as the usage line of a command shows it."""
        return f"[-{self.letter} <{self.value}>]" if self.value else f"[-{self.letter}]"

    def add_to(self, parser: ArgumentParser, **keywords: Any) -> None:
        """Add the option to a parser of the command line; ``keywords`` are those of argparse."""
        if self.value:
            keywords = {"metavar": self.value.upper(), **keywords}
        else:
            keywords = {"action": "store_true", **keywords}
        parser.add_argument(f"-{self.letter}", f"--{self.name}", help=self.help, **keywords)


DEFAULT_HASH_ALGORITHM = "SHA-256"
MAX_PARALLEL = 32
"""Transfers of a mirror at a time."""

CONTINUE = Option("c", "continue", "resume an interrupted transfer")
VERIFY = Option("v", "verify", "compare digests after the transfer, if the server supports it")
APPEND = Option("a", "append", "append to the remote file")
PRESERVE = Option("p", "preserve", "keep the modification time, if the server supports it")
NAMES = Option("1", "names", "names only")
RECURSIVE = Option("r", "recursive", "delete directories too; links are not followed")
UP = Option("u", "up", "upload: make the remote directory a copy of the local one")
DELETE = Option("d", "delete", "delete what the source directory does not have")
DRY_RUN = Option("n", "dry-run", "show what would be done and change nothing")
INCLUDE = Option("i", "include", "only names that match; repeatable", "pattern")
EXCLUDE = Option("x", "exclude", "no names that match; repeatable", "pattern")
PARALLEL = Option(
    "p",
    "parallel",
    f"number of transfers at a time (1 to {MAX_PARALLEL}; {DEFAULT_PARALLEL} without the option)",
    "number",
)
