"""The command ``ftpservice``: ``ftpservice serve`` is ``twistd -n ftpservice``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ftpservice import __version__

__all__ = ["main"]

USAGE = """\
Usage: ftpservice serve [options]    serve in the foreground until Ctrl-C
       ftpservice serve --check ...  check the options without starting
       ftpservice serve --help       show the options
       ftpservice --version          show the version
To run as a daemon: twistd ftpservice [options]
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line; exits with status 1 and the usage if it is not one of these."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["serve"]:
        _serve(words[1:])
    elif words == ["--version"]:
        _write(f"ftpservice {__version__}\n")
    elif words in (["--help"], ["-h"]):
        _write(USAGE)
    else:
        raise SystemExit(USAGE.rstrip("\n"))


def _serve(words: Sequence[str]) -> None:
    from twisted.scripts import twistd

    program = twistd.ServerOptions()  # type: ignore[attr-defined]  # re-exported by platform
    program.parseOptions(["--nodaemon", "--pidfile=", "ftpservice", *words])
    twistd.runApp(program)


def _write(text: str) -> None:
    sys.stdout.write(text)
