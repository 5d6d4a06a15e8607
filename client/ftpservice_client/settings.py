"""What a caller decides about a client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ftpservice_client.trust import Trust

__all__ = ["ExplicitTLS", "Settings"]


class ExplicitTLS(Enum):
    """When ``ftp://`` asks for TLS before the login (AUTH TLS, RFC 4217)."""

    NEVER = "never"
    PREFER = "prefer"
    """Request it, and continue without it if the server has none."""
    REQUIRE = "require"
    """As ``ftpes://`` does."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How patient, how careful; a value to be shared by any number of clients."""

    timeout: float = 30.0
    """Seconds that a connection, a handshake or a reply may take."""
    stall_timeout: float = 60.0
    """Seconds that a transfer may stand still; 0 for ever."""
    retries: int = 0
    """How often an interrupted transfer, listing or query continues over a new connection."""
    backoff: float = 1.0
    """Seconds before the first of these; doubled each time, up to 60, and varied by a half."""
    trust: Trust = field(default_factory=Trust)
    """Which certificates are taken."""
    netrc: Path | None = Path("~/.netrc")
    """Where passwords are looked up that the URL does not have; None for nowhere."""
    active: bool = False
    """Whether the server connects to us for data (PORT, EPRT), instead of we to it."""
    verify: bool = False
    """Whether each transfer is compared by digest, as with ``verify=True``."""
    memory_limit: int = 256 * 1024 * 1024
    """Bytes of a download that is kept in memory."""
    explicit_tls: ExplicitTLS = ExplicitTLS.NEVER
    """Whether ``ftp://`` asks for TLS; other schemes say themselves what they want."""
    warn: Callable[[str], object] | None = None
    """Called with a line for a person before something that may not be wanted: a password that
    goes in clear."""
    data_in_clear: bool = False
    """Whether files and listings go unprotected (PROT C) where the commands are under TLS."""

    def emit_warning(self, line: str) -> None:
        """Call ``warn``, where there is one."""
        if self.warn is not None:
            self.warn(line)
