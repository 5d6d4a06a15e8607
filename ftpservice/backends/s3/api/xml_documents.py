"""The XML of S3: answers as values, and the two documents that are sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from ftpservice.backends.s3.api.failures import S3Failure

__all__ = [
    "ListedObject",
    "ListingPage",
    "OpenUpload",
    "UploadPart",
    "complete_document",
    "deletion_document",
    "error_in",
    "failed_deletions",
    "is_xml_text",
    "listing_page",
    "parts_page",
    "text_in",
    "uploads_page",
]

MAX_ERROR_BYTES = 1 << 16
NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has not; parsers turn a carriage return into a line break."""


class ListedObject(NamedTuple):
    """An object in a listing."""

    key: str
    size: int
    etag: str
    modified: float
    """Whole seconds, as in the headers of an object."""


class ListingPage(NamedTuple):
    """A page of a listing."""

    objects: Sequence[ListedObject]
    prefixes: Sequence[str]
    """What keys have in common up to the next slash, with that slash."""
    next_token: str
    """Where the next page begins; empty at the end."""


class UploadPart(NamedTuple):
    """A part of a multipart upload."""

    number: int
    etag: str
    size: int


class OpenUpload(NamedTuple):
    """A multipart upload that is not complete."""

    key: str
    upload_id: str
    initiated: float


def error_in(status: int, body: bytes) -> tuple[str, str]:
    """Return code and text of an error; both empty if the body of a success is none.

    A copy, and the end of a multipart upload, may fail after the status 200 was sent.
    """
    if (status < 300 and b"<Error" not in body[:200]) or not body or len(body) > MAX_ERROR_BYTES:
        return "", ""
    try:
        root = _root(body)
    except S3Failure:
        return "", ""
    if root.tag != "Error":
        return "", ""
    return root.findtext("Code") or "Error", root.findtext("Message") or ""


def text_in(body: bytes, name: str) -> str:
    """Return the text of the first element of that name below the top."""
    return _root(body).findtext(name) or ""


def listing_page(body: bytes) -> ListingPage:
    """Parse an answer of ListObjectsV2."""
    root = _root(body)
    decode = unquote_plus if root.findtext("EncodingType") == "url" else str
    objects = [
        ListedObject(
            decode(one.findtext("Key") or ""),
            int(one.findtext("Size") or 0),
            (one.findtext("ETag") or "").strip('"'),
            _seconds(one.findtext("LastModified") or ""),
        )
        for one in root.iterfind("Contents")
    ]
    prefixes = [decode(one.findtext("Prefix") or "") for one in root.iterfind("CommonPrefixes")]
    is_cut = root.findtext("IsTruncated") == "true"
    return ListingPage(
        objects, prefixes, (root.findtext("NextContinuationToken") or "") if is_cut else ""
    )


def parts_page(body: bytes) -> tuple[list[UploadPart], str]:
    """Parse an answer of ListParts; return the parts and where the next page begins."""
    root = _root(body)
    parts = [
        UploadPart(
            int(one.findtext("PartNumber") or 0),
            (one.findtext("ETag") or "").strip('"'),
            int(one.findtext("Size") or 0),
        )
        for one in root.iterfind("Part")
    ]
    is_cut = root.findtext("IsTruncated") == "true"
    return parts, (root.findtext("NextPartNumberMarker") or "") if is_cut else ""


def uploads_page(body: bytes) -> tuple[list[OpenUpload], tuple[str, str] | None]:
    """Parse an answer of ListMultipartUploads; return them and the markers of the next page."""
    root = _root(body)
    decode = unquote_plus if root.findtext("EncodingType") == "url" else str
    uploads = [
        OpenUpload(
            decode(one.findtext("Key") or ""),
            one.findtext("UploadId") or "",
            _seconds(one.findtext("Initiated") or ""),
        )
        for one in root.iterfind("Upload")
    ]
    if root.findtext("IsTruncated") != "true":
        return uploads, None
    marker = decode(root.findtext("NextKeyMarker") or "")
    return uploads, (marker, root.findtext("NextUploadIdMarker") or "")


def complete_document(parts: Iterable[UploadPart]) -> bytes:
    """Return the body of CompleteMultipartUpload."""
    rows = "".join(
        f"<Part><PartNumber>{one.number}</PartNumber><ETag>&quot;{escape(one.etag)}&quot;</ETag></Part>"
        for one in parts
    )
    return f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()


def is_xml_text(text: str) -> bool:
    """Return whether a document can hold a text."""
    return NOT_XML.search(text) is None


def deletion_document(keys: Iterable[str]) -> bytes:
    """Return the body of DeleteObjects, for keys that XML can hold; only failures are answered."""
    rows = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
    return f"<Delete><Quiet>true</Quiet>{rows}</Delete>".encode()


def failed_deletions(body: bytes) -> Iterator[tuple[str, str]]:
    """Yield key and code of what DeleteObjects did not delete."""
    for one in _root(body).iterfind("Error"):
        yield one.findtext("Key") or "", one.findtext("Code") or "Error"


def _root(body: bytes) -> ElementTree.Element:
    """Parse a document without a DTD; names lose their namespace."""
    if b"<!DOCTYPE" in body[:1000]:
        raise S3Failure(0, "BadAnswer", "a document type")
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise S3Failure(0, "BadAnswer", str(error)) from None
    for one in root.iter():
        one.tag = one.tag.rpartition("}")[2]
    return root


def _seconds(text: str) -> float:
    try:
        return float(int(datetime.fromisoformat(text).timestamp()))
    except ValueError:
        return 0.0
