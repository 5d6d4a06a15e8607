"""What a control connection puts up with before it is closed."""

from __future__ import annotations

__all__ = ["MAX_LONG_LINES", "MAX_QUEUED_COMMANDS"]

MAX_LONG_LINES = 3
"""Lines over the limit; the last of them closes the connection."""
MAX_QUEUED_COMMANDS = 100
"""Commands that wait; beyond it the control connection is not read."""
