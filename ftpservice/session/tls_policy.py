"""What of a session is under TLS, and what the administrator asks for (RFC 2228, RFC 4217)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ftpservice.accounts.networks import client_address
from ftpservice.data.data_tls import DataTLSContext
from ftpservice.wire.replies import Reply

__all__ = ["NO_TLS_POLICY", "ControlTLS", "DataTLS", "TLSPolicy", "TLSState", "TLSSwitch"]


class ControlTLS(Enum):
    """What of a control connection has to be under TLS."""

    OFF = "off"
    OFFERED = "offered"
    REQUIRED_LOGIN = "required-login"
    """Every login but an anonymous one."""
    REQUIRED = "required"
    """Every login, and all that follows."""


class DataTLS(Enum):
    """What of the data connections of a session under TLS has to be under TLS."""

    OFF = "off"
    OFFERED = "offered"
    REQUIRED = "required"
    """All of them, in all sessions."""


@dataclass(frozen=True)
class TLSPolicy:
    """What the administrator decides about TLS."""

    control: ControlTLS = ControlTLS.OFFERED
    data: DataTLS = DataTLS.OFFERED
    plaintext: bool = False
    """Whether passwords from other machines are taken in clear, where TLS is not required."""
    clear_commands: bool = False
    """Whether a client may leave TLS with CCC."""
    handshake_timeout: float = 20.0
    """Seconds; 0 for a timeout that never comes."""

    def allows_password(self, secured: bool, host: str | None) -> bool:
        """Tell whether a client at ``host`` (None: a UNIX socket) may send its password."""
        if secured:
            return True
        if self.control in (ControlTLS.REQUIRED, ControlTLS.REQUIRED_LOGIN):
            return False
        return self.plaintext or host is None or _is_loopback(host)

    def allows_anonymous(self, secured: bool) -> bool:
        """Tell whether a client may log in without a password."""
        return secured or self.control is not ControlTLS.REQUIRED

    def requires_data_tls(self, by_account: bool) -> bool:
        """Tell whether data connections have to be under TLS."""
        return self.data is DataTLS.REQUIRED or (by_account and self.data is DataTLS.OFFERED)


def _is_loopback(host: str) -> bool:
    address = client_address(host)
    return address is not None and address.is_loopback


NO_TLS_POLICY = TLSPolicy(ControlTLS.OFF, DataTLS.OFF, plaintext=True)
"""What holds for a program that embeds sessions and says nothing of TLS."""


@dataclass
class TLSState:
    """What of one session is under TLS now."""

    control: bool = False
    """Commands and replies."""
    pbsz_done: bool = False
    """Whether PBSZ was said, or need not be."""
    data: bool = False
    """The data connections (PROT P)."""
    description: str = ""
    """Version and cipher, for people; empty in clear."""
    names: frozenset[str] = frozenset()
    """Whom the client's certificate names; it was checked."""
    private: bool = False
    """Whether data began under TLS, without PBSZ and PROT (TLS-P, implicit)."""
    data_tls: DataTLSContext | None = None
    """What data connections under TLS are made with; there once the handshake is over."""

    def begin(self, private: bool) -> None:
        """The control connection is under TLS from now on."""
        self.control, self.private = True, private
        self.description, self.names, self.data_tls = "", frozenset(), None
        self.reset()

    def reset(self) -> None:
        """Forget what PBSZ and PROT have said (REIN)."""
        self.pbsz_done = self.data = self.private

    def learn(self, description: str, names: Iterable[str], cover: DataTLSContext | None) -> None:
        """Take what is known once the handshake is over."""
        self.description, self.names, self.data_tls = description, frozenset(names), cover

    def next_data_tls(self) -> DataTLSContext | None:
        """Return what the next data connection is made with; None for one in clear."""
        if self.data and self.data_tls is None:
            raise RuntimeError("data is to go under TLS before the commands do")
        return self.data_tls if self.data else None

    def leave(self) -> None:
        """Commands and replies are in clear from now on (CCC); anybody may say them."""
        self.control, self.description, self.names = False, "", frozenset()


@dataclass(frozen=True)
class TLSSwitch:
    """What AUTH and CCC return: behind ``reply`` commands go under TLS, or leave it."""

    reply: Reply
    secure: bool
