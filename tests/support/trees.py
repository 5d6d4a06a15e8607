"""Trees of files with difficult names and sizes, and their comparison byte by byte."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

__all__ = [
    "BIG",
    "MTIME",
    "ODD_NAMES",
    "TREE",
    "assert_same",
    "content",
    "copy_times",
    "differences",
    "files",
    "make_files",
    "make_tree",
    "small_files",
]

BIG = 50 << 20
"""The size of a big file in bytes."""
MTIME = 1_577_934_245
"""2020-01-02 03:04:05 UTC, the time of the first file of a tree; each next is a second later."""
BLOCK = 64 << 10

ODD_NAMES = (
    "with space.txt",
    "two  spaces",
    "-leading-dash",
    "-rf",
    "100%.txt",
    "%41%2F",
    "[brackets]",
    "{braces}",
    "(round)",
    'double"quote',
    "single'quote",
    "#hash",
    "a&b=c",
    "semi;colon",
    "comma,plus+",
    "at@sign",
    "~tilde",
    "$HOME",
    "!bang",
    ".hidden",
    "na\u00efve \u00fcn\u00efc\u00f6de",
    "\u65e5\u672c\u8a9e",
    "\U0001f389",
)
"""Names that every client must transfer; a test excludes those that its client cannot."""

TREE: Mapping[str, int] = {name: 10 + position for position, name in enumerate(ODD_NAMES)} | {
    "empty": 0,
    "one": 1,
    "below block": BLOCK - 1,
    "block": BLOCK,
    "above block": BLOCK + 1,
    "two blocks": 2 * BLOCK,
    "several megabytes": (3 << 20) + 7,
    "directory/plain.txt": 3000,
    "directory/sub directory/[deep]/er/100% #1.bin": 100_001,
    "directory/sub directory/empty too": 0,
    "-dash directory/-file": 17,
    "\u00fcbung/\u65e5\u672c\u8a9e": 4096,
    ".config/.hidden": 21,
}
"""Paths and sizes of an ordinary tree."""


def content(size: int, seed: int | str = 0) -> bytes:
    """Return reproducible pseudo-random bytes."""
    return random.Random(f"{seed}/{size}").randbytes(size)


def make_files(directory: Path, sizes: Mapping[str, int]) -> Path:
    """Create files with fixed modification times; return the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for position, (name, size) in enumerate(sizes.items()):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(size, name))
        os.utime(path, (MTIME + position, MTIME + position))
    return directory


def make_tree(directory: Path, *, without: Iterable[str] = ()) -> Path:
    """Create the files of `TREE`; return the directory.

    A path with a component in ``without`` is left out.
    """
    left_out = set(without)
    return make_files(
        directory,
        {name: size for name, size in TREE.items() if not left_out.intersection(name.split("/"))},
    )


def small_files(directory: Path, count: int = 1000) -> Path:
    """Create many small files, some of them empty; return the directory."""
    return make_files(directory, {f"file {n:04}.dat": (n * 7) % 700 for n in range(count)})


def files(directory: Path) -> Iterator[Path]:
    """Yield the relative paths of all files below a directory, hidden ones included."""
    for path in sorted(directory.rglob("*")):
        if not path.is_dir():
            yield path.relative_to(directory)


def copy_times(source: Path, target: Path) -> None:
    """Copy the modification times of files to those of the same names."""
    for path in files(source):
        moment = (source / path).stat().st_mtime
        os.utime(target / path, (moment, moment))


def differences(left: Path, right: Path, *, times: bool = False) -> list[str]:
    """Return a line for each difference between the files of two directories."""
    here, there = set(files(left)), set(files(right))
    found = [f"only in {left}: {path}" for path in sorted(here - there)]
    found += [f"only in {right}: {path}" for path in sorted(there - here)]
    for path in sorted(here & there):
        one, other = left / path, right / path
        if one.read_bytes() != other.read_bytes():
            found.append(
                f"{path}: {one.stat().st_size} bytes, {other.stat().st_size}, not the same"
            )
        moments = int(one.stat().st_mtime), int(other.stat().st_mtime)
        if times and moments[0] != moments[1]:
            found.append(f"{path}: times {moments[0]} and {moments[1]}")
    return found


def assert_same(left: Path, right: Path, *, times: bool = False) -> None:
    """Assert that the files of two directories are the same."""
    found = differences(left, right, times=times)
    assert not found, "\n".join(found)
