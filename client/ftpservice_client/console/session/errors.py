"""What the shell itself finds wrong, as one line for the person at it."""

from __future__ import annotations

__all__ = [
    "InputEnded",
    "InputInterrupted",
    "NotConnected",
    "ShellError",
    "ShellUsageError",
    "UnknownShellCommand",
]


class ShellError(Exception):
    """Ends a command; its text is all that is shown."""


class ShellUsageError(ShellError):
    """The arguments do not fit the word."""


class UnknownShellCommand(ShellUsageError):
    """The line begins with a word that the shell does not know."""


class NotConnected(ShellError):
    """The command needs a server, and there is none yet."""

    def __init__(self) -> None:
        super().__init__("Not connected. Connect with: open ftp://host/ (or CONN host port)")


class InputInterrupted(ShellError):
    """Ctrl-C at a question: what was asked for is not wanted any more."""

    def __init__(self) -> None:
        super().__init__("Interrupted.")


class InputEnded(InputInterrupted):
    """Ctrl-D at a question: no more answers will come."""
