"""What is in the trash of a bucket: ``.ftpservice/trash/in/a.csv/NAME`` for ``in/a.csv``.

All versions of a name have one prefix, and so has all that was below a directory. The name of an
item begins with the mark of the account, and says all else that is to be known of it, since
listings tell no metadata.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from threading import Lock
from typing import NamedTuple

from ftpservice.backends.s3.api.xml_documents import ListedObject
from ftpservice.backends.s3.tree.keys import KeySpace, owner_mark
from ftpservice.backends.s3.tree.served_bucket import BucketView, ServedBucket
from ftpservice.storage.trash import TrashedFile
from ftpservice.wire.entry import Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["TrashItem", "item_name", "items", "items_below", "new_item_name", "trash_item"]

KEPT_NAME = re.compile(
    r"(?P<mark>[0-9a-f]{16})\.(?P<deleted>[0-9a-f]{14})(?P<token>[0-9a-f]{10})"
    r"\.(?P<expires>[0-9a-f]{14})\.(?P<how>[do])(?P<modified>[0-9a-f]{12})"
)
MAX_MODIFIED = 16**12 - 1


class KeptName(NamedTuple):
    """What the name of an item says; times are in microseconds since the epoch."""

    mark: str
    id: str
    deleted: int
    expires: int
    was_overwritten: bool
    modified: float
    """In seconds."""


class TrashItem(NamedTuple):
    """An object in the trash."""

    key: str
    mark: str
    etag: str
    shown: TrashedFile


class _DeletionTimes:
    """Times of deletions that are never the same: versions of a name are in their order."""

    lock = Lock()
    last = 0

    @classmethod
    def now(cls, seconds: Callable[[], float]) -> int:
        with cls.lock:
            cls.last = max(cls.last + 1, int(seconds() * 1e6))
            return cls.last


def new_item_name(view: BucketView, was_overwritten: bool, modified: float) -> str:
    """Return a name for a version that is deleted now; the view has a rule."""
    assert view.rule is not None
    deleted = _DeletionTimes.now(view.served.seconds)
    expires = deleted + int(view.rule.seconds * 1e6)
    kept = min(MAX_MODIFIED, int(max(0.0, modified) * 1000))
    how = "o" if was_overwritten else "d"
    token = os.urandom(5).hex()
    return f"{owner_mark(view.owner)}.{deleted:014x}{token}.{expires:014x}.{how}{kept:012x}"


def item_name(name: str) -> KeptName | None:
    """Return what a name says; None if it is not that of an item."""
    match = KEPT_NAME.fullmatch(name)
    if match is None:
        return None
    times = int(match["deleted"], 16), int(match["expires"], 16)
    modified = int(match["modified"], 16) / 1000
    number = match["deleted"] + match["token"]
    return KeptName(match["mark"], number, *times, match["how"] == "o", modified)


def items(served: ServedBucket, prefix: str, keys: KeySpace) -> Iterator[TrashItem]:
    """Yield the items of all accounts whose keys begin with ``prefix``; blocks."""
    for page in served.bucket.pages(prefix):
        for one in page.objects:
            found = trash_item(one, keys)
            if found is not None:
                yield found


def items_below(view: BucketView, path: VirtualPath) -> Iterator[TrashItem]:
    """Yield what all accounts have deleted that had the name ``path``, or was below it; blocks."""
    return items(view.served, view.keys.trash(path), view.keys)


def trash_item(one: ListedObject, keys: KeySpace) -> TrashItem | None:
    """Return what a key in the trash stands for; None for another one, or one beside the root."""
    above, _, name = one.key.rpartition("/")
    said, path = item_name(name), keys.path_of_trash(above)
    if said is None or path is None:
        return None
    times = said.modified, said.deleted / 1e6, said.expires / 1e6
    shown = TrashedFile(said.id, path, Kind.FILE, one.size, *times, said.was_overwritten)
    return TrashItem(one.key, said.mark, one.etag, shown)
