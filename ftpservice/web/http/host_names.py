"""Which values of the header Host are accepted.

A page of another site can make its own DNS name lead to this machine (DNS rebinding); the browser
then sends that name. Addresses cannot be misused so.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address

__all__ = ["HostNames"]

LOCAL_NAMES = ("localhost",)
MAX_HOST_BYTES = 255


class HostNames:
    """The names of the service; every IP address and ``localhost`` are accepted, too."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset((*names, *LOCAL_NAMES))

    def accepts(self, header: bytes) -> bool:
        """Return whether a request with this value of Host is meant for the service."""
        name = _host(header)
        return name is not None and (name in self._names or _is_address(name))


@lru_cache(256)
def _host(header: bytes) -> str | None:
    """Return the host of a value of Host, without its port; None for a malformed value."""
    if len(header) > MAX_HOST_BYTES:
        return None
    text = header.decode("ascii", "replace").lower()
    host, _, port = text.rpartition(":") if ":" in text.rpartition("]")[2] else (text, "", "")
    if port and not port.isdecimal():
        return None
    if host.startswith("["):
        return host[1:-1] if host.endswith("]") else None
    return host.rstrip(".")


@lru_cache(256)
def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
