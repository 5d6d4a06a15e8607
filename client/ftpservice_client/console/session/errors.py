"""Errors of the program itself; the text of each is one line for the user."""

from __future__ import annotations

__all__ = [
    "ConsoleError",
    "InputEnded",
    "InputInterrupted",
    "NotConnected",
    "UnknownCommand",
    "UsageError",
]


class ConsoleError(Exception):
    """A command failed; the text says why."""


class UsageError(ConsoleError):
    """The arguments do not fit the command."""


class UnknownCommand(UsageError):
    """There is no command of that name."""


class NotConnected(ConsoleError):
    """The command needs a connection."""

    def __init__(self) -> None:
        super().__init__("Not connected. Connect with: open ftp://host/ (or CONN host port)")


class InputInterrupted(ConsoleError):
    """Ctrl-C at a prompt."""

    def __init__(self) -> None:
        super().__init__("Interrupted.")


class InputEnded(InputInterrupted):
    """Ctrl-D at a prompt, or the terminal was closed."""
