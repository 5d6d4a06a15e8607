"""What a server can do: tried at the start, with objects of the service, and told in the log."""

from __future__ import annotations

from uuid import uuid4

from ftpservice.backends.s3.api.bucket import Condition
from ftpservice.backends.s3.api.failures import CHANGED, S3Failure
from ftpservice.backends.s3.api.signed_requests import BytesBody
from ftpservice.backends.s3.tree.keys import HIDDEN_NAME
from ftpservice.backends.s3.tree.object_entries import MTIME
from ftpservice.backends.s3.tree.served_bucket import ServedBucket, ServerTraits

__all__ = ["lost_updates", "probe", "shortcomings"]

ODD_CHARACTERS = "\\"
"""Those that some server changes in names."""


def probe(served: ServedBucket) -> ServerTraits:
    """Try what servers differ in; blocks, and raises `S3Failure`."""
    folder = f"{served.options.prefix}{HIDDEN_NAME}/probe/{uuid4().hex}/"
    key = f"{folder}object"
    try:
        etag = served.bucket.write(key, BytesBody(b"1"))
        return ServerTraits(
            creates=_is_refused(served, key, Condition(if_absent=True)),
            completes_conditionally=_refuses_to_complete(served, key),
            replaces=_replaces(served, key, etag),
            deletes_conditionally=_refuses_to_delete(served, key),
            dates_directories=_keeps_metadata(served, f"{folder}marker/"),
            refused=_lost_characters(served, folder),
        )
    finally:
        for page in served.bucket.pages(folder):
            served.bucket.delete_many([one.key for one in page.objects])


def shortcomings(traits: ServerTraits) -> list[str]:
    """Return what the server cannot do, and what follows from that, to be told in the log."""
    told = lost_updates(traits)
    if not traits.dates_directories:
        told.append("it keeps no times of directories, so they cannot be set")
    if traits.refused:
        told.append(
            f"it does not keep {' '.join(sorted(traits.refused))} in names; they are refused"
        )
    return told


def lost_updates(traits: ServerTraits) -> list[str]:
    """Return which conditional writes the server does not keep, and what follows from that."""
    told = []
    if not traits.creates:
        told.append("it ignores If-None-Match, so uploads that may not replace files are refused")
    elif not traits.completes_conditionally:
        told.append(
            "it ignores If-None-Match for multipart uploads, so a large upload of a "
            "new name may replace a file that another program creates at the same moment"
        )
    if not traits.replaces:
        told.append("it has no If-Match, so of two appends at the same moment one may be lost")
    return told


def _is_refused(served: ServedBucket, key: str, condition: Condition) -> bool:
    """Return whether writing an object is refused as it has to be."""
    try:
        served.bucket.write(key, BytesBody(b"1"), None, condition)
    except S3Failure as failure:
        if failure.status == CHANGED:
            return True
        if failure.status in (400, 501):
            return False
        raise
    return False


def _replaces(served: ServedBucket, key: str, etag: str) -> bool:
    wrong = _is_refused(served, key, Condition(if_etag="0" * 32))
    return wrong and not _is_refused(served, key, Condition(if_etag=etag))


def _refuses_to_complete(served: ServedBucket, key: str) -> bool:
    upload_id = served.multiparts.create(key)
    part = served.multiparts.write(key, upload_id, 1, BytesBody(b"2"))
    try:
        served.multiparts.complete(key, upload_id, [part], Condition(if_absent=True))
    except S3Failure as failure:
        served.multiparts.abort(key, upload_id)
        return failure.status == CHANGED
    return False


def _refuses_to_delete(served: ServedBucket, key: str) -> bool:
    try:
        served.bucket.delete(key, if_etag="0" * 32)
    except S3Failure as failure:
        return failure.status == CHANGED
    return False


def _keeps_metadata(served: ServedBucket, key: str) -> bool:
    served.bucket.write(key, BytesBody(b""), {MTIME: "1"})
    facts = served.bucket.head(key)
    return facts is not None and facts.metadata.get(MTIME) == "1"


def _lost_characters(served: ServedBucket, folder: str) -> frozenset[str]:
    """Return the characters without which a name is listed."""
    lost = set()
    for character in ODD_CHARACTERS:
        key = f"{folder}a{character}b"
        try:
            served.bucket.write(key, BytesBody(b"1"))
            listed = [one.key for one in served.bucket.page(folder).objects]
            served.bucket.delete(key)
        except S3Failure as failure:
            if failure.status != 400:
                raise
            listed = []
        if key not in listed:
            lost.add(character)
    return frozenset(lost)
