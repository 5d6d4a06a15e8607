"""The login: from the greeting to a session that can transfer files (RFC 959 §5.4, RFC 4217)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftpservice.net.tls.client import ClientTLS
from ftpservice.net.tls.transport import TLSTransport
from ftpservice.wire import codes
from ftpservice_client.errors import (
    AuthenticationFailed,
    ServerRefused,
    Unsupported,
    login_error_text,
)
from ftpservice_client.ftp.control import ControlConnection
from ftpservice_client.ftp.data import DataConnections
from ftpservice_client.ftp.features import Features, parse_features
from ftpservice_client.ftp.reply_errors import error_for_greeting
from ftpservice_client.link.tls import verify_pin
from ftpservice_client.settings import ExplicitTLS, Settings
from ftpservice_client.urls import Destination, Scheme

__all__ = ["LoginSequence"]


ANONYMOUS_USERS = ("anonymous", "ftp")


@dataclass
class LoginSequence:
    """The commands before the first one of a caller: `negotiate`, then `log_in`."""

    control: ControlConnection
    connections: DataConnections
    destination: Destination
    settings: Settings
    tls: ClientTLS | None
    """None: no TLS."""
    is_secured: bool = False
    """Whether the control connection is encrypted."""
    welcome: tuple[str, ...] = ()
    """The lines of the server's greeting."""

    async def negotiate(self) -> None:
        """Read the greeting, and start TLS if there is to be TLS.

        Raises `CertificateNotTrusted`, `Unsupported`, `NetworkError`.
        """
        if self.destination.scheme is Scheme.FTPS:
            await self._secure()
        greeting = await self.control.reply_to(self.control.greeting)
        if greeting.code >= 400:
            raise error_for_greeting(greeting)
        self.welcome = greeting.lines
        if not self.is_secured and self.tls is not None:
            await self._request_tls()

    async def log_in(self) -> Features:
        """Log in; return the server's features.

        Raises `AuthenticationFailed`, `Unsupported`, `NetworkError`.
        """
        await self._authenticate()
        if self.is_secured:
            await self._protect_data()
        await self.control.expect("TYPE I")
        return await self._features()

    async def _request_tls(self) -> None:
        reply = await self.control.ask("AUTH TLS")
        if reply.code == codes.SECURITY_EXCHANGE_OK:
            await self._secure()
        elif not self._is_optional:
            raise Unsupported(f"the server has no TLS: {reply.lines[-1]}")

    @property
    def _is_optional(self) -> bool:
        """Whether to continue without TLS if the server has none."""
        preferred = self.settings.explicit_tls is ExplicitTLS.PREFER
        return self.destination.scheme is Scheme.FTP and preferred

    async def _secure(self) -> None:
        assert self.tls is not None
        await self.control.start_tls(self.tls)
        transport: Any = self.control.transport
        assert isinstance(transport, TLSTransport)
        verify_pin(self.settings.trust, transport.peer_certificate)
        self.is_secured = True

    async def _authenticate(self) -> None:
        user = self.destination.user or "anonymous"
        reply = await self.control.expect(f"USER {user}")
        if reply.code == codes.NEED_PASSWORD:
            password = self.destination.password
            if password is None:
                password = "anonymous@" if user in ANONYMOUS_USERS else ""
            elif self._needs_plaintext_warning(user):
                host = self.destination.host
                self.settings.emit_warning(
                    f"The password of {user} is sent to {host} in plaintext, without TLS."
                )
            reply = await self.control.expect(f"PASS {password}")
        if reply.code >= 300:
            raise AuthenticationFailed(login_error_text(reply.lines[-1]), reply)

    def _needs_plaintext_warning(self, user: str) -> bool:
        """Return whether the caller may not know that the password is sent in plaintext."""
        tls_requested = self.settings.explicit_tls is not ExplicitTLS.NEVER
        return tls_requested and not self.is_secured and user not in ANONYMOUS_USERS

    async def _protect_data(self) -> None:
        plaintext = self.settings.plaintext_data
        await self.control.ask("PBSZ 0")
        try:
            await self.control.expect(f"PROT {'C' if plaintext else 'P'}")
        except (ServerRefused, Unsupported) as error:
            if not self._is_optional:
                text = f"the server refuses the protection of data connections: {error}"
                raise Unsupported(text) from error
            self.settings.emit_warning("The server encrypts commands only; files go in plaintext.")
            plaintext = True
        self.connections.tls = None if plaintext else self.tls

    async def _features(self) -> Features:
        reply = await self.control.ask("FEAT")
        features = parse_features(reply) if reply.code < 400 else {}
        if "UTF8" in features:
            await self.control.ask("OPTS UTF8 ON")
        return features
