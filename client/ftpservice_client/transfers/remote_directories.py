"""Directories on the server that a transfer needs: creates them, or reports that one is missing."""

from __future__ import annotations

from ftpservice_client.errors import (
    AlreadyExists,
    ClientError,
    NotFound,
    ServerBusy,
    ServerRefused,
    StorageFull,
)
from ftpservice_client.sessions.pool import SessionPool
from ftpservice_client.sessions.queue import SessionQueue

__all__ = ["ensure_directory", "require_parent"]


async def ensure_directory(
    sessions: SessionQueue | SessionPool, path: str, *, parents: bool
) -> None:
    """Create a directory unless it exists and, with ``parents``, the directories above it.

    Raises the server's refusal.
    """
    path = path.rstrip("/")
    if not path:
        return
    try:
        await sessions.run(lambda session: session.make_directory(path))
    except ServerRefused as error:
        if isinstance(error, (ServerBusy, StorageFull)):
            raise
        if await _exists(sessions, path):
            return
        parent = path.rpartition("/")[0]
        if not parents or not parent.strip("/"):
            raise
        await ensure_directory(sessions, parent, parents=True)
        await sessions.run(lambda session: session.make_directory(path))


async def _exists(sessions: SessionQueue | SessionPool, path: str) -> bool:
    try:
        await sessions.run(lambda session: session.entries(path), repeatable=True)
    except ServerRefused:
        return False
    return True


async def require_parent(
    sessions: SessionQueue | SessionPool, name: str, error: ServerRefused
) -> None:
    """Raise `NotFound` if an upload was refused because its directory does not exist."""
    parent = name.rstrip("/").rpartition("/")[0]
    if (
        not parent
        or isinstance(error, (ServerBusy, AlreadyExists, StorageFull))
        or sessions.lost is not None
    ):
        return
    try:
        await sessions.run(lambda session: session.stat(parent))
    except NotFound:
        text = f"{parent}: there is no such directory on the server"
        raise NotFound(text, error.reply) from error
    except ClientError:
        return  # the refusal itself is all that is known
