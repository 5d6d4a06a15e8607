"""What ``ftpservice doctor`` finds: a subject, how serious it is, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Finding", "Level", "error", "good", "warning"]


class Level(Enum):
    """How serious a finding is."""

    GOOD = "ok"
    WARNING = "warning"
    """It works, but some clients or some days will have trouble."""
    ERROR = "error"
    """It does not work."""


@dataclass(frozen=True)
class Finding:
    """One finding. ``advice`` says what to do; it is empty for good ones."""

    subject: str
    level: Level
    text: str
    advice: str = ""


def good(subject: str, text: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(subject, Level.GOOD, text)


def warning(subject: str, text: str, advice: str) -> Finding:
    """Return a finding that needs attention."""
    return Finding(subject, Level.WARNING, text, advice)


def error(subject: str, text: str, advice: str) -> Finding:
    """Return a finding that prevents the service or its clients from working."""
    return Finding(subject, Level.ERROR, text, advice)
