"""Publishing a small upload by one call without a thread."""

from __future__ import annotations

from ftpservice.backends.s3.api.bucket import etag_of
from ftpservice.backends.s3.api.prompt_requests import MAX_PROMPT_BYTES
from ftpservice.backends.s3.api.signed_requests import S3Call
from ftpservice.backends.s3.tree.object_entries import stored_entry
from ftpservice.backends.s3.tree.part_buffer import PartBuffer
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.backends.s3.uploads.parted_object import PartedObject
from ftpservice.storage.interfaces import WriteMode
from ftpservice.wire.entry import Entry

__all__ = ["publish_promptly"]


async def publish_promptly(
    view: BucketView, parted: PartedObject, rest: PartBuffer, mode: WriteMode
) -> Entry | None:
    """Publish an object that is as small as ``rest``, if one call is all that it takes.

    None if it takes more, or if that has failed: then `PartedObject.publish` does all of it.
    """
    prompt = view.served.prompt
    if prompt is None or mode is not WriteMode.REPLACE or view.rule is not None:
        return None
    if parted.record.exists or parted.must_check_directories:
        return None
    if rest.size > MAX_PROMPT_BYTES or not rest.is_in_memory:
        return None
    if not view.served.record_index.has_none(view.keys.record(view.owner, parted.path)):
        return None
    sent = prompt.send(S3Call("PUT", parted.key, body=rest))
    answer = None if sent is None else await sent
    return None if answer is None else stored_entry(parted.key, rest.size, etag_of(answer))
