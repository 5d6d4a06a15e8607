"""Comparing the digests of both sides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ftpservice_client.errors import Mismatch, Unsupported
from ftpservice_client.ftp.features import STRONGEST
from ftpservice_client.interfaces import Session
from ftpservice_client.results import Digest

__all__ = ["verified"]


async def verified(session: Session, name: str, digest: Callable[[str], Awaitable[str]]) -> Digest:
    """Return the digest that both sides agree on; raises `Mismatch`, `Unsupported`.

    ``digest`` makes ours of an algorithm.
    """
    known = await session.digests()
    algorithm = next((one for one in STRONGEST if one in known), None)
    if algorithm is None:
        raise Unsupported("the server makes no digests of files, so they cannot be compared")
    theirs = (await session.digest(name, algorithm)).lower()
    ours = await digest(algorithm)
    if ours != theirs:
        raise Mismatch(f"{name}: the {algorithm} there is {theirs}, and here {ours}")
    return Digest(algorithm, ours)
