"""The objects of one bucket; everything here blocks, and raises `S3Failure`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from hashlib import md5
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote
from uuid import uuid4

from ftpservice.backends.s3.api.body_stream import BodyStream
from ftpservice.backends.s3.api.failures import CHANGED, MISSING, S3Failure
from ftpservice.backends.s3.api.memory_file import ObjectFile
from ftpservice.backends.s3.api.signed_requests import (
    BytesBody,
    PartBody,
    S3Answer,
    S3Call,
    SignedRequests,
)
from ftpservice.backends.s3.api.xml_documents import (
    ListingPage,
    deletion_document,
    failed_deletions,
    is_xml_text,
    listing_page,
    text_in,
)

__all__ = [
    "ANYTHING",
    "TOKEN",
    "Bucket",
    "Condition",
    "ObjectFacts",
    "RangeRead",
    "copy_headers",
    "etag_of",
    "metadata_headers",
]

TOKEN = "ftpservice-upload"
"""Metadata that tells whether a conditional call, repeated, had been carried out before."""
PAGE_KEYS = 1000
CONTENT_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class ObjectFacts(NamedTuple):
    """What the headers of an object say."""

    size: int
    etag: str
    modified: float
    """When it was stored, in whole seconds."""
    metadata: Mapping[str, str]
    content_headers: Mapping[str, str] = NO_HEADERS
    """Those that tell programs how to use the content; they belong to the object."""
    version: str = ""
    """Of a bucket that keeps versions; else empty."""


class RangeRead(NamedTuple):
    """Some bytes of an object."""

    facts: ObjectFacts
    data: bytes


@dataclass(frozen=True)
class Condition:
    """When an object is written: only if there is none, or only over this version."""

    if_absent: bool = False
    if_etag: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the condition."""
        if self.if_absent:
            return {"If-None-Match": "*"}
        return {"If-Match": f'"{self.if_etag}"'} if self.if_etag else {}


ANYTHING = Condition()


class Bucket:
    """Objects by their keys."""

    def __init__(self, requests: SignedRequests) -> None:
        self._requests = requests
        self.page_keys = PAGE_KEYS
        """How many keys a page of a listing has."""

    def head(self, key: str) -> ObjectFacts | None:
        """Return the facts of an object; None if there is none."""
        try:
            return facts_of(self._requests.send(S3Call("HEAD", key)))
        except S3Failure as failure:
            if failure.status == MISSING:
                return None
            raise

    def read(self, key: str, start: int, end: int, facts: ObjectFacts | None = None) -> RangeRead:
        """Return bytes ``start`` up to ``end``, of the version of ``facts`` if given.

        Raises `S3Failure` with `CHANGED` if that is no longer there.
        """
        try:
            answer = self._requests.send(_range_call(key, (start, end), facts))
        except S3Failure as failure:
            if failure.status == 416:
                now = self.head(key)
                if now is not None:
                    return RangeRead(now, b"")
            raise
        found = facts_of(answer)
        if answer.status == 206:
            return RangeRead(found, answer.body)
        return RangeRead(found, answer.body[start:end])

    def read_into(self, file: ObjectFile, key: str, start: int, facts: ObjectFacts) -> None:
        """Fill a file with bytes from ``start`` on, of the version of ``facts``.

        Raises `S3Failure` with `CHANGED` if that is no longer there.
        """
        end = start + file.size
        answer = self._requests.send(_range_call(key, (start, end), facts, file))
        if etag_of(answer) not in ("", facts.etag):
            raise S3Failure(CHANGED, "", "another version was sent")
        if answer.is_in_file:
            return
        data = answer.body if answer.status == 206 else answer.body[start:end]
        if len(data) != file.size:
            raise S3Failure(0, "IncompleteRead", f"{len(data)} of {file.size} bytes")
        file.write(data)

    @property
    def can_stream(self) -> bool:
        """Whether `stream` is possible: the server is called without TLS, as far as known."""
        return self._requests.can_stream

    def stream(self, key: str, span: tuple[int, int], facts: ObjectFacts) -> BodyStream | None:
        """Return bytes of the version of ``facts``, to be received.

        None if the server or its TLS does not allow that. Raises `S3Failure` as `read_into` does.
        """
        answer = self._requests.send(_range_call(key, span, facts, streams=True))
        stream, is_other = answer.stream, etag_of(answer) not in ("", facts.etag)
        if stream is not None and (is_other or stream.remaining != span[1] - span[0]):
            stream.close()
            stream = None
        if is_other:
            raise S3Failure(CHANGED, "", "another version was sent")
        return stream

    def write(
        self,
        key: str,
        body: PartBody,
        metadata: Mapping[str, str] | None = None,
        condition: Condition = ANYTHING,
    ) -> str:
        """Store an object; return its ETag. `CHANGED` if the condition does not hold."""
        token = uuid4().hex if condition != ANYTHING else ""
        headers = {**metadata_headers(metadata or {}, token), **condition.headers}
        try:
            answer = self._requests.send(S3Call("PUT", key, {}, headers, body))
        except S3Failure as failure:
            now = self.head(key) if failure.status == CHANGED and token else None
            if now is not None and now.metadata.get(TOKEN) == token:
                return now.etag  # the answer of an earlier attempt was lost
            raise
        return etag_of(answer)

    def delete(self, key: str, if_etag: str = "") -> None:
        """Delete an object, if it is there."""
        self._requests.send(S3Call("DELETE", key, {}, Condition(if_etag=if_etag).headers))

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete up to a thousand objects."""
        named = [key for key in keys if is_xml_text(key)]
        for key in keys:
            if not is_xml_text(key):
                self.delete(key)
        if not named:
            return
        body = deletion_document(named)
        digest = b64encode(md5(body, usedforsecurity=False).digest()).decode()
        call = S3Call("POST", "", {"delete": ""}, {"Content-MD5": digest}, BytesBody(body))
        for key, code in failed_deletions(self._requests.send(call).body):
            raise S3Failure(500, code, f"{key} is not deleted")

    def copy(
        self,
        source: str,
        facts: ObjectFacts,
        target: str,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Copy the version of ``facts`` on the server; return the ETag.

        ``metadata`` replaces that of the source.
        """
        headers = copy_headers(self._requests, source, facts)
        if metadata is not None:
            headers |= metadata_headers(metadata)
            headers["x-amz-metadata-directive"] = "REPLACE"
            headers |= facts.content_headers
        answer = self._requests.send(S3Call("PUT", target, {}, headers, is_long=True))
        return etag_of(answer)

    def page(
        self, prefix: str, token: str = "", delimiter: str = "/", most: int = 0
    ) -> ListingPage:
        """Return a page of the keys that begin with ``prefix``."""
        query = {
            "list-type": "2",
            "encoding-type": "url",
            "max-keys": str(most or self.page_keys),
            "prefix": prefix,
        }
        if delimiter:
            query["delimiter"] = delimiter
        if token:
            query["continuation-token"] = token
        return listing_page(self._requests.send(S3Call("GET", "", query)).body)

    def pages(self, prefix: str) -> Iterator[ListingPage]:
        """Yield all keys that begin with ``prefix``, page by page."""
        token = ""
        while True:
            page = self.page(prefix, token, delimiter="")
            yield page
            token = page.next_token
            if not token:
                return

    def has_any(self, prefix: str) -> bool:
        """Return whether any key begins with ``prefix``."""
        return self._has_other(prefix, "")

    def has_more(self, prefix: str) -> bool:
        """Return whether any key begins with ``prefix`` and is longer."""
        return self._has_other(prefix, prefix)

    def _has_other(self, prefix: str, known: str) -> bool:
        """Return whether any key but ``known`` begins with ``prefix``.

        A page may be empty and not the last one, where a server counts what it does not show.
        """
        token, most = "", 2 if known else 1
        while True:
            page = self.page(prefix, token, delimiter="", most=most)
            if any(one.key != known for one in page.objects):
                return True
            if page.next_token in ("", token):
                return False
            token = page.next_token


