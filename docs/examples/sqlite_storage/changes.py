"""Create, delete and rename; every function blocks and is one transaction."""

from __future__ import annotations

from ftpservice.storage import (
    Denied,
    Exists,
    HasUploads,
    InvalidName,
    IsDirectory,
    NotDirectory,
    NotEmpty,
    VirtualPath,
)
from sqlite_storage.store import Node, Store

__all__ = [
    "file",
    "make_directory",
    "remove_directory",
    "remove_file",
    "rename",
    "set_modified",
]


def make_directory(store: Store, top: int, path: VirtualPath) -> None:
    """Create one directory."""
    if path.is_root:
        raise Exists(path)
    place = store.place(top, path)
    if store.child(*place) is not None:
        raise Exists(path)
    with store.db:
        store.name(*place, (None, 0))


def remove_directory(store: Store, top: int, path: VirtualPath) -> None:
    """Remove an empty directory."""
    directory = store.directory(top, path)
    if path.is_root:
        raise Denied(path)
    if store.children(directory, b""):
        raise NotEmpty(path)
    if store.uploads[directory]:
        raise HasUploads(path)
    with store.db as db:
        db.execute("DELETE FROM nodes WHERE id = ?", (directory,))


def file(store: Store, top: int, path: VirtualPath) -> tuple[Node, int]:
    """Return a file and the number of its content; raises `NotFound`, `IsDirectory`."""
    node = store.node(top, path)
    if node.blob is None:
        raise IsDirectory(path)
    return node, node.blob


def remove_file(store: Store, top: int, path: VirtualPath) -> None:
    """Delete a file; downloads in progress continue."""
    node, blob = file(store, top, path)
    with store.db as db:
        db.execute("DELETE FROM nodes WHERE id = ?", (node.id,))
        store.drop(blob)


def set_modified(store: Store, top: int, path: VirtualPath, modified: float) -> None:
    """Set the modification time."""
    node = store.node(top, path)
    with store.db as db:
        db.execute("UPDATE nodes SET modified = ? WHERE id = ?", (modified, node.id))


def rename(store: Store, top: int, source: VirtualPath, target: VirtualPath, replace: bool) -> None:
    """Rename a file or directory."""
    node = store.node(top, source)
    if source.is_root or target.is_root:
        raise Denied(source)
    if node.blob is None and target != source and target.is_within(source):
        raise InvalidName(target)
    place = store.place(top, target)
    there = store.child(*place)
    if there is not None:
        check_gives_way(node, there, target, replace)
    if there == node:
        return
    with store.db as db:
        if there is not None and there.blob is not None:
            db.execute("DELETE FROM nodes WHERE id = ?", (there.id,))
            store.drop(there.blob)
        db.execute("UPDATE nodes SET parent = ?, name = ? WHERE id = ?", (*place, node.id))


def check_gives_way(node: Node, there: Node, target: VirtualPath, replace: bool) -> None:
    """Raise unless a file replaces a file, or the name is free."""
    if not replace:
        raise Exists(target)
    if there == node:
        return
    if there.blob is None:
        raise IsDirectory(target) if node.blob is not None else Exists(target)
    if node.blob is None:
        raise NotDirectory(target)
