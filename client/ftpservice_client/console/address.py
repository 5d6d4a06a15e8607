"""Where to connect, as people type it."""

from __future__ import annotations

from ftpservice_client import Destination, parse_url

__all__ = ["destination"]


def destination(text: str) -> Destination:
    """Read a URL, or a bare ``host`` or ``host:port``, which is FTP; raises `BadURL`."""
    return parse_url(text if "://" in text else f"ftp://{text}")
