"""The limits on what a client sends over the control connection."""

from __future__ import annotations

__all__ = ["MAX_LONG_LINES", "MAX_QUEUED_COMMANDS"]

MAX_LONG_LINES = 3
"""Lines that are too long; the last of them closes the connection."""
MAX_QUEUED_COMMANDS = 100
"""Commands that wait; with more the control connection is not read."""
