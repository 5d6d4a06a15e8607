"""The settings of sessions."""

from __future__ import annotations

from dataclasses import dataclass, field

from ftpservice.data.peer_policy import DataSettings
from ftpservice.session.tls_policy import NO_TLS_POLICY, TLSPolicy
from ftpservice.wire.digests import ALGORITHMS
from ftpservice.wire.units import require_amounts

__all__ = ["SessionSettings"]


@dataclass(frozen=True)
class SessionSettings:
    """Limits and timeouts; times are in seconds, 0 for no timeout or limit.

    Raises `TypeError` or `ValueError` for a malformed value.
    """

    welcome: str = "ftpservice ready"
    """The greeting; more than one line is allowed."""
    anonymous: bool = False
    max_sessions: int = 10_000
    max_sessions_per_address: int = 200
    max_sessions_per_user: int = 200
    login_timeout: float = 60.0
    """From the connection to the login."""
    idle_timeout: float = 300.0
    """Without a command or a transfer."""
    ascii: bool = True
    """Whether TYPE A converts line ends; otherwise it is the same as TYPE I."""
    host_names: frozenset[str] = frozenset()
    """The names that HOST accepts, in lower case; all names if it is empty."""
    umask: int = 0o022
    rate_down: int = 0
    """Bytes per second for the downloads of a session."""
    rate_up: int = 0
    """The same for uploads."""
    upload_digest: str = ""
    """The digest algorithm of uploads; empty for none."""
    tls: TLSPolicy = NO_TLS_POLICY
    """What is required of clients; TLS is offered only with certificates."""
    data: DataSettings = field(default_factory=DataSettings)

    def __post_init__(self) -> None:
        kinds = {"welcome": str, "host_names": frozenset, "tls": TLSPolicy, "data": DataSettings}
        for name, kind in kinds.items():
            if not isinstance(value := getattr(self, name), kind):
                raise TypeError(f"{name} is a {kind.__name__}, not {value!r}")
        require_amounts(self, float, "login_timeout", "idle_timeout")
        require_amounts(self, int, "max_sessions", "max_sessions_per_address")
        require_amounts(self, int, "max_sessions_per_user", "umask", "rate_down", "rate_up")
        if self.upload_digest and self.upload_digest not in ALGORITHMS:
            known = ", ".join(ALGORITHMS)
            raise ValueError(f"upload_digest is {self.upload_digest!r}, and none of {known}")
