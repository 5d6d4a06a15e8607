"""The server of a replay: its URL, the login and how TLS is verified."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

__all__ = ["ReplayTarget", "parse_target"]

PORTS = {"ftp": 21, "ftps": 990}


@dataclass(frozen=True)
class ReplayTarget:
    """Where a transcript is played."""

    host: str
    port: int
    is_implicit: bool
    """Whether the connection is under TLS from the first byte (``ftps``)."""
    user: str | None = None
    """Replaces the account of the transcript."""
    password: str | None = None
    verifies: bool = True
    ca_file: str | None = None
    timeout: float = 30.0
    """Seconds to wait for the server."""

    def tls_context(self) -> ssl.SSLContext:
        """Return the settings of TLS; raises `OSError` if the file of authorities is unusable."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if not self.verifies:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def with_password(self, password: str) -> ReplayTarget:
        """Return the target with a password."""
        return replace(self, password=password)


def parse_target(url: str) -> ReplayTarget:
    """Parse ``ftp://[USER[:PASSWORD]@]HOST[:PORT]`` or ``ftps://...``; raises `ValueError`."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ValueError("the URL begins with ftp:// or ftps://")
    if not parts.hostname:
        raise ValueError("the URL has no host")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("the URL ends after the host and port")
    user, password = (
        None if word is None else unquote(word) for word in (parts.username, parts.password)
    )
    if any(character in (user or "") + (password or "") for character in "\r\n\0"):
        raise ValueError("the user or password has a character that FTP cannot carry")
    port = PORTS[parts.scheme] if parts.port is None else parts.port
    return ReplayTarget(parts.hostname, port, parts.scheme == "ftps", user, password)
