"""Comparing the digests of both sides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ftpservice_client.errors import Unsupported, VerificationFailed
from ftpservice_client.ftp.features import DIGEST_PREFERENCE
from ftpservice_client.interfaces import ClientSession
from ftpservice_client.results import Digest

__all__ = ["compare_digests"]


async def compare_digests(
    session: ClientSession, name: str, digest: Callable[[str], Awaitable[str]]
) -> Digest:
    """Return the digest that both sides agree on; raises `VerificationFailed`, `Unsupported`.

    ``digest`` makes ours of an algorithm.
    """
    known = await session.digests()
    algorithm = next((one for one in DIGEST_PREFERENCE if one in known), None)
    if algorithm is None:
        raise Unsupported("the server makes no digests of files, so they cannot be compared")
    theirs = (await session.digest(name, algorithm)).lower()
    ours = await digest(algorithm)
    if ours != theirs:
        raise VerificationFailed(f"{name}: the {algorithm} there is {theirs}, and here {ours}")
    return Digest(algorithm, ours)
