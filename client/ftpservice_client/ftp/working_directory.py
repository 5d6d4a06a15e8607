"""Where a session is: what servers say to PWD, and what is known of it where they say nothing.

A directory that begins with a dot is relative to where sessions begin after the login.
"""

from __future__ import annotations

import posixpath
import re

from ftpservice.wire.replies import Reply

__all__ = ["INITIAL_DIRECTORY", "can_change_to", "directory_from_reply", "joined"]

INITIAL_DIRECTORY = "."
"""Where sessions begin, if the server does not tell."""
QUOTED_PATH = re.compile(r'"((?:[^"]|"")+)(?:"|$)')
"""A path with its quotes doubled (RFC 959 appendix II)."""
UNQUOTED_PATH = re.compile(r"(?:^|(?<=\s))(/.*?)\.?(?:\s+(?:is|as)\b.*)?$")


def directory_from_reply(reply: Reply) -> str:
    """Return the path in a reply to PWD, quoted as it should be or not; empty if there is none."""
    text = reply.lines[-1].strip()
    if reply.code >= 300 or "\0" in text:
        return ""
    match = QUOTED_PATH.search(text)
    if match is not None:
        return match[1].replace('""', '"')
    match = UNQUOTED_PATH.search(text)
    return "" if match is None else match[1]


def joined(directory: str, path: str) -> str:
    """Return where ``path`` leads from a directory, going by the names alone."""
    found = posixpath.normpath(posixpath.join(directory, path))
    if found.startswith("/"):
        return "/" + found.lstrip("/")
    return found if _is_relative(found) else f"./{found}"


def can_change_to(directory: str, wanted: str) -> bool:
    """Tell whether a session that is in a directory finds the way to another by its name."""
    return not _is_relative(wanted) or directory in (INITIAL_DIRECTORY, wanted)


def _is_relative(directory: str) -> bool:
    return directory in (INITIAL_DIRECTORY, "..") or directory.startswith(("./", "../"))
