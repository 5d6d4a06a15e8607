"""Names and contents in one SQLite database: the blocking side of ``sqlite_storage``.

Everything here is called from one thread. A file's content is a *blob*, a number that its pieces
carry. A blob is filled first and named afterwards, and a named blob never changes, so a
reader keeps the content that it opened. A blob that neither a name nor a reader has is dropped.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from itertools import count
from typing import NamedTuple

from ftpservice.storage import (
    Entry,
    InvalidName,
    IsDirectory,
    Kind,
    NotDirectory,
    PathNotFound,
    VirtualPath,
)

__all__ = ["TOP", "Node", "Store", "encoded"]

TOP = 1
"""The root directory's number."""
BATCH = 500
COLUMNS = "id, name, blob, size, modified"
SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS nodes (
    id INTEGER PRIMARY KEY,
    parent INTEGER NOT NULL,
    name BLOB NOT NULL,
    blob INTEGER UNIQUE, -- NULL for a directory
    size INTEGER NOT NULL DEFAULT 0,
    modified REAL NOT NULL,
    UNIQUE (parent, name)
);
CREATE TABLE IF NOT EXISTS pieces (
    blob INTEGER NOT NULL,
    start INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (blob, start)
);
INSERT OR IGNORE INTO nodes (id, parent, name, modified)
    VALUES (1, 0, x'', strftime('%s', 'now'));
DELETE FROM pieces WHERE blob NOT IN (SELECT blob FROM nodes WHERE blob IS NOT NULL);
"""
"""The last line deletes the uploads that were in progress when the process ended."""


class Node(NamedTuple):
    """A row of the table of names."""

    id: int
    name: bytes
    blob: int | None
    size: int
    modified: float

    def entry(self, name: str | None = None) -> Entry:
        """Return the entry; a root has another name than its row."""
        shown = self.name.decode("utf-8", "surrogateescape") if name is None else name
        kind = Kind.DIRECTORY if self.blob is None else Kind.FILE
        return Entry(shown, kind, self.size, self.modified, unique=str(self.id))


def encoded(path: VirtualPath, name: str) -> bytes:
    """Return one component of ``path`` as stored; raises `InvalidName`."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InvalidName(path) from None


class Store:
    """The database; opened at the first use, in the thread and after any fork."""

    def __init__(self, file: str, capacity: int | None = None) -> None:
        self.file = file
        self._capacity = capacity
        self.uploads: Counter[int] = Counter()
        """Number of uploads in progress by directory, which is not removed meanwhile."""
        self._readers: Counter[int] = Counter()

    @cached_property
    def db(self) -> sqlite3.Connection:
        """The connection. It may change threads, because the pool ends idle ones."""
        db = sqlite3.connect(self.file, check_same_thread=False)
        db.executescript(SCHEMA)
        if self._capacity is not None:
            (page,) = db.execute("PRAGMA page_size").fetchone()
            db.execute(f"PRAGMA max_page_count = {max(1, self._capacity // page)}")
        return db

    @cached_property
    def _blobs(self) -> Iterator[int]:
        (last,) = self.db.execute("SELECT coalesce(max(blob), 0) FROM nodes").fetchone()
        return count(last + 1)

    def close(self) -> None:
        """Close the database, if it was opened."""
        if "db" in self.__dict__:
            self.db.close()

    def child(self, parent: int, name: bytes) -> Node | None:
        """Return the row of a name in a directory."""
        row = self.db.execute(
            f"SELECT {COLUMNS} FROM nodes WHERE parent = ? AND name = ?", (parent, name)
        ).fetchone()
        return None if row is None else Node(*row)

    def children(self, parent: int, after: bytes) -> list[Node]:
        """Return the next entries of a directory, with names greater than ``after``."""
        rows = self.db.execute(
            f"SELECT {COLUMNS} FROM nodes WHERE parent = ? AND name > ? ORDER BY name LIMIT ?",
            (parent, after, BATCH),
        )
        return [Node(*row) for row in rows]

    def node(self, top: int, path: VirtualPath) -> Node:
        """Return the row of ``path`` below ``top``; raises `PathNotFound`, `NotDirectory`."""
        row = self.db.execute(f"SELECT {COLUMNS} FROM nodes WHERE id = ?", (top,)).fetchone()
        node = None if row is None else Node(*row)
        for part in path.parts:
            if node is not None and node.blob is not None:
                raise NotDirectory(path)
            node = None if node is None else self.child(node.id, encoded(path, part))
        if node is None:
            raise PathNotFound(path)
        return node

    def directory(self, top: int, path: VirtualPath) -> int:
        """Return the number of a directory; raises `PathNotFound`, `NotDirectory`."""
        node = self.node(top, path)
        if node.blob is not None:
            raise NotDirectory(path)
        return node.id

    def place(self, top: int, path: VirtualPath) -> tuple[int, bytes]:
        """Return the directory and the name of ``path``, whether it exists or not."""
        if path.is_root:
            raise IsDirectory(path)
        try:
            return self.directory(top, path.parent), encoded(path, path.name)
        except (PathNotFound, NotDirectory) as error:
            raise type(error)(path) from None

    def new_blob(self) -> int:
        """Return the number of a new content."""
        return next(self._blobs)

    def hold(self, blob: int) -> None:
        """Add a reader to a content."""
        self._readers[blob] += 1

    def release(self, blob: int) -> None:
        """Remove a reader of a content."""
        self._readers[blob] -= 1
        with self.db:
            self.drop(blob)

    def drop(self, blob: int) -> None:
        """Delete a content without a name or a reader; within the caller's transaction."""
        if self._readers[blob] > 0:
            return
        del self._readers[blob]
        self.db.execute(
            "DELETE FROM pieces WHERE blob = ? AND NOT EXISTS (SELECT 1 FROM nodes WHERE blob = ?)",
            (blob, blob),
        )

    def name(self, parent: int, name: bytes, content: tuple[int | None, int]) -> Node:
        """Name a content or a new directory; replaces a file of that name."""
        self.db.execute(
            "INSERT INTO nodes (parent, name, blob, size, modified) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (parent, name) DO UPDATE SET blob = excluded.blob, "
            "size = excluded.size, modified = excluded.modified",
            (parent, name, *content, time.time()),
        )
        made = self.child(parent, name)
        assert made is not None
        return made
