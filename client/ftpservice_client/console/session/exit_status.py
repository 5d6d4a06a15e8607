"""Errors as one line for a person, and as the exit status of the command."""

from __future__ import annotations

import os

from twisted.internet.defer import CancelledError

from ftpservice_client import errors
from ftpservice_client.console.session.errors import Abandoned, Complaint, Usage
from ftpservice_client.console.session.line_parser import BadLine

__all__ = ["BUG", "STATUSES", "explain", "status", "statuses_markdown"]

BUG = 70
"""What nobody expected (EX_SOFTWARE)."""

STATUSES: dict[type[BaseException], tuple[int, str]] = {
    Complaint: (1, "anything else went wrong"),
    errors.ClientError: (1, ""),
    Usage: (2, "the command line or the script makes no sense"),
    BadLine: (2, ""),
    errors.BadURL: (2, ""),
    errors.BadName: (2, ""),
    errors.Cut: (3, "no connection, or it was cut, or nothing came for too long"),
    errors.Garbled: (3, ""),
    errors.Untrusted: (4, "the server's certificate is not trusted"),
    errors.LoginFailed: (5, "the login failed"),
    errors.NotFound: (6, "there is no such file or directory"),
    errors.Denied: (7, "not permitted"),
    errors.Refused: (8, "the server refused, or knows no way to do it"),
    errors.Unsupported: (8, ""),
    errors.Mismatch: (9, "the file did not arrive as it was"),
    errors.Unsafe: (9, ""),
    errors.LocalProblem: (10, "a file on this side cannot be read or written"),
    OSError: (10, ""),
    CancelledError: (130, "interrupted"),
    Abandoned: (130, ""),
}
"""Kinds of errors: the exit status, and what it means (once for each)."""


def status(error: BaseException) -> int:
    """Return the exit status that tells of ``error``."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind][0]
    return BUG


def statuses_markdown() -> str:
    """Return the statuses as a Markdown table, for the documentation."""
    told = sorted((number, meaning) for number, meaning in STATUSES.values() if meaning)
    rows = [f"| {number} | {meaning} |" for number, meaning in [(0, "all is done"), *told]]
    return "\n".join(["| status | meaning |", "| --- | --- |", *rows])


def explain(error: BaseException) -> str:
    """Return one line; names in it may still hold what does not print."""
    if isinstance(error, CancelledError):
        return "Interrupted."
    if isinstance(error, errors.Untrusted):
        return _of_certificates(error)
    if isinstance(error, OSError):
        return _of_the_system(error)
    text = str(error).strip()
    if status(error) == BUG:
        return f"Something went wrong in this program: {type(error).__name__}: {text}".rstrip(": ")
    return text or type(error).__name__


def _of_certificates(error: errors.Untrusted) -> str:
    """Return what the library says of it, with the options in place of its names."""
    reason = str(error).partition(";")[0]
    pin = error.fingerprint or "SHA256"
    return (
        f"{reason}; if that is the server that you mean, start ftpservice-client with "
        f"--fingerprint={pin} to trust its certificate, or --ca-file=FILE to trust who signed it"
    )


def _of_the_system(error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{os.fsdecode(error.filename)}: {reason}" if error.filename else reason
