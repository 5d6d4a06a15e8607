"""Keeping what is deleted and overwritten, and giving it back; everything here blocks.

A version is copied on the server before it is deleted or replaced: whenever the process is killed,
it is in its place, in the trash, or in both. It is deleted or replaced only if it is still the one
that was copied, as far as the server has conditions; if it has changed meanwhile, the change begins
again with the new version. The copy is removed only if the version is seen in its place: an answer
that was lost may have been that of a success.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.logger import Logger

from ftpservice.backends.s3.api.bucket import ANYTHING, Condition, ObjectFacts
from ftpservice.backends.s3.api.failures import CHANGED, MISSING, S3Failure, storage_error
from ftpservice.backends.s3.api.xml_documents import ListedObject
from ftpservice.backends.s3.trash.trash_items import (
    TrashItem,
    items,
    items_below,
    new_item_name,
    trash_item,
)
from ftpservice.backends.s3.tree.keys import is_too_long, owner_mark
from ftpservice.backends.s3.tree.object_copy import copy_object
from ftpservice.backends.s3.tree.object_entries import entry_of_facts
from ftpservice.backends.s3.tree.object_lookup import require_no_directory, require_parent
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.storage.errors import (
    Busy,
    Exists,
    InvalidName,
    IsDirectory,
    NoSpace,
    NotInTrash,
    PathNotFound,
    TrashFull,
)
from ftpservice.storage.trash import TrashedFile
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["S3TrashBin"]

MAX_TRIES = 5
"""How often a change begins again because others have changed the file."""

T = TypeVar("T")


class S3TrashBin:
    """The trash of the owner of ``view``; without a rule it keeps nothing, but may restore."""

    def __init__(self, view: BucketView) -> None:
        self._view = view
        self._bucket = view.bucket
        self._mark = owner_mark(view.owner)

    def delete(self, path: VirtualPath, facts: ObjectFacts) -> None:
        """Delete a file, whose facts were ``facts``, and keep it."""
        key = self._view.keys.key(path)
        now: ObjectFacts | None = facts
        for _ in range(MAX_TRIES):
            if now is None:
                raise PathNotFound(path)
            item = self._keep(path, now, was_overwritten=False)
            if item and self._delete_if_unchanged(key, now, item):
                self._kept(path, item, now)
                return
            now = self._bucket.head(key)
        raise Busy(path, "others keep changing it")

    def _delete_if_unchanged(self, key: str, facts: ObjectFacts, item: str) -> bool:
        """Delete the version of ``facts``, which is kept; False if there is another one."""
        is_conditional = self._view.served.traits.deletes_conditionally
        try:
            self._bucket.delete(key, facts.etag if is_conditional else "")
        except S3Failure as failure:
            there = self._bucket.head(key)
            if there is not None and there.etag == facts.etag:
                self._take_back(item)
            if failure.status not in (CHANGED, MISSING):
                raise
            return there is None  # an earlier attempt succeeded, or somebody else was quicker
        return True

    def replace(self, path: VirtualPath, change: Callable[[Condition], T]) -> T:
        """Make a change that gives something else the name ``path``, and keep the file there.

        ``change`` gets the condition that the file is still the one that is kept. If it fails, and
        the file is as it was, nothing is kept.
        """
        key = self._view.keys.key(path)
        for _ in range(MAX_TRIES):
            facts = self._bucket.head(key)
            item = "" if facts is None else self._keep(path, facts, was_overwritten=True)
            if facts is not None and not item:
                continue
            try:
                done = change(self._condition(facts))
            except BaseException as error:
                if facts is not None and self._is_as_before(key, facts):
                    self._take_back(item)
                if not (isinstance(error, S3Failure) and error.status == CHANGED):
                    raise
            else:
                if facts is not None:
                    self._kept(path, item, facts)
                return done
        raise Busy(path, "others keep changing it")

    def restore(self, trashed: TrashedFile, target: VirtualPath, replace: bool) -> Entry:
        """Give a file of the trash a name; see `ITrash.restore`."""
        if target.is_root:
            raise IsDirectory(target)
        require_parent(self._view, target)
        require_no_directory(self._view, target)
        item = self._found(trashed)
        facts = self._bucket.head(item.key)
        if facts is None:
            raise NotInTrash(trashed.path)
        key = self._view.keys.key(target)

        def move(condition: Condition) -> None:
            copy_object(self._view.served, (item.key, facts), key, None, condition)
            self._bucket.delete(item.key)

        if replace and self._view.rule is not None:
            self.replace(target, move)
        elif replace:
            move(ANYTHING)
        else:
            self._move_to_free(target, move)
        there = self._bucket.head(key)
        if there is None:
            raise PathNotFound(target, "it was removed again")
        return entry_of_facts(key, there)

    def _move_to_free(self, target: VirtualPath, move: Callable[[Condition], None]) -> None:
        if self._bucket.head(self._view.keys.key(target)) is not None:
            raise Exists(target)
        try:
            move(self._condition(None))
        except S3Failure as failure:
            if failure.status == CHANGED:
                raise Exists(target, "created meanwhile") from None
            raise

    def discard(self, trashed: TrashedFile) -> bool:
        """Remove a file for good; return whether it was there."""
        try:
            item = self._found(trashed)
        except NotInTrash:
            return False
        is_conditional = self._view.served.traits.deletes_conditionally
        try:
            self._bucket.delete(item.key, item.etag if is_conditional else "")
        except S3Failure as failure:
            if failure.status in (CHANGED, MISSING):
                return False
            raise
        return True

    def own(self, path: VirtualPath) -> list[TrashedFile]:
        """Return what the owner has deleted that had the name ``path``, or was below it."""
        if not (path.is_root or self._view.keys.can_exist(path)):
            return []
        return [one.shown for one in items_below(self._view, path) if one.mark == self._mark]

    def _condition(self, facts: ObjectFacts | None) -> Condition:
        """Return the condition that there is still the version of ``facts``, or nothing."""
        traits = self._view.served.traits
        if facts is not None:
            return Condition(if_etag=facts.etag) if traits.replaces else ANYTHING
        can_create = traits.creates and traits.completes_conditionally
        return Condition(if_absent=True) if can_create else ANYTHING

    def _keep(self, path: VirtualPath, facts: ObjectFacts, was_overwritten: bool) -> str:
        """Copy a version to the trash; return the key of the copy, empty if it has changed."""
        view = self._view
        key = view.keys.key(path)
        entry = entry_of_facts(key, facts)
        item = view.keys.trash(path) + new_item_name(view, was_overwritten, entry.modified)
        if is_too_long(item):
            raise InvalidName(path, "too long to be kept in the trash")
        try:
            copy_object(view.served, (key, facts), item)
        except S3Failure as failure:
            if failure.status in (CHANGED, MISSING) and failure.code != "NoSuchBucket":
                return ""
            if isinstance(storage_error(failure, path), NoSpace):
                raise TrashFull(path, str(failure)) from None
            raise
        return item

    def _take_back(self, item: str) -> None:
        """Remove a copy of a version that is in its place."""
        try:
            self._bucket.delete(item)
        except S3Failure as failure:
            log.warn("{item} stays in the trash: {error}", item=item, error=failure)

    def _kept(self, path: VirtualPath, item: str, facts: ObjectFacts) -> None:
        """Note a version that is in the trash now, and remove versions beyond their number."""
        view = self._view
        order = view.served.trash_orders.get(view.trash_name)
        found = trash_item(ListedObject(item, facts.size, facts.etag, 0.0), view.keys)
        if order is not None and found is not None:
            order.add(found.shown)
        self._remove_surplus(path)

    def _is_as_before(self, key: str, facts: ObjectFacts) -> bool:
        try:
            there = self._bucket.head(key)
        except S3Failure:
            return False
        return there is not None and there.etag == facts.etag

    def _found(self, trashed: TrashedFile) -> TrashItem:
        """Return the item of a file of the trash; raises `NotInTrash`."""
        view, number = self._view, trashed.id
        if view.keys.can_exist(trashed.path):
            prefix = f"{view.keys.trash(trashed.path)}{self._mark}.{number}"
            for one in items(view.served, prefix, view.keys):
                if (one.shown.id, one.shown.path) == (number, trashed.path):
                    return one
        raise NotInTrash(trashed.path)

    def _remove_surplus(self, path: VirtualPath) -> None:
        """Remove the oldest versions of a name, if there are too many.

        The change is done by then: what fails here is done after the next one.
        """
        view = self._view
        if view.rule is None:
            return
        try:
            prefix = f"{view.keys.trash(path)}{self._mark}."
            found = [one for one in items(view.served, prefix, view.keys) if one.shown.path == path]
            for one in found[: -view.rule.versions]:
                self._bucket.delete(one.key)
                view.freed.add(one.shown.size)
        except S3Failure as failure:
            log.warn("{path}: old versions stay in the trash: {error}", path=path, error=failure)


log = Logger()
