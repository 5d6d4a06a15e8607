"""Errors as one line for a person, and as the exit status of the command."""

from __future__ import annotations

import os

from twisted.internet.defer import CancelledError

from ftpservice_client import errors
from ftpservice_client.console.session.errors import InputInterrupted, ShellError, ShellUsageError
from ftpservice_client.console.session.line_parser import ShellSyntaxError

__all__ = [
    "EXIT_STATUSES",
    "INTERNAL_ERROR_STATUS",
    "error_text",
    "exit_status_for",
    "exit_statuses_markdown",
]

INTERNAL_ERROR_STATUS = 70
"""What nobody expected (EX_SOFTWARE)."""

EXIT_STATUSES: dict[type[BaseException], tuple[int, str]] = {
    ShellError: (1, "anything else went wrong"),
    errors.ClientError: (1, ""),
    ShellUsageError: (2, "the command line or the script makes no sense"),
    ShellSyntaxError: (2, ""),
    errors.BadURL: (2, ""),
    errors.InvalidArgument: (2, ""),
    errors.NetworkError: (3, "no connection, or it was cut, or nothing came for too long"),
    errors.ProtocolViolation: (3, ""),
    errors.CertificateNotTrusted: (4, "the server's certificate is not trusted"),
    errors.AuthenticationFailed: (5, "the login failed"),
    errors.NotFound: (6, "there is no such file or directory"),
    errors.AccessDenied: (7, "not permitted"),
    errors.ServerRefused: (8, "the server refused, or knows no way to do it"),
    errors.Unsupported: (8, ""),
    errors.VerificationFailed: (9, "the file did not arrive as it was"),
    errors.UnsafePath: (9, ""),
    errors.LocalFileError: (10, "a file on this side cannot be read or written"),
    OSError: (10, ""),
    CancelledError: (130, "interrupted"),
    InputInterrupted: (130, ""),
}
"""Kinds of errors: the exit status, and what it means (once for each)."""


def exit_status_for(error: BaseException) -> int:
    """Return the exit status that tells of ``error``."""
    for kind in type(error).__mro__:
        if kind in EXIT_STATUSES:
            return EXIT_STATUSES[kind][0]
    return INTERNAL_ERROR_STATUS


def exit_statuses_markdown() -> str:
    """Return the statuses as a Markdown table, for the documentation."""
    told = sorted((number, meaning) for number, meaning in EXIT_STATUSES.values() if meaning)
    rows = [f"| {number} | {meaning} |" for number, meaning in [(0, "all is done"), *told]]
    return "\n".join(["| status | meaning |", "| --- | --- |", *rows])


def error_text(error: BaseException) -> str:
    """Return one line; names in it may still hold what does not print."""
    if isinstance(error, CancelledError):
        return "Interrupted."
    if isinstance(error, errors.CertificateNotTrusted):
        return _certificate_error_text(error)
    if isinstance(error, OSError):
        return _os_error_text(error)
    text = str(error).strip()
    if exit_status_for(error) == INTERNAL_ERROR_STATUS:
        return f"Something went wrong in this program: {type(error).__name__}: {text}".rstrip(": ")
    return text or type(error).__name__


def _certificate_error_text(error: errors.CertificateNotTrusted) -> str:
    """Return what the library says of it, with the options in place of its names."""
    reason = str(error).partition(";")[0]
    pin = error.fingerprint or "SHA256"
    return (
        f"{reason}; if that is the server that you mean, start ftpservice-client with "
        f"--fingerprint={pin} to trust its certificate, or --ca-file=FILE to trust who signed it"
    )


def _os_error_text(error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{os.fsdecode(error.filename)}: {reason}" if error.filename else reason
