"""Sessions on a port where TLS comes first (FTPS on port 990)."""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory

from ftpservice.control.factory import FTPFactory
from ftpservice.control.protocol import ControlProtocol

__all__ = ["ImplicitTLSFactory"]


class ImplicitTLSFactory(ServerFactory):
    """Makes sessions of ``sessions`` that are under TLS from the first byte, data too (PROT P).

    Raises `ValueError` if ``sessions`` has no ``tls``.
    """

    noisy = False

    def __init__(self, sessions: FTPFactory) -> None:
        if sessions.tls is None:
            raise ValueError("these sessions have no certificates to begin TLS with")
        self._sessions = sessions

    def buildProtocol(self, _addr: IAddress | None) -> ControlProtocol:
        """Make a session."""
        return self._sessions.session(implicit=True)

    def doStart(self) -> None:
        """Count this port among those of the sessions."""
        self._sessions.doStart()

    def doStop(self) -> None:
        """Count it no more."""
        self._sessions.doStop()
