"""What there is to do to make one tree like another."""

from __future__ import annotations

from collections.abc import Mapping

from ftpservice_client.results import Step
from ftpservice_client.trees import Item

__all__ = ["plan"]

GRAIN = 1.0
"""Seconds of the coarsest times that servers tell of files."""


def plan(
    source: Mapping[str, Item], target: Mapping[str, Item], action: str, *, delete: bool
) -> list[Step]:
    """Return steps in an order that works: directories from the top, removals from the bottom.

    A file of the same size that is not older is left alone (``skip``); ``action`` is what the
    others are done. What is a file here and a directory there fails when it is tried.
    """
    steps = [_step(path, item, target.get(path), action) for path, item in sorted(source.items())]
    known = [step for step in steps if step is not None]
    if delete:
        gone = sorted(set(target) - set(source), reverse=True)
        known += [Step("delete", path, target[path].size) for path in gone]
    return known


def _step(path: str, item: Item, former: Item | None, action: str) -> Step | None:
    if item.is_directory:
        return None if former is not None and former.is_directory else Step("make", path)
    if former is None or former.is_directory or former.size != item.size:
        return Step(action, path, item.size)
    is_older = former.modified + GRAIN <= item.modified
    return Step(action if is_older else "skip", path, item.size)
