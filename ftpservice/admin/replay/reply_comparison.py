"""Compares replies: codes exactly, texts without what differs from run to run."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["comparable", "same_text"]

PLACEHOLDERS = (
    (re.compile(r"(?i)\bunique=[^;]*"), "unique=#"),
    (re.compile(r"(?i)\b(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}\b"), "#"),
    (re.compile(r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b"), "#"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "#"),
    (re.compile(r"#(?:[ ,:]+#)+"), "#"),
)
"""Identifiers, digests, months, numbers: ports, addresses, dates, sizes; several in a row."""


def comparable(line: str) -> str:
    """Return a line with ``#`` in place of numbers, dates, digests and identifiers."""
    for pattern, word in PLACEHOLDERS:
        line = pattern.sub(word, line)
    return line


def same_text(expected: Sequence[str], received: Sequence[str]) -> bool:
    """Return whether texts are equal; a transcript with hidden names has none, which fits all."""
    if not expected:
        return True
    return [comparable(line) for line in expected] == [comparable(line) for line in received]
