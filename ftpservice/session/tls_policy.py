"""What the settings require to be under TLS, and what of a session is (RFC 2228, RFC 4217)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ftpservice.data.data_tls import DataTLSContext
from ftpservice.wire.addresses import is_loopback
from ftpservice.wire.replies import Reply
from ftpservice.wire.units import require_amounts

__all__ = ["NO_TLS_POLICY", "ControlTLS", "DataTLS", "TLSPolicy", "TLSState", "TLSSwitch"]


class ControlTLS(Enum):
    """Where the control connection has to be under TLS."""

    OFF = "off"
    OFFERED = "offered"
    REQUIRED_LOGIN = "required-login"
    """For every login but an anonymous one."""
    REQUIRED = "required"
    """For every login and all that follows."""


class DataTLS(Enum):
    """Where data connections have to be under TLS."""

    OFF = "off"
    OFFERED = "offered"
    REQUIRED = "required"
    """In all sessions."""


@dataclass(frozen=True)
class TLSPolicy:
    """The settings of TLS; ``control`` and ``data`` may be given as the values of their enums.

    Raises `TypeError` or `ValueError` for a malformed value.
    """

    control: ControlTLS = ControlTLS.OFFERED
    data: DataTLS = DataTLS.OFFERED
    plaintext: bool = False
    """Whether other hosts may log in in plaintext, where TLS is not required."""
    clear_commands: bool = False
    """Whether a client may leave TLS with CCC."""
    handshake_timeout: float = 20.0
    """Seconds; 0 for no timeout."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "control", ControlTLS(self.control))
        object.__setattr__(self, "data", DataTLS(self.data))
        require_amounts(self, float, "handshake_timeout")

    def allows_password(self, secured: bool, host: str | None) -> bool:
        """Return whether a client at ``host`` (None: a UNIX socket) may log in with a password."""
        if secured:
            return True
        if self.control in (ControlTLS.REQUIRED, ControlTLS.REQUIRED_LOGIN):
            return False
        return self.plaintext or host is None or is_loopback(host)

    def allows_anonymous(self, secured: bool) -> bool:
        """Return whether a client may log in without a password."""
        return secured or self.control is not ControlTLS.REQUIRED

    def requires_data_tls(self, by_account: bool) -> bool:
        """Return whether data connections have to be under TLS."""
        return self.data is DataTLS.REQUIRED or (by_account and self.data is DataTLS.OFFERED)


NO_TLS_POLICY = TLSPolicy(ControlTLS.OFF, DataTLS.OFF, plaintext=True)
"""The policy of a program that embeds sessions without TLS settings."""


@dataclass(slots=True)
class TLSState:
    """What of one session is under TLS."""

    control: bool = False
    """The control connection."""
    pbsz_done: bool = False
    """Whether PBSZ was sent, or is not needed."""
    data: bool = False
    """The next data connections (PROT P)."""
    description: str = ""
    """Version and cipher, for a person; empty without TLS."""
    names: frozenset[str] = frozenset()
    """The accounts that the verified client certificate names."""
    implies_prot_p: bool = False
    """Whether data connections are under TLS without PBSZ and PROT (TLS-P, implicit TLS)."""
    data_tls: DataTLSContext | None = None
    """What data connections under TLS are made with, once the handshake is complete."""

    def begin(self, implies_prot_p: bool) -> None:
        """Record that TLS begins on the control connection."""
        self.control, self.implies_prot_p = True, implies_prot_p
        self.description, self.names, self.data_tls = "", frozenset(), None
        self.reset()

    def reset(self) -> None:
        """Reset what PBSZ and PROT have set (REIN)."""
        self.pbsz_done = self.data = self.implies_prot_p

    def handshake_done(
        self, description: str, names: Iterable[str], data_tls: DataTLSContext | None
    ) -> None:
        """Record the results of the handshake."""
        self.description, self.names, self.data_tls = description, frozenset(names), data_tls

    def next_data_tls(self) -> DataTLSContext | None:
        """Return what the next data connection is made with; None for plaintext."""
        if self.data and self.data_tls is None:
            raise RuntimeError("the TLS handshake of the control connection is not complete")
        return self.data_tls if self.data else None

    def leave(self) -> None:
        """Record that the control connection leaves TLS (CCC)."""
        self.control, self.description, self.names = False, "", frozenset()


@dataclass(frozen=True)
class TLSSwitch:
    """What AUTH and CCC return: after ``reply`` the control connection enters or leaves TLS."""

    reply: Reply
    secure: bool
