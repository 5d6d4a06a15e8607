"""What is at a path: an object, a directory, or nothing. Everything here blocks.

A directory is what keys have in common up to a slash. One without files is an empty object, its
marker, whose key ends with a slash. Where an object has the name of a directory, it is the object
that is seen.
"""

from __future__ import annotations

from ftpservice.backends.s3.api.bucket import ObjectFacts
from ftpservice.backends.s3.tree.known_directories import MAX_PAGES
from ftpservice.backends.s3.tree.object_entries import directory_entry, entry_of_facts
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.storage.errors import IsDirectory, NotDirectory, PathNotFound
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = [
    "directory_exists",
    "entry_at",
    "file_at",
    "is_known_to_be_free",
    "require_directory",
    "require_no_directory",
    "require_no_recent_directory",
    "require_parent",
]


def entry_at(view: BucketView, path: VirtualPath) -> Entry:
    """Return the entry of ``path``; raises `PathNotFound`."""
    if path.is_root:
        return directory_entry("")
    if not view.keys.can_exist(path):
        raise PathNotFound(path)
    facts = view.bucket.head(view.keys.key(path))
    if facts is not None:
        return entry_of_facts(view.keys.key(path), facts)
    marker = view.bucket.head(view.keys.directory(path))
    if marker is not None:
        return directory_entry(path.name, marker.metadata)
    if view.bucket.has_any(view.keys.directory(path)):
        return directory_entry(path.name)
    raise PathNotFound(path)


def file_at(view: BucketView, path: VirtualPath) -> ObjectFacts:
    """Return the facts of a file; raises `PathNotFound`, `IsDirectory`."""
    if path.is_root:
        raise IsDirectory(path)
    if view.keys.can_exist(path):
        facts = view.bucket.head(view.keys.key(path))
        if facts is not None:
            return facts
        require_no_directory(view, path)
    raise PathNotFound(path)


def directory_exists(view: BucketView, path: VirtualPath) -> bool:
    """Return whether there is a directory; what was seen a moment ago counts."""
    key = view.keys.directory(path)
    known = view.served.directories
    if path.is_root or known.has(key):
        return True
    if not view.bucket.has_any(key):
        return False
    known.add(key)
    return True


def require_directory(view: BucketView, path: VirtualPath) -> None:
    """Raise `NotDirectory` or `PathNotFound` if ``path`` is no directory."""
    if path.is_root:
        return
    if not view.keys.can_exist(path):
        raise PathNotFound(path)
    if not directory_exists(view, path):
        is_file = view.bucket.head(view.keys.key(path)) is not None
        raise (NotDirectory if is_file else PathNotFound)(path)


def require_parent(view: BucketView, path: VirtualPath) -> None:
    """Raise `InvalidName`, `NotDirectory` or `PathNotFound` if nothing can be made at ``path``."""
    view.keys.require_valid(path)
    try:
        require_directory(view, path.parent)
    except (NotDirectory, PathNotFound) as error:
        raise type(error)(path) from None


def require_no_directory(view: BucketView, path: VirtualPath) -> None:
    """Raise `IsDirectory` if ``path`` is one."""
    if view.bucket.has_any(view.keys.directory(path)):
        raise IsDirectory(path)


def _inner_directories(view: BucketView, above: str) -> tuple[frozenset[str] | None, int]:
    """Return the directories in one, None if it is too large, and how many pages were read."""
    found: set[str] = set()
    token = ""
    for number in range(1, MAX_PAGES + 1):
        page = view.bucket.page(above, token)
        found.update(page.prefixes)
        token = page.next_token
        if not token:
            return frozenset(found), number
    return None, MAX_PAGES


def is_known_to_be_free(view: BucketView, path: VirtualPath) -> bool:
    """Return whether a file can be at ``path`` by what was seen a moment ago; never blocks."""
    if path.is_root or not view.keys.can_exist(path):
        return False
    above, known = view.keys.directory(path.parent), view.served.directories
    if not (path.parent.is_root or known.has(above)):
        return False
    is_known, inner = known.inner(above)
    return is_known and inner is not None and view.keys.directory(path) not in inner


def require_no_recent_directory(view: BucketView, path: VirtualPath) -> None:
    """Raise `IsDirectory` if ``path`` is one; what was listed a moment ago counts.

    Small uploads into one directory would else take twice the requests. One of more than a page is
    listed to its end when many files are uploaded into it.
    """
    above, key = view.keys.directory(path.parent), view.keys.directory(path)
    known = view.served.directories
    is_known, inner = known.inner(above)
    if not is_known:
        page = view.bucket.page(above)
        inner = None if page.next_token else frozenset(page.prefixes)
        known.listed(above, inner)
    if inner is None and known.is_asked_often(above):
        inner, pages = _inner_directories(view, above)
        known.listed(above, inner, pages)
    if inner is None or key in inner:
        require_no_directory(view, path)
