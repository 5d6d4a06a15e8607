"""Everything known about a verb, one row each; dispatch, HELP, FEAT and the docs read the rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from ftpservice.session.context import SessionContext
from ftpservice.session.tls_policy import TLSSwitch
from ftpservice.session.transfer import Transfer
from ftpservice.wire.replies import Reply

__all__ = ["ArgumentKind", "CommandFunction", "Verb", "VerbTable"]

CommandFunction = Callable[[SessionContext, Any], Awaitable[Reply | Transfer | TLSSwitch]]
"""A command: it takes the context and its argument as the row's shape parsed it."""


def _always(_context: SessionContext) -> bool:
    return True


class ArgumentKind(Enum):
    """What may stand behind a verb; anything else is refused with 501."""

    NONE = ""
    TEXT = "<text>"
    OPTIONAL_TEXT = "[<text>]"
    NUMBER = "<number>"
    PATH = "<path>"
    OPTIONAL_PATH = "[<path>]"
    PATH_OR_ROOT = "[<directory>]"


@dataclass(frozen=True)
class Verb:
    """One row of the table."""

    name: str
    run: CommandFunction
    argument: ArgumentKind
    rfc: str
    """Where it is specified: number and section."""
    help: str
    """One line for HELP and the docs."""
    syntax: str
    login: bool = True
    """Whether it is for logged-in sessions only."""
    allowed_during_transfer: bool = False
    """Whether it is carried out while a transfer runs."""
    feature: str = ""
    """The line that FEAT shows for it; ``{facts}`` and ``{hashes}`` stand for the session's."""
    offered: Callable[[SessionContext], bool] = _always
    """Whether FEAT shows that line to a session."""
    moves_data: bool = False
    """Whether it uses a data connection, and is refused where that lacks the TLS it should have."""
    alias_of: str = ""


class VerbTable:
    """The rows, by name."""

    def __init__(self) -> None:
        self.rows: dict[str, Verb] = {}
        """The row of each verb, in capitals; aliases too."""

    def add(
        self,
        name: str,
        argument: ArgumentKind = ArgumentKind.NONE,
        *,
        rfc: str,
        syntax: str = "",
        **more: Any,
    ) -> Callable[[CommandFunction], CommandFunction]:
        """Make the decorated function the command ``name``; its docstring becomes the help."""

        def decorate(run: CommandFunction) -> CommandFunction:
            help_line = (run.__doc__ or "").splitlines()[0]
            shown = f"{name} {syntax or argument.value}".strip()
            row = Verb(name, run, argument, rfc, help_line, shown, **more)
            if name in self.rows:
                raise ValueError(f"two rows for {name}")
            self.rows[name] = row
            return run

        return decorate

    def alias(self, word: str, name: str) -> None:
        """Accept ``word`` for the verb ``name``."""
        row = self.rows[name]
        syntax = row.syntax.replace(name, word, 1)
        self.rows[word] = replace(row, name=word, syntax=syntax, feature="", alias_of=name)

    def include(self, *tables: VerbTable) -> VerbTable:
        """Take over the rows of other tables; returns itself."""
        for table in tables:
            for row in table:
                if row.name in self.rows:
                    raise ValueError(f"two rows for {row.name}")
                self.rows[row.name] = row
        return self

    def __iter__(self) -> Iterator[Verb]:
        return iter(self.rows.values())
