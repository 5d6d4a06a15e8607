"""All that a call of the client can fail with, besides being cancelled: one small tree."""

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
    """Why a call failed; its text is a line for a person."""


class BadURL(ClientError, ValueError):
    """The URL names no server that this client can speak to."""


class InvalidArgument(ClientError, ValueError):
    """An argument that may not be sent: it holds CR, LF or NUL, or is empty. Nothing was sent."""


class NetworkError(ClientError):
    """The connection is lost or unusable, or a transfer was incomplete."""


class Timeout(NetworkError):
    """Nothing came, or nothing moved, for too long, or a call took longer than it was given."""


class CannotConnect(NetworkError):
    """No connection could be made."""


class ProtocolViolation(ClientError):
    """The server said what no server may; mostly the connection was closed for that."""


class CertificateNotTrusted(ClientError):
    """The server's certificate is not trusted; the text says how it can be.

    ``fingerprint`` is the SHA-256 of the certificate, as ``AA:BB:..``, and ``certificate`` the
    certificate itself in DER; both are empty if there was none.
    """

    def __init__(self, text: str, fingerprint: str = "", certificate: bytes = b"") -> None:
        super().__init__(text)
        self.fingerprint = fingerprint
        self.certificate = certificate


class ServerRefused(ClientError):
    """The server refused; ``reply`` is what it said, and None where it speaks no FTP."""

    def __init__(self, text: str, reply: Reply | None = None) -> None:
        super().__init__(text)
        self.reply = reply


class NotFound(ServerRefused):
    """There is no such file or directory."""


class AccessDenied(ServerRefused):
    """It is there, or may be, but this account may not."""


class AlreadyExists(ServerRefused):
    """There is something under that name already, or what is there is of the wrong kind."""


class StorageFull(ServerRefused):
    """The disk is full, the quota used up, or the file larger than is allowed."""


class ServerBusy(ServerRefused):
    """The server takes no more for now, or has ended the session: try again later."""


class AuthenticationFailed(ServerRefused):
    """The name or the password is wrong, or not enough."""


class Unsupported(ClientError):
    """The server, or its protocol, has no way to do that."""


class VerificationFailed(ClientError):
    """The file did not arrive as it was: its size or its digest is another."""


class UnsafePath(ClientError):
    """The server gave a name that would lead out of the directory to be written to."""


class MirrorIncomplete(ClientError):
    """Steps of a recursive transfer failed, or all of them; ``result`` is the `MirrorResult`.

    The first failure is its cause.
    """

    def __init__(self, text: str, result: Any = None) -> None:
        super().__init__(text)
        self.result = result


class UnparsableListing(ClientError):
    """Lines of a listing, or names in it, could not be understood: what is there is not known."""


class LocalFileError(ClientError):
    """A file or directory on this side cannot be read or written; the cause is an `OSError`."""


def login_error_text(said: str) -> str:
    """Return a line about a login that a server turned away with these words."""
    return said if "login failed" in said.lower() else f"login failed: {said}"
