"""Compares the digests of the local file and the server's file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ftpservice_client.errors import ServerRefused, Unsupported, VerificationFailed
from ftpservice_client.ftp.features import DIGEST_PREFERENCE
from ftpservice_client.interfaces import ClientSession
from ftpservice_client.results import Digest

__all__ = ["compare_digests", "has_equal_digest"]


async def compare_digests(
    session: ClientSession, name: str, local_digest: Callable[[str], Awaitable[str]]
) -> Digest:
    """Return the common digest of both files; raises `VerificationFailed`, `Unsupported`.

    ``local_digest`` computes ours with an algorithm.
    """
    known = await session.digests()
    algorithm = next((one for one in DIGEST_PREFERENCE if one in known), None)
    if algorithm is None:
        raise Unsupported("the server computes no digests, so the file cannot be verified")
    theirs = (await session.digest(name, algorithm)).lower()
    ours = await local_digest(algorithm)
    if ours != theirs:
        raise VerificationFailed(
            f"{name}: the {algorithm} of the server's file is {theirs}, of the local one {ours}"
        )
    return Digest(algorithm, ours)


async def has_equal_digest(
    session: ClientSession, name: str, local_digest: Callable[[str], Awaitable[str]]
) -> bool:
    """Return whether the server's file is certainly the local one."""
    try:
        await compare_digests(session, name, local_digest)
    except (ServerRefused, Unsupported, VerificationFailed):
        return False
    return True
