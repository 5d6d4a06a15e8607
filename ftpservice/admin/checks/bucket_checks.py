"""Checks of the buckets that the files of the service are in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ftpservice.admin.checks.finding import Finding, error, good, warning

__all__ = ["check_bucket_of"]

SUBJECT = "bucket"
ADVICE = "see docs/s3.md"


def check_bucket_of(owner: str, options: Any) -> Iterator[Finding]:
    """Try the bucket of ``owner``, a setting or accounts; it may take some seconds."""
    from ftpservice.backends.s3.bucket_check import BucketUnusable, check_bucket

    place = f"{owner}: {options.shown}"
    try:
        missing = check_bucket(options)
    except BucketUnusable as caught:
        yield error(SUBJECT, f"{place}: {caught}", caught.advice or ADVICE)
        return
    yield good(SUBJECT, f"{place} can be used")
    for text in missing:
        yield warning(SUBJECT, f"{place}: {text}", ADVICE)
