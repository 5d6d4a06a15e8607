"""The errors of the client. A call fails with one of them, or with `CancelledError`."""

from __future__ import annotations

from typing import Any

from ftpservice.wire.replies import Reply

__all__ = [
    "AccessDenied",
    "AlreadyExists",
    "AuthenticationFailed",
    "BadURL",
    "CannotConnect",
    "CertificateNotTrusted",
    "ClientError",
    "InvalidArgument",
    "LocalFileError",
    "MirrorIncomplete",
    "NetworkError",
    "NotFound",
    "ProtocolViolation",
    "ServerBusy",
    "ServerRefused",
    "StorageFull",
    "Timeout",
    "UnparsableListing",
    "UnsafePath",
    "Unsupported",
    "VerificationFailed",
    "login_error_text",
]


class ClientError(Exception):
    """Base class; the text is one line for the user."""


class BadURL(ClientError, ValueError):
    """The URL is invalid, or its scheme is not supported."""


class InvalidArgument(ClientError, ValueError):
    """An argument is empty or contains CR, LF or NUL. Nothing was sent."""


class NetworkError(ClientError):
    """The connection is lost or unusable, or a transfer was incomplete."""


class Timeout(NetworkError):
    """A reply, a connection or progress did not come in time, or a call exceeded its timeout."""


class CannotConnect(NetworkError):
    """A connection could not be made."""


class ProtocolViolation(ClientError):
    """The server violated the protocol; in most cases the connection was closed for it."""


class CertificateNotTrusted(ClientError):
    """The server's certificate is not trusted; the text says how to trust it.

    ``fingerprint`` is the SHA-256 of the certificate, as ``AA:BB:..``, and ``certificate`` the
    certificate in DER; both are empty if the server sent none.
    """

    def __init__(self, text: str, fingerprint: str = "", certificate: bytes = b"") -> None:
        super().__init__(text)
        self.fingerprint = fingerprint
        self.certificate = certificate


class ServerRefused(ClientError):
    """The server refused; ``reply`` is its reply, None in the simple protocol."""

    def __init__(self, text: str, reply: Reply | None = None) -> None:
        super().__init__(text)
        self.reply = reply


class NotFound(ServerRefused):
    """The file or directory does not exist."""


class AccessDenied(ServerRefused):
    """The account does not have the permission, whether or not the file exists."""


class AlreadyExists(ServerRefused):
    """The name exists already, or is of the wrong kind (a file instead of a directory)."""


class StorageFull(ServerRefused):
    """The disk is full, the quota is exhausted, or the file is too large."""


class ServerBusy(ServerRefused):
    """The server is over a limit or has ended the session; try again later."""


class AuthenticationFailed(ServerRefused):
    """The name or the password is wrong, or the server requires more."""


class Unsupported(ClientError):
    """The server, or its protocol, does not support the operation."""


class VerificationFailed(ClientError):
    """The size or the digest of the copy differs from the original."""


class UnsafePath(ClientError):
    """A name from the server leads out of the target directory."""


class MirrorIncomplete(ClientError):
    """Some or all steps of a recursive transfer failed; ``result`` is the `MirrorResult`.

    The first failure is its cause.
    """

    def __init__(self, text: str, result: Any = None) -> None:
        super().__init__(text)
        self.result = result


class UnparsableListing(ClientError):
    """Lines of a listing, or names in it, could not be parsed, so its content is unknown."""


class LocalFileError(ClientError):
    """A local file or directory cannot be read or written; the cause is an `OSError`."""


def login_error_text(reply_text: str) -> str:
    """Return the message for a refused login."""
    if "login failed" in reply_text.lower():
        return reply_text
    return f"login failed: {reply_text}"
