"""Who makes a request. Without TLS it is accepted where a password of FTP would be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftpservice.web.access.scopes import Caller
from ftpservice.web.access.token_access import TokenAccess
from ftpservice.web.http.problems import Problem

__all__ = ["RequestAccess"]

TLS_TEXT = "Use https: without TLS, requests of other machines are not accepted."


class RequestAccess:
    """Tells the caller of a request.

    ``allows`` is asked whether a password may come over a connection: with TLS or not, from an
    address.
    """

    def __init__(self, tokens: TokenAccess, allows: Callable[[bool, str], bool]) -> None:
        self._tokens = tokens
        self._allows = allows

    async def caller(self, request: Any) -> Caller:
        """Return the caller; raises `Problem`."""
        if not self._allows(request.isSecure(), request.peer_host):
            raise Problem(403, TLS_TEXT)
        caller = await self._tokens.caller(request)
        if caller is None:
            request.setHeader(b"WWW-Authenticate", b"Bearer")
            raise Problem(401, "This needs a token: Authorization: Bearer TOKEN.")
        return caller
