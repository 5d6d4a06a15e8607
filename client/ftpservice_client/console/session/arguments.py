"""Where to connect, as people type it.

What may stand behind ``ftpservice-client`` on the command line.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ftpservice_client import Destination, ExplicitTLS, Settings, Trust, parse_url
from ftpservice_client.console.session.errors import ShellUsageError

__all__ = ["PROGRAM_NAME", "destination", "one_shot_parser", "settings_from", "shell_parser"]


def destination(text: str) -> Destination:
    """Read a URL, or a bare ``host`` or ``host:port``, which is FTP; raises `BadURL`."""
    return parse_url(text if "://" in text else f"ftp://{text}")


PROGRAM_NAME = "ftpservice-client"
DEFAULT_RETRIES = 2
DESCRIPTION = "Move files by FTP, FTPS (ftpes://, ftps://) and the simple protocol (simple://)."
ONE_SHOT_HELP = """single commands, each with --help of its own:
  get URL [FILE]      fetch a file (- for standard output)
  put URL FILE...     send files (- for standard input)
  ls URL              list a directory
  cat URL...          write files to standard output
  hash URL...         have the server compute digests
  rm URL...           delete files
  mirror URL DIR      make DIR hold what is there, or with --up the other way round
"""


class CommandLineParser(argparse.ArgumentParser):
    """One that ends like everything else here: with a `ShellUsageError` that somebody tells."""

    def error(self, message: str) -> None:  # type: ignore[override]  # theirs exits
        """Raise what is wrong."""
        from ftpservice_client.console.session.redaction import redact_urls

        raise ShellUsageError(f"{redact_urls(message)} ({self.prog} --help tells more)")


def shell_parser() -> argparse.ArgumentParser:
    """Return the parser of what starts a shell or a script."""
    parser = CommandLineParser(
        PROGRAM_NAME,
        description=DESCRIPTION,
        epilog=ONE_SHOT_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", metavar="URL", nargs="?", help="where to connect at first")
    parser.add_argument("more", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("-f", "--file", help="carry out the lines of a file (- for standard input)")
    parser.add_argument(
        "-k", "--keep-going", action="store_true", help="continue after a line that failed"
    )
    parser.add_argument("--version", action="store_true", help="show the version")
    _add_settings(parser)
    return parser


def one_shot_parser(name: str, description: str) -> argparse.ArgumentParser:
    """Return the parser of a single command, with what all of them have."""
    parser = CommandLineParser(f"{PROGRAM_NAME} {name}", description=description)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    _add_settings(parser)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="print results and errors only")
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument("--ca-file", type=Path, metavar="FILE", help="trust these authorities (PEM)")
    trust.add_argument("--fingerprint", metavar="SHA256", help="trust this one certificate")
    trust.add_argument("--insecure", action="store_true", help="trust any certificate")
    parser.add_argument(
        "--tls",
        choices=[one.value for one in ExplicitTLS],
        default=ExplicitTLS.PREFER.value,
        help="whether ftp:// asks for TLS, AUTH TLS (%(default)s)",
    )
    parser.add_argument("--netrc", type=Path, metavar="FILE", help="in place of ~/.netrc")
    parser.add_argument("--active", action="store_true", help="have the server connect for data")
    parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="of each wait, at most")
    parser.add_argument(
        "--retries",
        type=_count,
        metavar="N",
        default=DEFAULT_RETRIES,
        help="after a cut (%(default)s)",
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise ValueError(text)
    return value


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def settings_from(words: argparse.Namespace) -> Settings:
    """Return the library's settings that the command line asks for; raises `ShellUsageError`."""
    try:
        trust = Trust(words.ca_file, words.fingerprint or "", words.insecure)
    except ValueError as error:
        raise ShellUsageError(str(error)) from None
    settings = Settings(
        trust=trust,
        active=words.active,
        retries=words.retries,
        explicit_tls=ExplicitTLS(words.tls),
    )
    if words.timeout is not None:
        settings = replace(settings, timeout=words.timeout, stall_timeout=words.timeout)
    return settings if words.netrc is None else replace(settings, netrc=words.netrc)
