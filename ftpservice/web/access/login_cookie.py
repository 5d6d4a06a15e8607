"""The cookies of a login and of its second step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["LoginCookie"]


@dataclass(frozen=True)
class LoginCookie:
    """A cookie that scripts cannot read, and that comes with requests of this site only."""

    name: str

    def read(self, request: Any) -> str:
        """Return its value in a request; empty without one."""
        value: bytes = request.getCookie(self._name_for(request).encode()) or b""
        return value.decode("ascii", "replace")

    def set(self, request: Any, value: str, seconds: int | None = None) -> None:
        """Set it with the answer: until the browser ends, or for so long; 0 removes it."""
        is_secure = request.isSecure()
        request.addCookie(
            self._name_for(request),
            value,
            path="/",
            max_age=None if seconds is None else str(seconds),
            httpOnly=True,
            secure=is_secure,
            sameSite="strict",
        )

    def _name_for(self, request: Any) -> str:
        # Browsers refuse the prefix over plain HTTP (RFC 6265bis, section 4.1.3.2).
        return f"__Host-{self.name}" if request.isSecure() else self.name
