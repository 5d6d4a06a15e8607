"""Errors as exit statuses, and as one line of text."""

from __future__ import annotations

import os

from twisted.internet.defer import CancelledError

from ftpservice_client import errors
from ftpservice_client.console.session.errors import ConsoleError, InputInterrupted, UsageError
from ftpservice_client.console.session.line_parser import LineSyntaxError

__all__ = [
    "EXIT_STATUSES",
    "INTERNAL_ERROR_STATUS",
    "error_text",
    "exit_status_for",
    "exit_statuses_markdown",
]

INTERNAL_ERROR_STATUS = 70
"""EX_SOFTWARE of sysexits.h: an exception that is in no row of the table."""

EXIT_STATUSES: dict[type[BaseException], tuple[int, str]] = {
    ConsoleError: (1, "any other error"),
    errors.ClientError: (1, ""),
    UsageError: (2, "invalid command line or invalid line of a script"),
    LineSyntaxError: (2, ""),
    errors.BadURL: (2, ""),
    errors.InvalidArgument: (2, ""),
    errors.NetworkError: (3, "cannot connect, connection lost, or timeout"),
    errors.ProtocolViolation: (3, ""),
    errors.CertificateNotTrusted: (4, "the server's certificate is not trusted"),
    errors.AuthenticationFailed: (5, "login failed"),
    errors.NotFound: (6, "no such file or directory"),
    errors.AccessDenied: (7, "permission denied"),
    errors.ServerRefused: (8, "refused, or not supported by the server"),
    errors.Unsupported: (8, ""),
    errors.VerificationFailed: (9, "verification failed: the transferred file differs"),
    errors.UnsafePath: (9, ""),
    errors.LocalFileError: (10, "a local file cannot be read or written"),
    OSError: (10, ""),
    CancelledError: (130, "interrupted"),
    InputInterrupted: (130, ""),
}
"""Exit status and meaning of each class of errors; the meaning stands once for each status."""


def exit_status_for(error: BaseException) -> int:
    """Return the exit status of ``error``: that of its nearest base class in the table."""
    for kind in type(error).__mro__:
        if kind in EXIT_STATUSES:
            return EXIT_STATUSES[kind][0]
    return INTERNAL_ERROR_STATUS


def exit_statuses_markdown() -> str:
    """Return the table of exit statuses for the documentation."""
    statuses = sorted((number, meaning) for number, meaning in EXIT_STATUSES.values() if meaning)
    rows = [f"| {number} | {meaning} |" for number, meaning in [(0, "success"), *statuses]]
    return "\n".join(["| status | meaning |", "| --- | --- |", *rows])


def error_text(error: BaseException) -> str:
    """Return one line; names in it are not escaped yet."""
    if isinstance(error, CancelledError):
        return "Interrupted."
    if isinstance(error, errors.CertificateNotTrusted):
        return _certificate_error_text(error)
    if isinstance(error, OSError):
        return _os_error_text(error)
    text = str(error).strip()
    if exit_status_for(error) == INTERNAL_ERROR_STATUS:
        return f"Internal error: {type(error).__name__}: {text}".rstrip(": ")
    return text or type(error).__name__


def _certificate_error_text(error: errors.CertificateNotTrusted) -> str:
    """Return the reason that the library gives, with command line options instead of its API."""
    reason = str(error).partition(";")[0]
    pin = error.fingerprint or "SHA256"
    return (
        f"{reason}; start ftpservice-client with --fingerprint={pin} to trust this certificate, "
        "or with --ca-file=FILE to trust its issuer"
    )


def _os_error_text(error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{os.fsdecode(error.filename)}: {reason}" if error.filename else reason
