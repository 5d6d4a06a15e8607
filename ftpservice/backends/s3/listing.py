"""Listings of directories, page by page as the server has them."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from ftpservice.backends.s3.api.xml_documents import ListingPage
from ftpservice.backends.s3.tree.keys import HIDDEN_NAME
from ftpservice.backends.s3.tree.object_entries import directory_entry, file_entry
from ftpservice.backends.s3.tree.object_lookup import require_directory
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.storage.errors import Unavailable
from ftpservice.storage.interfaces import IListing
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import FORBIDDEN, VirtualPath

__all__ = ["S3Listing", "open_directory"]


async def open_directory(view: BucketView, path: VirtualPath) -> S3Listing:
    """Open a directory; raises `PathNotFound`, `NotDirectory`."""
    first = await view.in_thread(path, _first_page, view, path)
    return S3Listing(view, path, first)


def _first_page(view: BucketView, path: VirtualPath) -> ListingPage:
    if not path.is_root and not view.keys.can_exist(path):
        require_directory(view, path)
    page = view.bucket.page(view.keys.directory(path))
    if not page.objects and not page.prefixes and not page.next_token:
        view.served.directories.forget(view.keys.directory(path))
        require_directory(view, path)
    return page


@implementer(IListing)
class S3Listing:
    """A directory of which the ``first`` page was read when it was opened."""

    def __init__(self, view: BucketView, path: VirtualPath, first: ListingPage) -> None:
        self._view = view
        self._path = path
        self._prefix = view.keys.directory(path)
        self._hides = self._prefix == view.served.options.prefix
        self._page: ListingPage | None = first
        self._files: list[str] = []
        """Names of files, each the beginning of the next, that a directory could have as well."""
        self._is_closed = False

    async def next_batch(self) -> Sequence[Entry]:
        """Return the entries of a page that has some."""
        while self._page is not None:
            if self._is_closed:
                raise Unavailable(self._path, "listing after close")
            page, self._page = self._page, None
            batch = self._entries(page)
            if page.next_token:
                if not batch:
                    self._page = await self._next(page.next_token)
                    continue
                self._page = ListingPage([], [], page.next_token)
            if batch:
                return batch
        return []

    def close(self) -> None:
        """End the listing."""
        self._page = None
        self._is_closed = True

    async def _next(self, token: str) -> ListingPage:
        return await self._view.in_thread(self._path, self._view.bucket.page, self._prefix, token)

    def _entries(self, page: ListingPage) -> list[Entry]:
        """Return what can be named, once: a file that is a directory, too, is a file."""
        start = len(self._prefix)
        found = [(one.key[start:], one) for one in page.objects]
        found += [(prefix[start:], None) for prefix in page.prefixes]  # type: ignore[misc]
        entries = []
        for name, one in sorted(found, key=lambda pair: pair[0]):
            plain = name.removesuffix("/") if one is None else name
            if not self._can_be_named(plain):
                continue
            while self._files and not plain.startswith(self._files[-1]):
                self._files.pop()
            if one is not None:
                self._files.append(plain)
                entries.append(file_entry(one.key, one.size, one.etag, one.modified))
            elif plain not in self._files:
                entries.append(directory_entry(plain))
        return entries

    def _can_be_named(self, name: str) -> bool:
        if not name or name in (".", "..") or "/" in name or not FORBIDDEN.isdisjoint(name):
            return False
        return not (self._hides and name == HIDDEN_NAME)
