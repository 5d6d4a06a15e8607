"""The steps that make one tree equal to another."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ftpservice_client.mirror.local_tree import FileTree, TreeItem
from ftpservice_client.results import MirrorStep

__all__ = ["needs_exact_facts", "plan", "plan_deletions"]

TIME_GRAIN_SECONDS = 1.0
"""Precision of the coarsest times in MLSD and MDTM."""
DST_SECONDS = 3600.0
"""Seconds of a change to or from daylight saving time."""
UNLISTED_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Characters of names that servers leave out of listings."""


def plan(source: FileTree, target: FileTree, action: str, *, delete: bool) -> list[MirrorStep]:
    """Return the steps in a possible order: directories top down, removals bottom up.

    A file of the same size that is not older is skipped; ``action`` is applied to the others. A
    file on one side that is a directory on the other fails when its step runs.
    """
    items = sorted(source.items.items())
    steps = [_step(path, item, target.items.get(path), action) for path, item in items]
    known = [step for step in steps if step is not None]
    known += [MirrorStep("leave", path) for path in sorted(source.links)]
    return known + plan_deletions(source, target) if delete else known


def _step(path: str, item: TreeItem, former: TreeItem | None, action: str) -> MirrorStep | None:
    if item.is_directory:
        return None if former is not None and former.is_directory else MirrorStep("make", path)
    if former is None or former.is_directory:
        return MirrorStep(action, path, item.size)
    return MirrorStep("skip" if _is_same(item, former) else action, path, item.size)


def _is_same(item: TreeItem, former: TreeItem) -> bool:
    """Return whether the target's file is up to date; one of unknown size and time is not."""
    if not (item.size_known and former.size_known):
        if not (item.modified and former.modified):
            return False
    elif former.size != item.size:
        return False
    return former.modified + max(TIME_GRAIN_SECONDS, former.time_grain) > item.modified


def needs_exact_facts(item: TreeItem, target: FileTree, path: str) -> bool:
    """Return whether the listings are not exact enough to compare two files.

    The times of a listing are in the server's current zone, which may have differed by an hour when
    the file was changed.
    """
    former = target.items.get(path)
    if former is None or item.is_directory or former.is_directory:
        return False
    if not (item.size_known and former.size_known):
        return True
    if item.size != former.size:
        return False
    grain = item.time_grain or former.time_grain
    if not (grain and item.modified and former.modified):
        return bool(grain) or not (item.modified and former.modified)
    if not _is_same(item, former):
        return True
    return grain <= former.modified - item.modified <= DST_SECONDS + grain


def plan_deletions(source: FileTree, target: FileTree) -> list[MirrorStep]:
    """Return the deletions in the target, and what is kept for safety.

    Only what is certainly missing in the source is deleted. Links on the server are deleted, not
    followed; local links stay, because no mirror makes any.
    """
    links = target.links if target.is_remote else set()
    missing = (set(target.items) | links) - set(source.items)
    kept = {path for path in missing if _is_kept(source, target, path)}
    held: set[str] = set()
    for path in kept | target.excluded | target.incomplete | (target.links - links):
        held.update(_ancestors(path))
    steps = []
    for path in sorted(missing, reverse=True):
        size = target.items[path].size if path in target.items else 0
        is_kept = path in kept or path in held
        steps.append(MirrorStep("keep" if is_kept else "delete", path, size))
    return steps


def _is_kept(source: FileTree, target: FileTree, path: str) -> bool:
    """Return whether a path may exist in the source, or may be another file in the target."""
    places = [*reversed(list(_ancestors(path))), path]
    above = ""
    for place in places:
        if place in source.items and source.items[place].is_directory:
            above = place
            continue
        is_there = place in source.items or place in source.links or place in source.excluded
        unsure = above in source.incomplete or above in target.incomplete
        if is_there or unsure or _may_be_unlisted(source, above, place):
            return True
        break
    return any(place in target.incomplete or place in target.aliased for place in places)


def _may_be_unlisted(source: FileTree, above: str, path: str) -> bool:
    """Return whether the listing of the directory ``above`` may have left out a name in it."""
    name = path.rpartition("/")[2]
    if not source.is_remote:
        return False
    return (
        name.startswith(".") and above in source.hiding_dot_names
    ) or UNLISTED_CHARACTERS.search(name) is not None


def _ancestors(path: str) -> Iterator[str]:
    """Yield the directories above a path, except the top."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
