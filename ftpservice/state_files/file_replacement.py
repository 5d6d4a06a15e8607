"""Replaces a file atomically (blocks): a reader finds the old content or the new one, complete."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["NEW_SUFFIX", "replace_file"]

NEW_SUFFIX = ".new"
"""How the name of a file ends that is being written; one may stay after a kill."""


def replace_file(
    path: Path,
    content: bytes,
    is_durable: bool = True,
    before: Callable[[], object] = bool,
) -> None:
    """Write a file that only its owner can read, in the place of the old one; raises `OSError`.

    ``is_durable``: it is on the disk afterwards, also after a loss of power. ``before`` is called
    when the new file is complete and not yet in its place; if it raises, the old one stays.
    """
    prefix = f".{path.name}."
    descriptor, made = tempfile.mkstemp(prefix=prefix, suffix=NEW_SUFFIX, dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if is_durable:
                os.fsync(descriptor)
        before()
        os.replace(made, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(made)
        raise
    if is_durable:
        opened = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
