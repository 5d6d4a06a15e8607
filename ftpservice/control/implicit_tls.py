"""Sessions with implicit TLS (FTPS on port 990)."""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory

from ftpservice.control.factory import FTPFactory
from ftpservice.control.protocol import ControlProtocol

__all__ = ["ImplicitTLSFactory"]


class ImplicitTLSFactory(ServerFactory):
    """Makes sessions of ``sessions`` under TLS from the first byte, with PROT P in force.

    Raises `ValueError` if ``sessions`` has no ``tls``.
    """

    noisy = False

    def __init__(self, sessions: FTPFactory) -> None:
        if sessions.tls is None:
            raise ValueError("implicit TLS needs a certificate")
        self._sessions = sessions

    def buildProtocol(self, _addr: IAddress | None) -> ControlProtocol:
        """Return the protocol of a new session."""
        return self._sessions.session(implicit=True)

    def doStart(self) -> None:
        """Count this port among those of ``sessions``."""
        self._sessions.doStart()

    def doStop(self) -> None:
        """Stop counting this port."""
        self._sessions.doStop()
