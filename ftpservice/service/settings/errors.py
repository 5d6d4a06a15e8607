"""Errors at the start, each reported in one line without a traceback."""

from __future__ import annotations

__all__ = ["CannotStart", "SettingsConflict", "WrongCommandLine", "error_text"]


class CannotStart(SystemExit, Exception):
    """The service cannot start; ``str`` of it is one line that says why and what to do.

    As an `Exception`, it makes ``twistd`` remove its pid file and report to the parent of a
    daemon. As a `SystemExit`, it makes the interpreter print the line and exit with status 1,
    without a traceback, if the program does not catch it.
    """

    __module__ = "ftpservice"
    """Short: the parent of a twistd daemon prints 98 characters of module, class and line."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.line = line
        self.code: str | int = f"ftpservice: {line}"

    def was_printed(self, by_daemon: bool) -> None:
        """Do not have the interpreter, or the parent of a daemon, print the line a second time."""
        self.code = 1
        if by_daemon:
            self.line = "see the line above"

    def __str__(self) -> str:
        return self.line


class WrongCommandLine(SystemExit):
    """Ends the process: an unknown option or argument, not a value that does not fit."""


class SettingsConflict(ValueError):
    """Settings that contradict each other; ``str`` of it is one line that names them."""


def error_text(error: BaseException | None) -> str:
    """Return the reason of an error in one line."""
    reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else None
    return " ".join((reason or str(error) or type(error).__name__).split())
