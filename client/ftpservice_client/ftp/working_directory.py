"""The current directory of a session: from the reply to PWD, or from the changes made so far.

A directory that begins with a dot is relative to the initial directory after the login.
"""

from __future__ import annotations

import posixpath
import re

from ftpservice.wire.replies import Reply

__all__ = ["INITIAL_DIRECTORY", "can_change_to", "directory_from_reply", "joined"]

INITIAL_DIRECTORY = "."
"""The directory after the login, if the server does not report it."""
QUOTED_PATH = re.compile(r'"((?:[^"]|"")+)(?:"|$)')
"""A path with its quotes doubled (RFC 959 appendix II)."""
UNQUOTED_PATH = re.compile(r"(?:^|(?<=\s))(/.*?)\.?(?:\s+(?:is|as)\b.*)?$")


def directory_from_reply(reply: Reply) -> str:
    """Return the path in a reply to PWD, with or without quotes; empty if there is none."""
    text = reply.lines[-1].strip()
    if reply.code >= 300 or "\0" in text:
        return ""
    match = QUOTED_PATH.search(text)
    if match is not None:
        return match[1].replace('""', '"')
    match = UNQUOTED_PATH.search(text)
    return "" if match is None else match[1]


def joined(directory: str, path: str) -> str:
    """Return the path that ``path`` leads to from a directory, by the names alone."""
    found = posixpath.normpath(posixpath.join(directory, path))
    if found.startswith("/"):
        return "/" + found.lstrip("/")
    return found if _is_relative(found) else f"./{found}"


def can_change_to(directory: str, destination: str) -> bool:
    """Return whether a session in ``directory`` can change to ``destination`` by its name."""
    return not _is_relative(destination) or directory in (INITIAL_DIRECTORY, destination)


def _is_relative(directory: str) -> bool:
    return directory in (INITIAL_DIRECTORY, "..") or directory.startswith(("./", "../"))
