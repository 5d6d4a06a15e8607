from __future__ import annotations

import errno
from pathlib import Path

import pytest
from twisted.internet.defer import CancelledError

from ftpservice_client import errors
from ftpservice_client.console.session.errors import (
    ConsoleError,
    InputInterrupted,
    NotConnected,
    UnknownCommand,
)
from ftpservice_client.console.session.exit_status import (
    EXIT_STATUSES,
    INTERNAL_ERROR_STATUS,
    error_text,
    exit_status_for,
)
from ftpservice_client.console.session.line_parser import LineSyntaxError

MISSING = FileNotFoundError(errno.ENOENT, "x", "there/is none")


@pytest.mark.parametrize(
    ("error", "number", "text"),
    [
        (ConsoleError("no."), 1, "no."),
        (NotConnected(), 1, "Not connected. Connect with: open ftp://host/ (or CONN host port)"),
        (UnknownCommand("what?"), 2, "what?"),
        (LineSyntaxError("a quote"), 2, "a quote"),
        (errors.BadURL("that is none"), 2, "that is none"),
        (errors.Timeout("too long"), 3, "too long"),
        (errors.CannotConnect("refused"), 3, "refused"),
        (errors.AuthenticationFailed("login failed"), 5, "login failed"),
        (errors.NotFound("x: none"), 6, "x: none"),
        (errors.AccessDenied("no"), 7, "no"),
        (errors.AlreadyExists("there"), 8, "there"),
        (errors.Unsupported("unknown"), 8, "unknown"),
        (errors.VerificationFailed("short"), 9, "short"),
        (errors.LocalFileError("disk"), 10, "disk"),
        (MISSING, 10, "there/is none: No such file or directory"),
        (OSError("odd"), 10, "odd"),
        (errors.ClientError(), 1, "ClientError"),
        (CancelledError(), 130, "Interrupted."),
        (InputInterrupted(), 130, "Interrupted."),
        (
            KeyError("x"),
            INTERNAL_ERROR_STATUS,
            "Internal error: KeyError: 'x'",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_error_is_a_line_and_a_status(error: BaseException, number: int, text: str) -> None:
    assert exit_status_for(error) == number
    assert error_text(error) == text


def test_a_certificate_error_names_the_options() -> None:
    error = errors.CertificateNotTrusted("not trusted: self-signed; ask (Trust(...))", "AA:BB")
    assert exit_status_for(error) == 4
    assert error_text(error) == (
        "not trusted: self-signed; start ftpservice-client with "
        "--fingerprint=AA:BB to trust this certificate, or with --ca-file=FILE to trust its issuer"
    )
    assert "--fingerprint=SHA256 " in error_text(errors.CertificateNotTrusted("no"))


def test_every_status_has_one_meaning() -> None:
    numbers = [number for number, meaning in EXIT_STATUSES.values() if meaning]
    assert sorted(set(numbers)) == sorted(numbers)
    assert {number for number, _ in EXIT_STATUSES.values()} == set(numbers)


def test_every_error_of_the_library_has_a_status() -> None:
    for name in errors.__all__:
        if not isinstance(getattr(errors, name), type):
            continue
        assert exit_status_for(getattr(errors, name)("text")) not in (0, INTERNAL_ERROR_STATUS), (
            name
        )


def test_os_errors_accept_a_path_object() -> None:
    assert error_text(OSError(errno.EACCES, "x", Path("a"))) == "a: Permission denied"
