"""The command line: parsers for the shell, scripts and one-shot commands; URLs and settings."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ftpservice_client import Destination, ExplicitTLS, Settings, Trust, parse_url
from ftpservice_client.console.session.errors import UsageError

__all__ = [
    "PROGRAM_NAME",
    "one_shot_parser",
    "parse_destination",
    "settings_from",
    "shell_parser",
]

PROGRAM_NAME = "ftpservice-client"
DEFAULT_RETRIES = 2
DESCRIPTION = "Transfer files by FTP, FTPS (ftpes://, ftps://) and the simple protocol (simple://)."


def parse_destination(text: str) -> Destination:
    """Parse a URL; a bare ``host`` or ``host:port`` is ``ftp://``. Raises `BadURL`."""
    return parse_url(text if "://" in text else f"ftp://{text}")


class CommandLineParser(argparse.ArgumentParser):
    """An argparse parser that raises `UsageError` for invalid arguments."""

    def error(self, message: str) -> None:  # type: ignore[override]  # argparse's exits
        """Raise `UsageError`."""
        from ftpservice_client.console.session.redaction import redact_urls

        raise UsageError(f"{redact_urls(message)} (see {self.prog} --help)")


def shell_parser(one_shot_help: str = "") -> argparse.ArgumentParser:
    """Return the parser for shell and scripts; ``one_shot_help`` lists the one-shot commands."""
    parser = CommandLineParser(
        PROGRAM_NAME,
        usage=f"{PROGRAM_NAME} [options] [URL]\n       {PROGRAM_NAME} COMMAND [options] URL ...",
        description=DESCRIPTION,
        epilog=one_shot_help,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", metavar="URL", nargs="?", help="the server to connect to")
    parser.add_argument("more", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("-f", "--file", help="run the commands in a file (- for standard input)")
    parser.add_argument(
        "-k", "--keep-going", action="store_true", help="continue after a command that failed"
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    _add_settings(parser)
    return parser


def one_shot_parser(name: str, syntax: str, description: str) -> argparse.ArgumentParser:
    """Return the parser for a one-shot command, with the options that all of them have."""
    program = f"{PROGRAM_NAME} {name}"
    parser = CommandLineParser(
        program, usage=f"{program} [options] {syntax}", description=description
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    _add_settings(parser)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="print results and errors only")
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="trust the authorities in this file (PEM)"
    )
    trust.add_argument("--fingerprint", metavar="SHA256", help="trust only this certificate")
    trust.add_argument("--insecure", action="store_true", help="accept any certificate")
    parser.add_argument(
        "--tls",
        choices=[one.value for one in ExplicitTLS],
        default=ExplicitTLS.PREFER.value,
        help="use of AUTH TLS with ftp:// URLs (default: %(default)s)",
    )
    parser.add_argument(
        "--netrc", type=Path, metavar="FILE", help="read logins from this file (default: ~/.netrc)"
    )
    parser.add_argument("--active", action="store_true", help="use active mode (PORT, EPRT)")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        help="timeout for connections, replies and transfers without progress",
    )
    parser.add_argument(
        "--retries",
        type=_count,
        metavar="N",
        default=DEFAULT_RETRIES,
        help="attempts after a lost connection (default: %(default)s)",
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


def settings_from(arguments: argparse.Namespace) -> Settings:
    """Return the library's settings for the options of the connection; raises `UsageError`."""
    try:
        trust = Trust(arguments.ca_file, arguments.fingerprint or "", arguments.insecure)
    except ValueError as error:
        raise UsageError(str(error)) from None
    settings = Settings(
        trust=trust,
        active=arguments.active,
        retries=arguments.retries,
        explicit_tls=ExplicitTLS(arguments.tls),
    )
    if arguments.timeout is not None:
        settings = replace(settings, timeout=arguments.timeout, stall_timeout=arguments.timeout)
    return settings if arguments.netrc is None else replace(settings, netrc=arguments.netrc)
