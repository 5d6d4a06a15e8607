"""The settings of a client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ftpservice.wire.units import checked_path, require_amounts
from ftpservice_client.trust import Trust

__all__ = ["ExplicitTLS", "Settings"]


class ExplicitTLS(Enum):
    """Whether ``ftp://`` requests TLS before the login (AUTH TLS, RFC 4217)."""

    NEVER = "never"
    PREFER = "prefer"
    """Request it, and continue without it if the server has none."""
    REQUIRE = "require"
    """As ``ftpes://`` does."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Timeouts, retries, trust and limits; may be shared by any number of clients.

    ``netrc`` may be a `str`, and ``explicit_tls`` the value of its enum. Raises `TypeError` or
    `ValueError` for a malformed value.
    """

    timeout: float = 30.0
    """Seconds to wait for a connection, a handshake or a reply; 0: no limit."""
    stall_timeout: float = 60.0
    """Seconds without progress after which a transfer is aborted; 0: no limit."""
    retries: int = 0
    """How often an interrupted transfer, listing or query is retried over a new connection."""
    backoff: float = 1.0
    """Seconds before the first retry; doubled for each further one, up to 60, varied by half."""
    trust: Trust = field(default_factory=Trust)
    """Which certificates are trusted."""
    netrc: Path | None = Path("~/.netrc")
    """The file with the passwords that URLs do not contain; None: none."""
    active: bool = False
    """Whether data connections are active (PORT, EPRT) instead of passive."""
    verify: bool = False
    """Whether every transfer is verified by digest, as with ``verify=True``."""
    memory_limit: int = 256 * 1024 * 1024
    """Limit in bytes for a download to memory, and for a listing."""
    explicit_tls: ExplicitTLS = ExplicitTLS.NEVER
    """Whether ``ftp://`` requests TLS; the other schemes say so themselves."""
    warn: Callable[[str], object] | None = None
    """Called with a line of text before something that may be a mistake, such as sending a password
    in plaintext."""
    plaintext_data: bool = False
    """Whether data connections are not encrypted (PROT C) when the control connection is."""

    def __post_init__(self) -> None:
        require_amounts(self, float, "timeout", "stall_timeout", "backoff")
        require_amounts(self, int, "retries", "memory_limit")
        if not isinstance(self.trust, Trust):
            raise TypeError(f"trust is a Trust, not {self.trust!r}")
        if self.warn is not None and not callable(self.warn):
            raise TypeError(f"warn is a function, not {self.warn!r}")
        if self.netrc is not None:
            object.__setattr__(self, "netrc", checked_path("netrc", self.netrc))
        object.__setattr__(self, "explicit_tls", ExplicitTLS(self.explicit_tls))

    def emit_warning(self, line: str) -> None:
        """Call ``warn``, if it is set."""
        if self.warn is not None:
            self.warn(line)
