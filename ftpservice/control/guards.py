"""What a control connection puts up with before it is closed."""

from __future__ import annotations

__all__ = ["HTTP_VERBS", "MOST_LONG_LINES", "MOST_QUEUED"]

HTTP_VERBS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
)
"""First words of a browser that was pointed at us; before a login they end the connection."""
MOST_LONG_LINES = 3
"""Lines over the limit; the last of them closes the connection."""
MOST_QUEUED = 100
"""Commands that wait; beyond it the control connection is not read."""
