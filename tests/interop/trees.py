"""Trees of files for the jobs that clients do: made at run time, compared byte by byte."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = [
    "BIG",
    "MTIME",
    "ODD_NAMES",
    "SMALL_FILES",
    "TREE",
    "content",
    "differences",
    "fingerprint",
    "make_tree",
    "odd_tree",
    "small_files",
]

BIG = 50 << 20
SMALL_FILES = 1000
MTIME = 1_577_934_245
"""2020-01-02 03:04:05 UTC."""

ODD_NAMES = (
    "plain.txt",
    "with space.txt",
    "two  spaces   inside",
    "-leading-dash",
    "-la",
    "--",
    "100%.txt",
    "%41%2F%s%n",
    "[brackets].txt",
    "{braces,too}",
    "(parentheses)",
    "star*.txt",
    "question?.txt",
    'double"quote',
    "single'quote",
    "back`tick",
    "back\\slash",
    "#hash.txt",
    "semi;colon",
    "size=1;type=dir; fact",
    "a=b&c=d",
    "pipe|bar",
    "$HOME",
    "!bang",
    "~tilde",
    "at@sign",
    "co:lon",
    "comma,plus+",
    "less<greater>",
    "caret^",
    ".dotfile",
    "...",
    "arrow -> target",
    "total 5",
    "1 Jan  1 00:00 name",
    "00000000",
    "na\u00efve \u00fcn\u00efc\u00f6de",
    "decomposed e\u0301",
    "\u65e5\u672c\u8a9e.txt",
    "\u05e9\u05dc\u05d5\u05dd",
    "\U0001f389 party",
    "n" * 255,
    " leading space",
    "trailing space ",
)
"""Names that a filesystem has nothing against; each client's tests say which it cannot handle."""

TREE: Mapping[str, int] = {
    "empty": 0,
    "one byte": 1,
    "a block": 65536,
    "docs/read me.txt": 3000,
    "docs/\u00fcbung/deep/er/leaf.bin": 100_001,
    "docs/\u00fcbung/empty too": 0,
    "-options/-rf": 17,
    "100% [sure] #1/it's.dat": 4096,
    ".config/.hidden": 21,
}
"""An ordinary tree: paths and sizes; `make_tree` puts an empty directory beside them."""


def content(size: int, seed: int | str = 0) -> bytes:
    """Return bytes that look like nothing and are the same each time."""
    return random.Random(f"{seed}/{size}").randbytes(size)


def make_tree(directory: Path, sizes: Mapping[str, int] = TREE, mtime: int = MTIME) -> Path:
    """Make files (and one empty directory) with an old modification time."""
    for number, (name, size) in enumerate(sizes.items()):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(size, name))
        os.utime(path, (mtime + number, mtime + number))
    (directory / "empty directory").mkdir()
    return directory


def odd_tree(directory: Path, without: Iterable[str] = ()) -> list[str]:
    """Make a file of each odd name but those; returns the names."""
    directory.mkdir(parents=True, exist_ok=True)
    left_out = set(without)
    assert left_out <= set(ODD_NAMES)
    names = [name for name in ODD_NAMES if name not in left_out]
    for size, name in enumerate(names):
        (directory / name).write_bytes(content(size, name))
    return names


def small_files(directory: Path, count: int = SMALL_FILES) -> list[str]:
    """Make many small files; returns their names."""
    directory.mkdir(parents=True, exist_ok=True)
    names = [f"file{number:04}.dat" for number in range(count)]
    for number, name in enumerate(names):
        (directory / name).write_bytes(content(number % 700, name))
    return names


def fingerprint(directory: Path, times: bool = False) -> dict[str, tuple[object, ...]]:
    """Return what is in a directory, hidden things included: digests by path."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_dir():
            found[name] = ("directory",)
            continue
        data = path.read_bytes()
        found[name] = (len(data), hashlib.sha256(data).hexdigest())
        if times:
            found[name] += (int(path.stat().st_mtime),)
    return found


def differences(left: Path, right: Path, times: bool = False) -> dict[str, object]:
    """Return how two directories differ; empty if they do not."""
    one, other = fingerprint(left, times), fingerprint(right, times)
    return {
        name: (one.get(name, "missing"), other.get(name, "missing"))
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    }
