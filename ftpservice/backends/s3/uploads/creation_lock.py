"""A lock for the end of large uploads that may not replace a file; everything here blocks.

Some servers ignore ``If-None-Match`` at the end of a multipart upload, and others look for the
object a moment before they make theirs, so that of two such ends at the same time both succeed. The
processes of the service therefore take turns: whoever creates an object of the service, by a
conditional PUT, looks and publishes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from twisted.logger import Logger

from ftpservice.backends.s3.api.bucket import Condition
from ftpservice.backends.s3.api.failures import CHANGED, MISSING, S3Failure
from ftpservice.backends.s3.api.signed_requests import BytesBody
from ftpservice.backends.s3.tree.keys import HIDDEN_NAME
from ftpservice.backends.s3.tree.served_bucket import ServedBucket
from ftpservice.storage.errors import Exists
from ftpservice.wire.paths import VirtualPath

__all__ = ["creation_lock"]

LOCK_SECONDS = 300.0
"""After this time a lock is that of a process that was killed; an end takes two minutes at most."""


@contextmanager
def creation_lock(served: ServedBucket, path: VirtualPath, key: str) -> Iterator[None]:
    """Hold the lock of ``key``; raises `Exists` if another process has it, or there is a file."""
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    lock_key = f"{served.options.prefix}{HIDDEN_NAME}/creations/{name}"
    etag = _take(served, lock_key)
    if not etag and _is_old(served, lock_key):
        etag = _take(served, lock_key)
    if not etag:
        raise Exists(path, "being created by another session")
    try:
        if served.bucket.head(key) is not None:
            raise Exists(path, "created meanwhile")
        yield
    finally:
        try:
            _remove(served, lock_key, etag)
        except S3Failure as failure:
            log.warn("{path}: its lock stays for minutes: {error}", path=path, error=failure)


def _take(served: ServedBucket, lock_key: str) -> str:
    """Take a lock, and return its ETag, which no other one has; empty if it is taken."""
    body = BytesBody(uuid4().hex.encode())
    try:
        return served.bucket.write(lock_key, body, None, Condition(if_absent=True))
    except S3Failure as failure:
        if failure.status == CHANGED:
            return ""
        raise


def _remove(served: ServedBucket, lock_key: str, etag: str) -> None:
    """Remove a lock, as far as the server can do that not that of another process."""
    try:
        served.bucket.delete(lock_key, etag if served.traits.deletes_conditionally else "")
    except S3Failure as failure:
        if failure.status not in (CHANGED, MISSING):
            raise


def _is_old(served: ServedBucket, lock_key: str) -> bool:
    """Return whether a lock is too old; that is removed."""
    facts = served.bucket.head(lock_key)
    if facts is None:
        return True
    if served.server_seconds() - facts.modified < LOCK_SECONDS:
        return False
    _remove(served, lock_key, facts.etag)
    return True


log = Logger()
