"""What goes wrong with a call of an S3 server, and which storage error it is."""

from __future__ import annotations

from ftpservice.storage.errors import (
    Busy,
    Denied,
    InvalidName,
    NoSpace,
    NotSupported,
    PathNotFound,
    StorageError,
    Unavailable,
)
from ftpservice.wire.paths import VirtualPath

__all__ = ["CHANGED", "MISSING", "S3Failure", "storage_error"]

MISSING = 404
CHANGED = 412
"""The condition of a call does not hold: there is something already, or not this version."""
CODES: dict[str, type[StorageError]] = {
    "NoSuchKey": PathNotFound,
    "NoSuchUpload": PathNotFound,
    "AccessDenied": Denied,
    "KeyTooLongError": InvalidName,
    "InvalidObjectName": InvalidName,
    "XMinioInvalidObjectName": InvalidName,
    "QuotaExceeded": NoSpace,
    "InsufficientStorage": NoSpace,
    "XMinioStorageFull": NoSpace,
    "XMinioAdminBucketQuotaExceeded": NoSpace,
    "SlowDown": Busy,
    "NotImplemented": NotSupported,
}
"""What the servers' codes mean, where the number of the status does not tell."""
STATUSES: dict[int, type[StorageError]] = {
    MISSING: PathNotFound,
    409: Busy,
    CHANGED: Busy,
    501: NotSupported,
    507: NoSpace,
}


FULL_TEXTS = ("no space left on device", "disk quota exceeded")
"""What operating systems call a full disk: servers that have no code for it pass that on."""

SERVER = "check the option endpoint of the storage, and whether the server runs"
TLS = "check https in the option endpoint, and the option ca-file"
REGION = "set the option region of the storage to that of the bucket"
KEYS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile"
CHAIN = "check what the credentials come from: a program (credential_process), a server or a file"
ADVICE = {
    "NoSuchBucket": "create the bucket, or correct its name in the storage string",
    "InvalidAccessKeyId": KEYS,
    "SignatureDoesNotMatch": KEYS,
    "CredentialsTimeout": CHAIN,
    "CredentialRetrievalError": CHAIN,
    "ExpiredToken": "renew AWS_SESSION_TOKEN and the keys that belong to it",
    "RequestTimeTooSkewed": "set the clock of this machine: it is not that of the server",
    "PermanentRedirect": REGION,
    "AuthorizationHeaderMalformed": REGION,
    "AccessDenied": "give the access key the rights to read, write, list and delete in the bucket",
    "ConnectionRefusedError": SERVER,
    "TimeoutError": SERVER,
    "gaierror": SERVER,
    "SSLError": TLS,
    "SSLCertVerificationError": TLS,
}
"""What an administrator can do about a code, for the log."""


class S3Failure(Exception):
    """A call failed; ``status`` is 0 if there was no answer."""

    def __init__(self, status: int, code: str = "", text: str = "") -> None:
        super().__init__(status, code, text)
        self.status = status
        self.code = code
        self.text = text

    @property
    def is_full(self) -> bool:
        """Whether the server says that it has no space left."""
        kind = CODES.get(self.code, STATUSES.get(self.status))
        if kind is not None or 300 <= self.status < 500 or not self.status:
            return kind is NoSpace
        text = self.text.lower()
        return any(one in text for one in FULL_TEXTS)

    def __str__(self) -> str:
        """Return it in one line, for the log."""
        parts = (str(self.status or ""), self.code, " ".join(self.text.split())[:300])
        return " ".join(filter(None, parts))


def storage_error(failure: S3Failure, path: VirtualPath) -> StorageError:
    """Return the storage error for a failed call for ``path``."""
    kind = NoSpace if failure.is_full else CODES.get(failure.code)
    if kind is None and failure.code != "NoSuchBucket":
        kind = STATUSES.get(failure.status)
    detail = filter(None, (str(failure), ADVICE.get(failure.code)))
    return (kind or Unavailable)(path, "; ".join(detail))
