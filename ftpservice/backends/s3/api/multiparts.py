"""Multipart uploads: objects that are stored in parts and appear when they are complete.

Everything here blocks, and raises `S3Failure`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import md5

from ftpservice.backends.s3.api.bucket import (
    ANYTHING,
    Bucket,
    Condition,
    ObjectFacts,
    copy_headers,
    etag_of,
    metadata_headers,
)
from ftpservice.backends.s3.api.failures import CHANGED, MISSING, S3Failure
from ftpservice.backends.s3.api.signed_requests import (
    BytesBody,
    PartBody,
    S3Call,
    SignedRequests,
)
from ftpservice.backends.s3.api.xml_documents import (
    OpenUpload,
    UploadPart,
    complete_document,
    parts_page,
    text_in,
    uploads_page,
)

__all__ = ["MIN_PART_SIZE", "Multiparts"]

MIN_PART_SIZE = 5 << 20
"""All parts but the last have at least so many bytes."""


class Multiparts:
    """Multipart uploads of one bucket."""

    def __init__(self, requests: SignedRequests, bucket: Bucket) -> None:
        self._requests = requests
        self._bucket = bucket

    def create(
        self,
        key: str,
        metadata: Mapping[str, str] | None = None,
        content_headers: Mapping[str, str] | None = None,
    ) -> str:
        """Begin an upload; return its id."""
        headers = {**metadata_headers(metadata or {}), **(content_headers or {})}
        answer = self._requests.send(S3Call("POST", key, {"uploads": ""}, headers))
        return text_in(answer.body, "UploadId")

    def write(self, key: str, upload_id: str, number: int, body: PartBody) -> UploadPart:
        """Store a part; one of the same number is replaced."""
        query = {"partNumber": str(number), "uploadId": upload_id}
        answer = self._requests.send(S3Call("PUT", key, query, {}, body))
        return UploadPart(number, etag_of(answer), body.size)

    def copy(
        self,
        upload: tuple[str, str, int],
        source: str,
        facts: ObjectFacts,
        span: tuple[int, int],
    ) -> UploadPart:
        """Copy bytes of an object on the server into a part: of a key, an upload, a number."""
        key, upload_id, number = upload
        start, end = span
        headers = copy_headers(self._requests, source, facts)
        headers["x-amz-copy-source-range"] = f"bytes={start}-{end - 1}"
        query = {"partNumber": str(number), "uploadId": upload_id}
        answer = self._requests.send(S3Call("PUT", key, query, headers, is_long=True))
        return UploadPart(number, etag_of(answer), end - start)

    def parts(self, key: str, upload_id: str) -> list[UploadPart] | None:
        """Return the parts stored so far, by number; None if there is no such upload."""
        found: list[UploadPart] = []
        marker = ""
        while True:
            query = {"uploadId": upload_id, "max-parts": "1000"}
            if marker:
                query["part-number-marker"] = marker
            try:
                answer = self._requests.send(S3Call("GET", key, query))
            except S3Failure as failure:
                if failure.status == MISSING:
                    return None
                raise
            parts, marker = parts_page(answer.body)
            found += parts
            if not marker:
                return sorted(found)

    def complete(
        self,
        key: str,
        upload_id: str,
        parts: Sequence[UploadPart],
        condition: Condition = ANYTHING,
    ) -> str:
        """Make the object of the parts; return its ETag. `CHANGED`: see `Condition`."""
        body = BytesBody(complete_document(parts))
        headers = {"Content-Type": "application/xml", **condition.headers}
        call = S3Call("POST", key, {"uploadId": upload_id}, headers, body, is_long=True)
        try:
            return text_in(self._requests.send(call).body, "ETag").strip('"')
        except S3Failure as failure:
            if failure.status not in (MISSING, CHANGED):
                raise
            now = self._bucket.head(key)  # the answer of an earlier attempt may have been lost
            if now is None or now.etag != _expected_etag(parts):
                raise
            return now.etag

    def abort(self, key: str, upload_id: str) -> None:
        """Discard an upload and its parts, if it is there."""
        try:
            self._requests.send(S3Call("DELETE", key, {"uploadId": upload_id}))
        except S3Failure as failure:
            if failure.status != MISSING:
                raise

    def open_uploads(self, prefix: str) -> Iterator[OpenUpload]:
        """Yield the uploads below ``prefix`` that are not complete."""
        marker: tuple[str, str] | None = None
        while True:
            query = {"uploads": "", "prefix": prefix, "encoding-type": "url"}
            if marker is not None:
                query |= {"key-marker": marker[0], "upload-id-marker": marker[1]}
            uploads, marker = uploads_page(self._requests.send(S3Call("GET", "", query)).body)
            yield from uploads
            if marker is None:
                return


def _expected_etag(parts: Sequence[UploadPart]) -> str:
    """Return the ETag of an object of these parts; empty if theirs are not MD5 digests."""
    try:
        digests = b"".join(bytes.fromhex(one.etag) for one in parts)
    except ValueError:
        return ""
    return f"{md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
