"""The TLS of the service: its certificates in use, read anew without touching a connection."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

from ftpservice.tls.certificates import Certificate, CertificateProblem
from ftpservice.tls.contexts import Contexts, TLSFiles, contexts_of

__all__ = ["Certificate", "CertificateProblem", "ServerTLS", "TLSFiles"]


class ServerTLS:
    """What every TLS connection of the service is made with.

    A session keeps the ``contexts`` that its control connection began with for its data
    connections: only those know its TLS session when new certificates are there.
    """

    def __init__(self, files: TLSFiles, contexts: Contexts) -> None:
        self._files = files
        self.contexts = contexts

    @classmethod
    def load(cls, files: TLSFiles) -> ServerTLS:
        """Read the files (blocks); raises `CertificateProblem`."""
        return cls(files, contexts_of(files))

    @property
    def certificates(self) -> Sequence[Certificate]:
        """Those in use, the default one first."""
        return self.contexts.certificates

    def wrap(self, own: socket.socket, *, data: bool) -> ssl.SSLSocket:
        """Return the server's side of a handshake that has not begun (see `Contexts.wrap`)."""
        return self.contexts.wrap(own, data=data)

    def reload(self) -> None:
        """Read the files again (blocks); raises `CertificateProblem`, and the old stay in use."""
        self.contexts = contexts_of(self._files)

    def adopt(self, other: ServerTLS) -> None:
        """Use the files and certificates of another one from now on."""
        self._files, self.contexts = other._files, other.contexts
