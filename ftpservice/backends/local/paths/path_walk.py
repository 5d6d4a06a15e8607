"""A path walked one component at a time, for what openat2(2) cannot resolve or is missing for.

Rules: every component is opened relative to the descriptor of the directory before it, and never
through a link; ``..`` is never passed to the kernel; the target of a link is walked by the same
rules. So whatever is swapped meanwhile, a walk can only end below its root.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence

__all__ = ["DIRECTORY_FLAGS", "PathWalk", "relative_to_root"]

DIRECTORY_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
"""Flags that open a directory to resolve names in it; no right to read it is needed."""
MAX_LINKS = 40
MAX_STEPS = 10_000
"""Components opened at most: links full of ``..`` could make a walk last for hours."""


class PathWalk:
    """One walk from ``root`` down ``names``.

    ``roots`` returns the prefixes by which absolute links may name the root, as components.
    Without ``follows_links``, a link to follow raises ``ELOOP``.
    """

    def __init__(
        self,
        root: int,
        names: Sequence[bytes],
        roots: Callable[[], Iterable[list[bytes]]],
        follows_links: bool = True,
    ) -> None:
        self._root = root
        self._roots = roots
        self._pending = list(reversed(names))
        self._entered: list[bytes] = []
        self._links = MAX_LINKS if follows_links else 0
        self._steps = MAX_STEPS
        self.here = os.dup(root)
        """The descriptor of the directory reached; closed with the walk."""

    def __enter__(self) -> PathWalk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the directory reached."""
        if self.here >= 0:
            os.close(self.here)
            self.here = -1

    def arrive(self, follow: bool) -> bytes:
        """Walk to the last component and return its name in ``here``; it need not exist.

        With ``follow``, a link as last component is followed. ``.`` means ``here`` itself.
        """
        while self._pending:
            self._steps -= 1
            if self._steps < 0:
                raise OSError(errno.ELOOP, "too many steps")
            name = self._pending.pop()
            if name == b"..":
                self._ascend()
            elif self._pending:
                self._enter(name)
            elif follow and (text := _link_text(name, self.here)) is not None:
                self._follow(text)
            else:
                return name
        return b"."

    @property
    def entered(self) -> list[bytes]:
        """The names from the root to ``here``, none of them a link."""
        return list(self._entered)

    def again(self, name: bytes) -> None:
        """Put the last component back, to examine it again."""
        self._pending.append(name)

    def _enter(self, name: bytes) -> None:
        try:
            below = os.open(name, DIRECTORY_FLAGS | os.O_NOFOLLOW, dir_fd=self.here)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            text = _link_text(name, self.here)
            if text is None:
                raise
            self._follow(text)
        else:
            self._move(below)
            self._entered.append(name)

    def _follow(self, text: bytes) -> None:
        self._links -= 1
        if self._links < 0:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        names = [name for name in text.split(b"/") if name not in (b"", b".")]
        if text.startswith(b"/"):
            names = relative_to_root(self._roots(), names)
            self._restart()
        self._pending.extend(reversed(names))

    def _ascend(self) -> None:
        """Walk again from the root to the parent, by the names of the directories entered."""
        if not self._entered:
            raise PermissionError(errno.EACCES, "a link leads above the root")
        self._pending.extend(reversed(self._entered[:-1]))
        self._restart()

    def _restart(self) -> None:
        self._move(os.dup(self._root))
        self._entered = []

    def _move(self, directory: int) -> None:
        os.close(self.here)
        self.here = directory


def relative_to_root(roots: Iterable[list[bytes]], names: list[bytes]) -> list[bytes]:
    """Return the target of an absolute link relative to the root; `PermissionError` if outside."""
    for root in roots:
        if names[: len(root)] == root:
            return names[len(root) :]
    raise PermissionError(errno.EACCES, "a link leads out of the root")


def _link_text(name: bytes, directory: int) -> bytes | None:
    """Return the target of a link; None for anything else, or nothing."""
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise
        return None
