"""What the person sees: plain text on a pipe, colours and questions on a terminal."""

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
    """What is set apart, and how."""

    DIRECTORY = "\x1b[1;34m"
    LINK = "\x1b[36m"
    PROBLEM = "\x1b[31m"
    REMARK = "\x1b[2m"


def _wants_colours(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Tell whether text on ``stream`` may be coloured (NO_COLOR, TERM=dumb: not)."""
    if environment.get("NO_COLOR") or environment.get("TERM", "dumb") == "dumb":
        return False
    return stream.isatty()


@dataclass(frozen=True)
class Screen:
    """Where words write to; each line that holds names from a server is made visible first."""

    out: TextIO
    err: TextIO
    colours: bool = False
    quiet: bool = False
    """Whether remarks are left out; what was asked for and problems are said all the same."""

    @property
    def terminal(self) -> bool:
        """Whether somebody looks at what is written."""
        return self.out.isatty()

    @property
    def raw(self) -> BinaryIO:
        """Where the bytes of files go."""
        self.out.flush()
        return self.out.buffer

    def say(self, line: str) -> None:
        """Write a line that was asked for."""
        self.show((line,))

    def show(self, lines: Iterable[str]) -> None:
        """Write lines that were asked for, all at once."""
        self.write("".join(f"{line}\n" for line in lines))

    def write(self, text: str) -> None:
        """Write text that was asked for, as it is."""
        self.out.write(_encodable(text, self.out))
        self.out.flush()

    def begin_line(self) -> None:
        """Go to where a line begins: here, or in the next one if something stands in this.

        What other programs and files leave there nobody knows; blanks for a whole line wrap into
        the next one unless they begin where it does.
        """
        if self.terminal:
            self.write(" " * self.size[0] + "\r")

    @property
    def size(self) -> tuple[int, int]:
        """The columns and the lines; where they are not known, what is usual."""
        with suppress(OSError, ValueError):
            columns, lines = os.get_terminal_size(self.out.fileno())
            if columns:
                return columns, lines
        return shutil.get_terminal_size()

    def remark(self, line: str) -> None:
        """Write a line about what was done, unless silence is wanted."""
        if not self.quiet:
            self.say(self.coloured(escape_unprintable(line), Colour.REMARK))

    def warn(self, line: str) -> None:
        """Write a line that is not to be missed, apart from what was asked for."""
        if not self.quiet:
            self.complain(line)

    def complain(self, line: str) -> None:
        """Write a line about what went wrong."""
        text = self.coloured(escape_unprintable(line), Colour.PROBLEM)
        self.err.write(_encodable(f"{text}\n", self.err))
        self.err.flush()

    def coloured(self, text: str, colour: Colour) -> str:
        """Return ``text`` in a colour, where there are colours."""
        return f"{colour.value}{text}{RESET}" if self.colours else text


def _encodable(text: str, stream: TextIO) -> str:
    """Return what the stream can take of ``text``, the rest as escapes."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def screen_for(out: TextIO, err: TextIO, *, quiet: bool = False) -> Screen:
    """Return the screen of a process with these streams."""
    return Screen(out, err, _wants_colours(out, os.environ), quiet)
