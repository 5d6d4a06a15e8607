"""Removal of partial uploads that nobody has resumed for long; everything here blocks."""

from __future__ import annotations

from ftpservice.backends.s3.tree.keys import HIDDEN_NAME
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.backends.s3.uploads.partial_records import PartialRecords
from ftpservice.wire.paths import ROOT

__all__ = ["remove_abandoned"]

LEFT_FOLDERS = ("probe", "creations", "renames")


def remove_abandoned(view: BucketView, busy: set[str]) -> int:
    """Remove the partial uploads that are older than the source keeps them; return how many.

    ``busy`` are the records of uploads under way here. Multipart uploads of that age without a
    record are removed too: those of appends whose process was killed, and those of others; so is
    what killed processes have left of probes, locks and renames.
    """
    served = view.served
    before = served.server_seconds() - served.options.partial_age
    records = PartialRecords(view)
    removed, known = 0, served.running.upload_ids()
    for found in records.below(ROOT):
        if found.record_key not in busy and found.modified < before:
            records.discard(found)
            removed += 1
        else:
            known.add(found.record.upload_id)
    for upload in served.multiparts.open_uploads(served.options.prefix):
        if upload.upload_id not in known and 0 < upload.initiated < before:
            served.multiparts.abort(upload.key, upload.upload_id)
            removed += 1
    for folder in LEFT_FOLDERS:
        for page in served.bucket.pages(f"{served.options.prefix}{HIDDEN_NAME}/{folder}/"):
            left = [one.key for one in page.objects if 0 < one.modified < before]
            served.bucket.delete_many(left)
    return removed
