"""Permission bits of new files and directories, with and without the umask."""

from __future__ import annotations

__all__ = ["MaskedMode"]


class MaskedMode(int):
    """Permission bits that a umask has been taken from; ``requested`` are those before that.

    A storage whose directories decide instead of the umask (a default ACL, acl(5)) goes by the
    latter; for any other it is a number.
    """

    requested: int

    @classmethod
    def of(cls, requested: int, umask: int) -> MaskedMode:
        """Take ``umask`` from the bits ``requested``."""
        mode = cls(requested & ~umask)
        mode.requested = requested
        return mode
