"""What a control connection puts up with before it is closed."""

from __future__ import annotations

__all__ = ["MOST_LONG_LINES", "MOST_QUEUED"]

MOST_LONG_LINES = 3
"""Lines over the limit; the last of them closes the connection."""
MOST_QUEUED = 100
"""Commands that wait; beyond it the control connection is not read."""
