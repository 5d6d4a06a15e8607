"""Output of the program: plain text on a pipe, colours on a terminal."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO, TextIO

from ftpservice_client.console.terminal.escape import escape_unprintable

__all__ = ["Colour", "Screen", "screen_for"]

RESET = "\x1b[0m"


class Colour(Enum):
    """ANSI sequences (SGR) for the kinds of text that are highlighted."""

    DIRECTORY = "\x1b[1;34m"
    LINK = "\x1b[36m"
    ERROR = "\x1b[31m"
    STATUS = "\x1b[2m"


def _supports_colours(stream: TextIO, environment: Mapping[str, str]) -> bool:
    if environment.get("NO_COLOR") or environment.get("TERM", "dumb") == "dumb":
        return False
    return stream.isatty()


@dataclass(frozen=True)
class Screen:
    """Standard output and standard error of the program.

    Results (`print_line`, `print_lines`, `write`) are written as they are: the caller escapes names
    that come from a server. Status lines, warnings and errors are escaped here.
    """

    out: TextIO
    err: TextIO
    colours: bool = False
    quiet: bool = False
    """Status lines and warnings are left out; results and errors are still written."""

    @property
    def is_terminal(self) -> bool:
        """Whether standard output is a terminal."""
        return self.out.isatty()

    @property
    def binary_out(self) -> BinaryIO:
        """Standard output for the bytes of files."""
        self.out.flush()
        return self.out.buffer

    def print_line(self, line: str) -> None:
        """Write one line of a result."""
        self.print_lines((line,))

    def print_lines(self, lines: Iterable[str]) -> None:
        """Write the lines of a result with one call."""
        self.write("".join(f"{line}\n" for line in lines))

    def write(self, text: str) -> None:
        """Write text of a result; nothing is added to it."""
        self.out.write(_encodable(text, self.out))
        self.out.flush()

    def begin_line(self) -> None:
        """Move the cursor of a terminal to the beginning of an empty line.

        The column of the cursor is unknown after another program has written. As many blanks as a
        line has columns wrap into the next line unless they start in the first column.
        """
        if self.is_terminal:
            self.write(" " * self.size[0] + "\r")

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal; the usual ones where they are unknown."""
        with suppress(OSError, ValueError):
            columns, lines = os.get_terminal_size(self.out.fileno())
            if columns:
                return columns, lines
        return shutil.get_terminal_size()

    def print_status(self, line: str) -> None:
        """Write a line about what was done, unless ``quiet``."""
        if not self.quiet:
            self.print_line(self.coloured(escape_unprintable(line), Colour.STATUS))

    def print_warning(self, line: str) -> None:
        """Write a line to standard error, unless ``quiet``."""
        if not self.quiet:
            self.print_error(line)

    def print_error(self, line: str) -> None:
        """Write a line to standard error."""
        text = self.coloured(escape_unprintable(line), Colour.ERROR)
        self.err.write(_encodable(f"{text}\n", self.err))
        self.err.flush()

    def coloured(self, text: str, colour: Colour) -> str:
        """Return ``text`` in a colour; unchanged if colours are off."""
        return f"{colour.value}{text}{RESET}" if self.colours else text


def _encodable(text: str, stream: TextIO) -> str:
    """Return ``text`` with escapes for characters that the encoding of ``stream`` lacks."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def screen_for(out: TextIO, err: TextIO, *, quiet: bool = False) -> Screen:
    """Return the screen of a process with these streams."""
    return Screen(out, err, _supports_colours(out, os.environ), quiet)
