"""The table of verbs, one row each; dispatch, HELP, FEAT and the documentation read it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from ftpservice.session.context import SessionContext
from ftpservice.session.tls_policy import TLSSwitch
from ftpservice.session.transfer import Transfer
from ftpservice.wire.replies import Reply

__all__ = ["ArgumentKind", "CommandFunction", "Verb", "VerbTable"]

CommandFunction = Callable[[SessionContext, Any], Awaitable[Reply | Transfer | TLSSwitch]]
"""A command: it takes the context and its parsed argument (`ArgumentKind`)."""


def _always(_context: SessionContext) -> bool:
    return True


class ArgumentKind(Enum):
    """The argument of a verb; anything else is refused with 501."""

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
    """Number and section."""
    help: str
    """One line for HELP and the docs."""
    syntax: str
    login: bool = True
    """Whether it needs a login."""
    allowed_during_transfer: bool = False
    """Whether it is carried out while a transfer is in progress."""
    feature: str = ""
    """Its line in FEAT; ``{facts}`` and ``{hashes}`` are replaced by those of the session."""
    offered: Callable[[SessionContext], bool] = _always
    """Whether FEAT shows that line to a session."""
    moves_data: bool = False
    """Whether it uses a data connection, and is refused if that lacks required TLS."""
    alias_of: str = ""
    is_optional: bool = field(init=False, default=False)
    """Whether the argument is None where the client sends none."""

    def __post_init__(self) -> None:
        """Decide what dispatch asks for each command."""
        optional = (ArgumentKind.NONE, ArgumentKind.OPTIONAL_TEXT)
        object.__setattr__(self, "is_optional", self.argument in optional)


class VerbTable:
    """Rows by name."""

    def __init__(self) -> None:
        self.rows: dict[str, Verb] = {}
        """By verb, in capitals; with aliases."""

    def add(
        self,
        name: str,
        argument: ArgumentKind = ArgumentKind.NONE,
        *,
        rfc: str,
        syntax: str = "",
        **more: Any,
    ) -> Callable[[CommandFunction], CommandFunction]:
        """Make the decorated function the command ``name``; its docstring is the help text."""

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
        """Accept ``word`` as another name of the verb ``name``."""
        row = self.rows[name]
        syntax = row.syntax.replace(name, word, 1)
        self.rows[word] = replace(row, name=word, syntax=syntax, feature="", alias_of=name)

    def include(self, *tables: VerbTable) -> VerbTable:
        """Add the rows of other tables; returns itself."""
        for table in tables:
            for row in table:
                if row.name in self.rows:
                    raise ValueError(f"two rows for {row.name}")
                self.rows[row.name] = row
        return self

    def __iter__(self) -> Iterator[Verb]:
        return iter(self.rows.values())
