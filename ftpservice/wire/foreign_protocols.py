"""What clients of other protocols send first, by mistake or made to: browsers above all.

A web page can make a browser send lines of its choice to any port, after lines of HTTP. So a
client whose first verb is unknown is disconnected before it can send a second one.
"""

from __future__ import annotations

__all__ = ["HTTP_VERBS", "MAX_UNKNOWN_VERBS", "TLS_HANDSHAKE", "ForeignProtocolDetector"]

HTTP_VERBS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PRI", "PUT", "TRACE")
)
"""First words of a browser; before a login they end the connection, though GET and PUT are ours."""
MAX_UNKNOWN_VERBS = 5
"""Unknown verbs of a session without a login, the first not among them; the last ends it."""
TLS_HANDSHAKE = b"\x16\x03"
"""The first bytes of a connection that begins with a TLS handshake (RFC 8446 §5.1)."""


class ForeignProtocolDetector:
    """What a client without a login has said so far."""

    __slots__ = ("_unknown", "has_spoken_ftp")

    def __init__(self) -> None:
        self.has_spoken_ftp = False
        """Whether it has sent a known verb."""
        self._unknown = 0

    def must_disconnect(self, verb: str) -> bool:
        """Return whether an unknown verb or one of HTTP ends the session; a blank line does not."""
        self._unknown += 1
        if self._unknown >= MAX_UNKNOWN_VERBS or verb in HTTP_VERBS:
            return True
        return not self.has_spoken_ftp and bool(verb)
