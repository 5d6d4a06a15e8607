"""Errors as JSON problem objects (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

__all__ = ["NO_SPACE_REASON", "Problem"]

NO_SPACE_REASON = "no-space"
"""The member ``reason`` of a 507: a file system is full."""


class Problem(Exception):
    """A request cannot be carried out: an HTTP status, and a sentence that says why."""

    content_type = b"application/problem+json"

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = more
        """Further members of the object."""

    @property
    def title(self) -> str:
        """The name of the status."""
        return HTTPStatus(self.status).phrase

    def to_bytes(self) -> bytes:
        """Return the object."""
        object = {"status": self.status, "title": self.title, "detail": self.detail}
        return json.dumps(object | self.more).encode() + b"\n"
