"""The one type for names of files: absolute, normalised, unable to leave its root.

Names are ``str`` decoded as UTF-8 with ``surrogateescape``, so bytes that are not UTF-8
(RFC 2640 §3.1) come back out as they went in.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FORBIDDEN", "ROOT", "BadPath", "VirtualPath"]

FORBIDDEN = frozenset("\0\r\n")
"""Characters that no path has."""


class BadPath(ValueError):
    """A name that no file can have: it holds NUL, CR or LF."""


class VirtualPath(NamedTuple):
    """An absolute path in a virtual filesystem; ``VirtualPath()`` is the root."""

    parts: tuple[str, ...] = ()
    """The names from the root down."""

    @classmethod
    def parse(cls, text: str) -> VirtualPath:
        """Read ``text`` as seen from the root; raises `BadPath`."""
        return cls().joined(text)

    def joined(self, text: str) -> VirtualPath:
        """Resolve ``text`` from here: absolute or relative, ``..`` stops at the root.

        Raises `BadPath`.
        """
        if not FORBIDDEN.isdisjoint(text):
            raise BadPath("a name may not hold NUL, CR or LF")
        parts = [] if text.startswith("/") else list(self.parts)
        for part in text.split("/"):
            if part == "..":
                del parts[-1:]
            elif part and part != ".":
                parts.append(part)
        return VirtualPath(tuple(parts))

    def child(self, name: str) -> VirtualPath:
        """Return the entry ``name`` (a single component) of this directory."""
        return VirtualPath((*self.parts, name))

    def below(self, top: VirtualPath) -> VirtualPath:
        """Return this path as it is named from the root above ``top``."""
        return VirtualPath(top.parts + self.parts)

    def is_within(self, top: VirtualPath) -> bool:
        """Return whether this is ``top`` or a path below it."""
        return self.parts[: len(top.parts)] == top.parts

    @property
    def name(self) -> str:
        """The last component; empty for the root."""
        return self.parts[-1] if self.parts else ""

    @property
    def parent(self) -> VirtualPath:
        """The directory that holds this entry; the root is its own parent."""
        return VirtualPath(self.parts[:-1])

    @property
    def is_root(self) -> bool:
        """Whether this is the root."""
        return not self.parts

    def quoted(self) -> str:
        """Return the path as a 257 reply spells it, ``"`` doubled (RFC 959 appendix II)."""
        return '"' + str(self).replace('"', '""') + '"'

    def __str__(self) -> str:
        return "/" + "/".join(self.parts)


ROOT = VirtualPath()