def _range_call(
    key: str,
    span: tuple[int, int],
    facts: ObjectFacts | None,
    into: ObjectFile | None = None,
    streams: bool = False,
) -> S3Call:
    """Return the call that reads some bytes, of the version of ``facts`` if given."""
    headers = {"Range": f"bytes={span[0]}-{span[1] - 1}"}
    query = {}
    if facts is not None:
        headers["If-Match"] = f'"{facts.etag}"'
        query = {"versionId": facts.version} if facts.version else {}
    return S3Call("GET", key, query, headers, into=into, streams=streams)


def copy_headers(requests: SignedRequests, source: str, facts: ObjectFacts) -> dict[str, str]:
    """Return the headers that name what is copied."""
    name = quote(f"{requests.bucket}/{source}", safe="-._~/")
    if facts.version:
        name += f"?versionId={facts.version}"
    return {
        "x-amz-copy-source": name,
        "x-amz-copy-source-if-match": f'"{facts.etag}"',
    }


def facts_of(answer: S3Answer) -> ObjectFacts:
    """Return what the headers of an answer say about the object."""
    headers = answer.headers
    total = headers.get("content-range", "").rpartition("/")[2]
    size = int(total) if total.isdecimal() else int(headers.get("content-length", 0))
    metadata = {
        name.removeprefix("x-amz-meta-"): value
        for name, value in headers.items()
        if name.startswith("x-amz-meta-")
    }
    version = headers.get("x-amz-version-id", "")
    return ObjectFacts(
        size,
        headers.get("etag", "").strip('"'),
        _http_seconds(headers.get("last-modified", "")),
        metadata,
        {name: headers[name] for name in CONTENT_HEADERS if headers.get(name)},
        "" if version == "null" else version,
    )


def etag_of(answer: S3Answer) -> str:
    """Return the ETag of what was stored, from the headers or, of a copy, the body."""
    found = answer.headers.get("etag", "")
    if not found and answer.body:
        found = text_in(answer.body, "ETag")
    return found.strip('"')


def metadata_headers(metadata: Mapping[str, str], token: str = "") -> dict[str, str]:
    """Return the headers of metadata."""
    named = {**metadata, TOKEN: token} if token else metadata
    return {f"x-amz-meta-{name}": value for name, value in named.items()}


def _http_seconds(text: str) -> float:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return 0.0
