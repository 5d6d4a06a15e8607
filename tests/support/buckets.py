"""A bucket of a test as the storages of a process see it, with all calls carried out at once."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Coroutine
from hashlib import md5
from typing import Any, TypeVar
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.api.signed_requests import BytesBody, S3Call, SignedRequests
from ftpservice.backends.s3.storage import S3Storage
from ftpservice.backends.s3.tree.served_bucket import BucketView, ServedBucket, ServerTraits
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.wire.paths import ROOT

__all__ = ["BUCKET", "InlineBucket", "result"]

T = TypeVar("T")
BUCKET = "files"


class InlineBucket:
    """A part of the bucket, under a prefix of its own unless one is given."""

    def __init__(
        self, url: str, prefix: str = "", traits: ServerTraits | None = None, name: str = BUCKET
    ) -> None:
        self.options = BucketOptions(name, prefix or f"{uuid4().hex}/", url, "us-east-1")
        self.requests = SignedRequests(self.options)
        self.served = ServedBucket(self.options, self.requests, InlineRunner())
        self.served.traits = traits or ServerTraits(deletes_conditionally=True)

    def again(self) -> InlineBucket:
        """Return the same bucket as another process sees it."""
        options = self.options
        return InlineBucket(options.endpoint, options.prefix, self.served.traits, options.bucket)

    def keep_versions(self) -> None:
        """Make the bucket, and let it keep the versions of objects."""
        self.requests.send(S3Call("PUT"))
        body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        digest = b64encode(md5(body, usedforsecurity=False).digest()).decode()
        headers = {"Content-MD5": digest}
        self.requests.send(S3Call("PUT", "", {"versioning": ""}, headers, BytesBody(body)))

    def versions(self, name: str) -> tuple[int, int]:
        """Return how many versions and delete markers there are of an object."""
        query = {"versions": "", "prefix": self.options.prefix + name}
        found = self.requests.send(S3Call("GET", "", query)).body
        return found.count(b"<Version>"), found.count(b"<DeleteMarker>")

    def storage(self, owner: str = "one") -> S3Storage:
        """Return the storage of an account."""
        return S3Storage(BucketView(self.served, owner, ROOT))

    def write(self, name: str, data: bytes = b"") -> None:
        """Store an object as another program would."""
        self.served.bucket.write(self.options.prefix + name, BytesBody(data))

    def names(self) -> list[str]:
        """Return all keys but those of the service."""
        found = [
            one.key
            for page in self.served.bucket.pages(self.options.prefix)
            for one in page.objects
        ]
        names = [key.removeprefix(self.options.prefix) for key in found]
        return [name for name in names if not name.startswith(".ftpservice/")]

    def hidden(self) -> list[str]:
        """Return the keys of the service."""
        prefix = f"{self.options.prefix}.ftpservice/"
        return [one.key for page in self.served.bucket.pages(prefix) for one in page.objects]

    def open_uploads(self) -> list[str]:
        """Return the keys of multipart uploads that are not complete."""
        return [one.key for one in self.served.multiparts.open_uploads(self.options.prefix)]


def result(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that does not wait."""
    found: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(found.append)
    if isinstance(found[0], Failure):
        found[0].raiseException()
    answer: T = found[0]
    return answer
