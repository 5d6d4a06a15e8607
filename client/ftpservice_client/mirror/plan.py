"""What there is to do to make one tree like another."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ftpservice_client.mirror.local_tree import Item, Tree
from ftpservice_client.results import Step

__all__ = ["deletions", "is_unsure", "plan"]

GRAIN = 1.0
"""Seconds of the coarsest times that MLSD and MDTM tell."""
SUMMER_TIME = 3600.0
"""Seconds that the zone of a place may change by."""
UNTOLD = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""What makes a name one that servers leave out of listings."""


def plan(source: Tree, target: Tree, action: str, *, delete: bool) -> list[Step]:
    """Return steps in an order that works: directories from the top, removals from the bottom.

    A file of the same size that is not older is left alone (``skip``); ``action`` is what the
    others are done. What is a file here and a directory there fails when it is tried.
    """
    items = sorted(source.items.items())
    steps = [_step(path, item, target.items.get(path), action) for path, item in items]
    known = [step for step in steps if step is not None]
    known += [Step("leave", path) for path in sorted(source.links)]
    return known + deletions(source, target) if delete else known


def _step(path: str, item: Item, former: Item | None, action: str) -> Step | None:
    if item.is_directory:
        return None if former is not None and former.is_directory else Step("make", path)
    if former is None or former.is_directory:
        return Step(action, path, item.size)
    return Step("skip" if _is_same(item, former) else action, path, item.size)


def _is_same(item: Item, former: Item) -> bool:
    """Tell whether the target's file need not be replaced; one of which nothing is known must."""
    if not (item.size_known and former.size_known):
        if not (item.modified and former.modified):
            return False
    elif former.size != item.size:
        return False
    return former.modified + max(GRAIN, former.time_grain) > item.modified


def is_unsure(item: Item, target: Tree, path: str) -> bool:
    """Tell whether a listing tells too little of two files to know if they are the same.

    The time of a listing is in the zone that the server has today; it may have been an hour off
    when the file was changed.
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
    return grain <= former.modified - item.modified <= SUMMER_TIME + grain


def deletions(source: Tree, target: Tree) -> list[Step]:
    """Return what is to be deleted of the target, and what is kept all the same.

    Deleted is only what is known to be gone from the source. Links on the server are deleted
    themselves; links here, which no mirror has made, stay.
    """
    links = target.links if target.is_remote else set()
    missing = (set(target.items) | links) - set(source.items)
    kept = {path for path in missing if _is_kept(source, target, path)}
    held: set[str] = set()
    for path in kept | target.others | target.vague | (target.links - links):
        held.update(_above(path))
    steps = []
    for path in sorted(missing, reverse=True):
        size = target.items[path].size if path in target.items else 0
        is_kept = path in kept or path in held
        steps.append(Step("keep" if is_kept else "delete", path, size))
    return steps


def _is_kept(source: Tree, target: Tree, path: str) -> bool:
    """Tell whether a path may be there in the source, or is not surely what is deleted."""
    places = [*reversed(list(_above(path))), path]
    above = ""
    for place in places:
        if place in source.items and source.items[place].is_directory:
            above = place
            continue
        is_there = place in source.items or place in source.links or place in source.others
        unsure = above in source.vague or above in target.vague
        if is_there or unsure or _may_be_untold(source, above, place):
            return True
        break
    return any(place in target.vague or place in target.shared for place in places)


def _may_be_untold(source: Tree, above: str, path: str) -> bool:
    """Tell whether a listing of the directory ``above`` may have left out a name in it."""
    name = path.rpartition("/")[2]
    if not source.is_remote:
        return False
    return (name.startswith(".") and above in source.veiled) or UNTOLD.search(name) is not None


def _above(path: str) -> Iterator[str]:
    """Yield the directories above a path, the top left out."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
