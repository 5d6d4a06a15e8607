"""What ends the service before it has begun, told in one line and without a traceback."""

from __future__ import annotations

__all__ = ["CannotStart", "error_text"]


class CannotStart(SystemExit, Exception):
    """The service cannot start; ``str`` of it is one line that says why and what to do.

    An `Exception`, so that ``twistd`` takes its pid file away and the daemon's parent learns of
    it; a `SystemExit`, so that the interpreter of a program that does not catch it prints the line
    and ends with status 1, without a traceback.
    """

    __module__ = "ftpservice"
    """The parent of a twistd daemon prints 98 characters of module, class and line."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.line = line
        self.code: str | int = f"ftpservice: {line}"

    def was_printed(self, by_daemon: bool) -> None:
        """Leave the line out of what the interpreter, or a daemon's parent, prints at the end."""
        self.code = 1
        if by_daemon:
            self.line = "the line above says why"

    def __str__(self) -> str:
        return self.line


def error_text(error: BaseException | None) -> str:
    """Return why ``error`` was raised, in one line for a person."""
    reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else None
    return " ".join((reason or str(error) or type(error).__name__).split())
