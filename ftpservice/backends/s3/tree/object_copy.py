"""Copies of objects on the server, of any size. Everything here blocks."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from ftpservice.backends.s3.api.bucket import ANYTHING, Condition, ObjectFacts
from ftpservice.backends.s3.api.signed_requests import BytesBody
from ftpservice.backends.s3.api.xml_documents import UploadPart
from ftpservice.backends.s3.tree.served_bucket import ServedBucket

__all__ = ["MAX_COPY_PARTS", "MAX_COPY_SIZE", "copy_object", "copy_spans"]

MAX_COPY_SIZE = 256 << 20
"""What is copied in one call: it takes seconds."""
MAX_COPY_PARTS = 5000
COPY_THREADS = 4


def copy_spans(size: int) -> list[tuple[int, int]]:
    """Return ranges of about equal length, each that of a part, which make up ``size`` bytes."""
    count = min(MAX_COPY_PARTS, -(-size // MAX_COPY_SIZE))
    edges = [size * number // count for number in range(count + 1)]
    return list(pairwise(edges))


def copy_object(
    served: ServedBucket,
    source: tuple[str, ObjectFacts],
    target: str,
    metadata: Mapping[str, str] | None = None,
    condition: Condition = ANYTHING,
) -> str:
    """Copy an object with its metadata, or with ``metadata`` instead; return the ETag.

    Servers have no ``condition`` for copies, but have one for objects that are made of parts.
    """
    key, facts = source
    if facts.size <= MAX_COPY_SIZE and condition == ANYTHING:
        return served.bucket.copy(key, facts, target, metadata)
    kept = facts.metadata if metadata is None else metadata
    if not facts.size:
        return served.bucket.write(target, BytesBody(b""), kept, condition)
    upload_id = served.multiparts.create(target, kept, facts.content_headers)

    def copy_part(numbered: tuple[int, tuple[int, int]]) -> UploadPart:
        number, span = numbered
        return served.multiparts.copy((target, upload_id, number), key, facts, span)

    try:
        with ThreadPoolExecutor(COPY_THREADS, "s3 copy") as threads:
            parts = list(threads.map(copy_part, enumerate(copy_spans(facts.size), 1)))
        return served.multiparts.complete(target, upload_id, parts, condition)
    except Exception:
        served.multiparts.abort(target, upload_id)
        raise
