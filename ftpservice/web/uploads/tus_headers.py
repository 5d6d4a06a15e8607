"""The headers of tus 1.0.0 (https://tus.io): what a request says, as values."""

from __future__ import annotations

import base64
import binascii
from email.utils import formatdate
from typing import Any, NamedTuple
from urllib.parse import quote

from ftpservice.web.http.problems import Problem
from ftpservice.wire.paths import BadPath, VirtualPath

__all__ = [
    "BODY_TYPE",
    "EXTENSIONS",
    "VERSION",
    "NewUpload",
    "check_body_type",
    "check_version",
    "new_upload",
    "number",
    "quoted_path",
    "tell_expiry",
]

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration"
BODY_TYPE = "application/offset+octet-stream"
MAX_DIGITS = 18
MAX_METADATA_BYTES = 8 * 1024


class NewUpload(NamedTuple):
    """What a client announces."""

    path: VirtualPath
    length: int
    replaces: bool
    """Whether a file of that name is replaced; otherwise it is an error."""


def check_version(request: Any) -> None:
    """Raise `Problem` for another version of the protocol."""
    if request.getHeader("tus-resumable") != VERSION:
        request.setHeader("Tus-Version", VERSION)
        raise Problem(412, f"The protocol is tus {VERSION}: Tus-Resumable: {VERSION}.")


def check_body_type(request: Any) -> None:
    """Raise `Problem` for a body of another type."""
    if (request.getHeader("content-type") or "").partition(";")[0].strip() != BODY_TYPE:
        raise Problem(415, f"The body has the type {BODY_TYPE}.")


def number(request: Any, name: str) -> int:
    """Return the number of bytes in a header; raises `Problem`."""
    text = request.getHeader(name) or ""
    if not (text.isascii() and text.isdecimal()) or len(text) > MAX_DIGITS:
        raise Problem(400, f"The header {name} is a number of bytes.")
    return int(text)


def new_upload(request: Any) -> NewUpload:
    """Return what a request to create an upload announces; raises `Problem`."""
    if request.getHeader("upload-defer-length") is not None:
        raise Problem(400, "The size has to be known: Upload-Length.")
    length = number(request, "Upload-Length")
    given = _metadata(request.getHeader("upload-metadata") or "")
    replaces = given.get("replace", b"no")
    if replaces not in (b"yes", b"no"):
        raise Problem(400, "In Upload-Metadata, replace is yes or no.")
    text = given.get("path", b"").decode("utf-8", "surrogateescape")
    if not text.startswith("/"):
        raise Problem(400, "In Upload-Metadata, path is an absolute path.")
    try:
        path = VirtualPath.parse(text)
    except BadPath as error:
        raise Problem(400, f"{str(error).capitalize()}.", reason="name") from None
    return NewUpload(path, length, replaces == b"yes")


def _metadata(text: str) -> dict[str, bytes]:
    if len(text) > MAX_METADATA_BYTES:
        raise Problem(400, f"Upload-Metadata has at most {MAX_METADATA_BYTES} bytes.")
    found = {}
    for pair in filter(None, (one.strip() for one in text.split(","))):
        name, _, value = pair.partition(" ")
        try:
            found[name] = base64.b64decode(value.strip().encode(), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raise Problem(400, f"Upload-Metadata: {name!r} is not Base64.") from None
    return found


def quoted_path(path: VirtualPath) -> str:
    """Return a path as it is in a URL."""
    return quote(str(path).encode("utf-8", "surrogateescape"))


def tell_expiry(request: Any, when: float) -> None:
    """Set the header that says until when an upload can be resumed."""
    request.setHeader("Upload-Expires", formatdate(when, usegmt=True))
