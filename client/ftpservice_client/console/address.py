"""Where to connect, as people type it."""

from __future__ import annotations

from ftpservice_client import Destination, parse_url
from ftpservice_client.console.visible import visible

__all__ = ["destination", "shown"]


def destination(text: str) -> Destination:
    """Read a URL, or a bare ``host`` or ``host:port``, which is FTP; raises `BadURL`."""
    return parse_url(text if "://" in text else f"ftp://{text}")


def shown(place: Destination) -> str:
    """Return a place on one line, with the user, never with the password."""
    who = f"{place.user}@" if place.user else ""
    return visible(str(place).replace("://", f"://{who}", 1).rstrip("/"))
