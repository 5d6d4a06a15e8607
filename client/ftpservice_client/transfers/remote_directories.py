"""Directories on a server that have to be there: made with those above them, or found missing."""

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


async def ensure_directory(lines: SessionQueue | SessionPool, path: str, *, parents: bool) -> None:
    """Make a directory that may be there already and, if ``parents``, those above it.

    Raises what the server refuses it with.
    """
    path = path.rstrip("/")
    if not path:
        return
    try:
        await lines.ask(lambda session: session.make_directory(path))
    except ServerRefused as error:
        if isinstance(error, (ServerBusy, StorageFull)):
            raise
        if await _exists(lines, path):
            return
        above = path.rpartition("/")[0]
        if not parents or not above.strip("/"):
            raise
        await ensure_directory(lines, above, parents=True)
        await lines.ask(lambda session: session.make_directory(path))


async def _exists(lines: SessionQueue | SessionPool, path: str) -> bool:
    try:
        await lines.ask(lambda session: session.entries(path), again=True)
    except ServerRefused:
        return False
    return True


async def require_parent(line: SessionQueue | SessionPool, name: str, error: ServerRefused) -> None:
    """Raise `NotFound` if an upload was refused since there is no directory to hold the file."""
    above = name.rstrip("/").rpartition("/")[0]
    if (
        not above
        or isinstance(error, (ServerBusy, AlreadyExists, StorageFull))
        or line.lost is not None
    ):
        return
    try:
        await line.ask(lambda session: session.stat(above))
    except NotFound:
        text = f"{above}: there is no such directory on the server"
        raise NotFound(text, error.reply) from error
    except ClientError:
        return  # then it is not known what is wrong, beyond what was said
