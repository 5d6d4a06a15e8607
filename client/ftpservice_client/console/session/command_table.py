"""A table of commands by name and alias: the shell has one, the one-shot commands another."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Generic, Protocol, Self, TypeVar

from ftpservice_client.console.session.errors import UnknownCommand

__all__ = ["CommandTable"]


class NamedCommand(Protocol):
    """What a row needs."""

    @property
    def name(self) -> str:
        """The first name."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """The other names."""


Command = TypeVar("Command", bound=NamedCommand)


class CommandTable(Generic[Command]):
    """Commands in the order in which they were added; names are lower case."""

    def __init__(self) -> None:
        self._commands: dict[str, Command] = {}
        self._by_name: dict[str, Command] = {}

    def add_row(self, command: Command) -> None:
        """Add a command; raises `ValueError` if one of its names is taken."""
        for name in (command.name, *command.aliases):
            if name in self._by_name:
                raise ValueError(f"duplicate command name: {name}")
            self._by_name[name] = command
        self._commands[command.name] = command

    def include(self, *tables: CommandTable[Command]) -> Self:
        """Add the commands of other tables; returns this table."""
        for table in tables:
            for command in table:
                self.add_row(command)
        return self

    def get(self, name: str) -> Command | None:
        """Return the command of that name or alias, if there is one."""
        return self._by_name.get(name)

    def find(self, name: str) -> Command:
        """Return the command of that name in any case.

        Raises `UnknownCommand`; its text suggests the most similar name.
        """
        command = self._by_name.get(name.lower())
        if command is None:
            similar = get_close_matches(name.lower(), self._by_name, n=1)
            hint = f"Did you mean {similar[0]}?" if similar else "Type help for a list."
            raise UnknownCommand(f"Unknown command: {name}. {hint}")
        return command

    def names(self) -> list[str]:
        """Return all names and aliases, sorted."""
        return sorted(self._by_name)

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())
