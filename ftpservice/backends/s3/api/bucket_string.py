r"""Storage strings of buckets: ``s3:BUCKET[:prefix=a/b][:endpoint=https\://host][:region=…]``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ftpservice.storage.source_strings import parse_options, split_fields
from ftpservice.wire.units import parse_duration, parse_size

__all__ = ["BucketOptions", "parse_bucket_string"]

BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
DEFAULT_PARTIAL_AGE_SECONDS = 7 * 86_400.0
DEFAULT_MEMORY = 256 << 20
MIN_MEMORY = 16 << 20


@dataclass(frozen=True)
class BucketOptions:
    """What a storage string says."""

    bucket: str
    prefix: str = ""
    """Empty, or the beginning of all keys, with a slash at its end."""
    endpoint: str = ""
    """The URL of the server; empty: ``AWS_ENDPOINT_URL_S3`` or Amazon's."""
    region: str = ""
    """Empty: that of the AWS settings, or as the server says."""
    profile: str = ""
    """Of the shared files of AWS settings and credentials; empty: ``AWS_PROFILE``."""
    ca_file: str = ""
    """Certificates that the server is checked by; empty: ``AWS_CA_BUNDLE`` or the system's."""
    partial_age: float = DEFAULT_PARTIAL_AGE_SECONDS
    memory: int = DEFAULT_MEMORY
    """Bytes of transfers that may be in memory; what uploads need beyond that is in ``spool``."""
    spool: str = ""
    """A local directory for parts of uploads; empty: that of ``TMPDIR``."""

    @property
    def shown(self) -> str:
        """The storage string without its options but the prefix."""
        prefix = self.prefix.rstrip("/")
        return f"s3:{self.bucket}" + (f":prefix={prefix}" if prefix else "")


def parse_bucket_string(argument: str) -> BucketOptions:
    """Parse what follows ``s3:``; raises `ValueError` with a one-line reason."""
    bucket, *rest = split_fields(argument)
    if not bucket:
        raise ValueError("the bucket is missing: s3:BUCKET")
    if "/" in bucket:
        name, _, prefix = bucket.strip("/").partition("/")
        raise ValueError(
            f"not a bucket: {bucket!r}; a prefix is an option: s3:{name}:prefix={prefix}"
        )
    if BUCKET_NAME.fullmatch(bucket) is None:
        raise ValueError(f"not the name of a bucket: {bucket!r}")
    if any(one.startswith("//") for one in rest):
        raise ValueError(r"a colon in an endpoint has a backslash: endpoint=http\://host\:9000")
    known: dict[str, Callable[[str], Any]] = {
        "prefix": _parse_prefix,
        "endpoint": _parse_endpoint,
        "region": str,
        "profile": str,
        "ca-file": str,
        "partial-age": _parse_age,
        "memory": _parse_memory,
        "spool": str,
    }
    return BucketOptions(bucket, **parse_options(rest, known))


def _parse_prefix(text: str) -> str:
    parts = [part for part in text.split("/") if part]
    if any(part in (".", "..") for part in parts):
        raise ValueError("a prefix has no parts '.' and '..'")
    return "".join(part + "/" for part in parts)


def _parse_endpoint(text: str) -> str:
    url = text if "://" in text else f"https://{text}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not an http or https URL: {text!r}")
    if parts.path.strip("/") or parts.query or parts.username:
        raise ValueError(f"a URL with nothing but host and port is needed: {text!r}")
    return f"{parts.scheme}://{parts.netloc}"


def _parse_age(text: str) -> float:
    age = parse_duration(text, needs_unit=True)
    if age < 3600:
        raise ValueError("at least 1h")
    return age


def _parse_memory(text: str) -> int:
    size = parse_size(text)
    if size < MIN_MEMORY:
        raise ValueError(f"at least {MIN_MEMORY >> 20}M")
    return size
